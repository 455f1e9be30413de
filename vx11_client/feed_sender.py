"""Delivers batches of events to a server until it has them, in order, each once. No Django.

The promise rests on the event_id: a batch whose answer was lost is sent again with the same ids, and the server knows
them. So everything that may be a passing trouble is tried again for as long as it takes; only what the server says no
to (422, 413) is left out, and only a wrong credential or address stops the whole feed.
"""

import collections
import dataclasses
import datetime
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import httpx

from vx11_client import exact_json
from vx11_client.backoff import Backoff, retry_after_seconds
from vx11_client.http_answers import DIRECT_MOUNTS, ServerRefused, problem_text
from vx11_client.wire_limits import BATCH_LIMIT_EVENTS

EVENTS_PATH = "/operator/api/events"
# The server takes 4 MiB; a proxy in front may count headers too.
BATCH_LIMIT_BYTES = 4 * 1024 * 1024 - 16 * 1024
CONNECT_TIMEOUT_SECONDS = 5.0
# A server that has the request may be committing it; giving up early only means asking again.
ANSWER_TIMEOUT_SECONDS = 30.0
# A wait is cut into pieces of this length, between which the caller looks after its source.
WAIT_SLICE_SECONDS = 0.5

_PREFIX, _SUFFIX = b'{"events":[', b"]}"
_INDEX = re.compile(r"events\[(\d+)\]")


@dataclasses.dataclass(frozen=True, slots=True)
class PendingEvent:
    """One event as it will go over the wire, with its event_id in it, and which input line it was."""

    body: bytes
    line_number: int


class SenderReport(Protocol):
    """Hears how the delivery goes."""

    def delivered(self, count: int) -> None: ...

    def left_out(self, event: PendingEvent, reason: str) -> None:
        """The server will never take this event."""

    def retrying(self, reason: str) -> None:
        """A try failed; the same batch will be sent again."""

    def waiting(self, seconds: float) -> None:
        """So long until the next try; said again and again."""


@dataclasses.dataclass(frozen=True)
class Delivered:
    pass


@dataclasses.dataclass(frozen=True)
class TryLater:
    """A passing trouble; the server asked for `least_seconds`."""

    reason: str
    least_seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class LeaveOut:
    """These events of the batch are refused, each for its reason; the others were not looked at."""

    reasons: Mapping[int, str]


@dataclasses.dataclass(frozen=True)
class Halve:
    """Something in the batch is refused, and the answer does not say what."""

    reason: str


Verdict = Delivered | TryLater | LeaveOut | Halve


def verdict_on(answer: httpx.Response, *, batch_size: int) -> Verdict:
    """What an answer means for a batch of so many events. Raises ServerRefused when no other try can help."""
    status = answer.status_code
    if status in (200, 201):
        return Delivered()
    if status == 429 or status >= 500:
        asked_seconds = retry_after_seconds(answer.headers.get("Retry-After"), now=datetime.datetime.now(datetime.UTC))
        return TryLater(problem_text(answer), asked_seconds)
    if status in (400, 409, 413, 422):
        if reasons := _refused_events(answer, batch_size):
            return LeaveOut(reasons)
        return Halve(problem_text(answer)) if batch_size > 1 else LeaveOut({0: problem_text(answer)})
    raise ServerRefused(answer)


def _refused_events(answer: httpx.Response, batch_size: int) -> dict[int, str]:
    """Index to problem, from the `errors` of a validation_error; empty when the answer names no event."""
    try:
        errors = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return {}
    reasons: dict[int, str] = {}
    for name, problem in errors.items() if isinstance(errors, dict) else ():
        found = _INDEX.match(name)
        if found and int(found[1]) < batch_size:
            reasons[int(found[1])] = (
                f"{name}: {'; '.join(map(str, problem if isinstance(problem, list) else [problem]))}"
            )
    return reasons


class FeedSender:
    """Sends batches, one after the other; `send` returns when each event is in the log or was left out.

    `wait(seconds)` sleeps, or less; `look_after` is called again and again while the server is away.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        report: SenderReport,
        wait: Callable[[float], object],
        look_after: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._client = httpx.Client(
            base_url=url,
            mounts=DIRECT_MOUNTS,
            headers={"X-VX11-Token": token, "Content-Type": "application/json"},
            timeout=httpx.Timeout(ANSWER_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
        )
        self._report = report
        self._wait = wait
        self._look_after = look_after
        self._backoff = backoff or Backoff()

    def send(self, events: Sequence[PendingEvent]) -> None:
        """Raises ServerRefused when the server will take nothing from us (401, 403, no such address)."""
        # Halves go back to the front, so that the order stays.
        batches = collections.deque(_within_limits(events))
        while batches:
            batch = batches.popleft()
            match self._ask(batch):
                case Delivered():
                    self._backoff.reset()
                    self._report.delivered(len(batch))
                case TryLater(reason, least_seconds):
                    batches.appendleft(batch)
                    self._pause(reason, least_seconds)
                case Halve():
                    middle = len(batch) // 2
                    batches.extendleft((batch[middle:], batch[:middle]))
                case LeaveOut(reasons):
                    for index, reason in sorted(reasons.items()):
                        self._report.left_out(batch[index], reason)
                    if rest := [event for index, event in enumerate(batch) if index not in reasons]:
                        batches.appendleft(rest)

    def close(self) -> None:
        self._client.close()

    def _ask(self, batch: Sequence[PendingEvent]) -> Verdict:
        body = _PREFIX + b",".join(event.body for event in batch) + _SUFFIX
        try:
            answer = self._client.post(EVENTS_PATH, content=body)
        except httpx.RequestError as error:
            # Also after the request went out: whether it arrived is not known, and need not be.
            return TryLater(str(error) or type(error).__name__)
        return verdict_on(answer, batch_size=len(batch))

    def _pause(self, reason: str, least_seconds: float) -> None:
        seconds = self._backoff.next_seconds(least_seconds=least_seconds)
        self._report.retrying(reason)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._report.waiting(left)
            self._look_after()
            self._wait(min(left, WAIT_SLICE_SECONDS))


def _within_limits(events: Sequence[PendingEvent]) -> list[Sequence[PendingEvent]]:
    batches: list[list[PendingEvent]] = [[]]
    size_bytes = 0
    for event in events:
        size_bytes += len(event.body) + 1
        if batches[-1] and (size_bytes > BATCH_LIMIT_BYTES or len(batches[-1]) >= BATCH_LIMIT_EVENTS):
            batches.append([])
            size_bytes = len(event.body) + 1
        batches[-1].append(event)
    return [batch for batch in batches if batch]


def encoded(event: Mapping[str, object], *, event_id: str, line_number: int) -> PendingEvent:
    """The event ready to be sent; one that brought an event_id keeps it."""
    return PendingEvent(exact_json.dumps({"event_id": event_id, **event}), line_number)
