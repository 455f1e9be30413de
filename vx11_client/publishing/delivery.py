"""Events on their way to a server: what to send next, and what each answer means. No I/O and no waiting.

The promise rests on the event_id: a batch whose answer was lost is sent again with the same ids, and the server
recognises them. So everything that may pass is tried again; only what the server refuses (422, 413) is left out, and
only a wrong credential or address ends the delivery.

    delivery = Delivery(events, backoff=Backoff())
    while (body := delivery.next_body()) is not None:
        try:
            wait_seconds = delivery.answered(client.post(EVENTS_PATH, content=body))
        except httpx2.RequestError as error:
            wait_seconds = delivery.failed(error)
        time.sleep(wait_seconds)
"""

import collections
import dataclasses
import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from vx11_client import exact_json
from vx11_client.backoff import Backoff, retry_after_seconds
from vx11_client.errors import InvalidEvent, Published, Refused
from vx11_client.event_ids import new_event_id
from vx11_client.http_answers import DIRECT_MOUNTS, ServerRefused, problem_text
from vx11_client.wire_limits import BATCH_LIMIT_EVENTS, EVENT_LIMIT_BYTES, REQUEST_LIMIT_BYTES

EVENTS_PATH = "/operator/api/events"
# A proxy in front of the server may count headers too.
BATCH_LIMIT_BYTES = REQUEST_LIMIT_BYTES - 16 * 1024
CONNECT_TIMEOUT_SECONDS = 5.0
# A server that has the request may be committing it; giving up early only means asking again.
ANSWER_TIMEOUT_SECONDS = 30.0

CONFLICT = 409

_PREFIX, _SUFFIX = b'{"events":[', b"]}"
_INDEX = re.compile(r"events\[([0-9]{1,6})\]")


@dataclasses.dataclass(frozen=True, slots=True)
class PendingEvent:
    """One event as it goes over the wire, with its event_id in it, and the number of its input line, if it has one.

    `is_repeatable`: the id names what the event was made of, and not its content; another content under it is no error.
    """

    body: bytes
    line_number: int = 0
    event_id: str = ""
    is_repeatable: bool = False

    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = exact_json.loads(self.body.decode())
        return found


def encoded(
    event: Mapping[str, object], *, event_id: str, line_number: int = 0, is_repeatable: bool = False
) -> PendingEvent:
    """The event ready to be sent; one that brought an event_id keeps it."""
    body = exact_json.dumps({"event_id": event_id, **event})
    return PendingEvent(body, line_number, is_repeatable=is_repeatable)


def checked(event: Mapping[str, object]) -> PendingEvent:
    """The event ready to be sent, with a new event_id unless it has one. Raises InvalidEvent.

    Checks what makes a request impossible (no JSON, no required field, too large); all else is the server's to judge.
    """
    for name in ("event_type", "summary"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise InvalidEvent(f"the event needs {name}, a text")
    event_id = str(event.get("event_id") or new_event_id())
    try:
        pending = PendingEvent(exact_json.dumps({**event, "event_id": event_id}), event_id=event_id)
    except TypeError as error:
        raise InvalidEvent(f"the event cannot be written as JSON: {error}") from None
    if len(pending.body) > EVENT_LIMIT_BYTES:
        raise InvalidEvent(
            f"the event has {len(pending.body)} bytes as JSON, and a server takes {EVENT_LIMIT_BYTES}: "
            "shorten its payload, or publish parts that share a correlation_id"
        )
    return pending


def client_options(*, url: str, token: str) -> dict[str, Any]:
    """Arguments of an httpx2.Client or httpx2.AsyncClient that publishes."""
    return {
        "base_url": url,
        "mounts": DIRECT_MOUNTS,
        "headers": {"X-VX11-Token": token, "Content-Type": "application/json"},
        "timeout": httpx2.Timeout(ANSWER_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
    }


class DeliveryReport:
    """Receives what happens to the events of a delivery. These methods do nothing; override those you need."""

    def delivered(self, count: int) -> None:
        """So many events are durable in the log."""

    def recognised(self, count: int) -> None:
        """So many of the events that are reported as delivered next were in the log before."""

    def known_otherwise(self, event: PendingEvent) -> None:
        """An event of the same id, which is_repeatable, and of other content is in the log."""

    def left_out(self, event: PendingEvent, reason: str) -> None:
        """The server will never take this event."""

    def retrying(self, reason: str) -> None:
        """A try failed; the same batch will be sent again."""


class Delivery:
    """The events of one call, in order and each once. `published` and `refused` grow as answers come."""

    def __init__(
        self, events: Sequence[PendingEvent], *, backoff: Backoff, report: DeliveryReport | None = None
    ) -> None:
        # Halves go back to the front, so that the order stays.
        self._batches = collections.deque(_within_limits(events))
        self._backoff = backoff
        self._report = report or DeliveryReport()
        self.published: list[Published] = []
        self.refused: list[Refused] = []
        self.trouble = ""
        """Why the last try failed; empty after a success."""

    def next_body(self) -> bytes | None:
        """The body of the next request; None when the server has said something about every event."""
        if not self._batches:
            return None
        return _PREFIX + b",".join(event.body for event in self._batches[0]) + _SUFFIX

    def open_events(self) -> list[PendingEvent]:
        """The events that no answer has settled, in order."""
        return [event for batch in self._batches for event in batch]

    def answered(self, answer: httpx2.Response) -> float:
        """Take the answer to the last body; returns the seconds to wait before the next request.

        Raises ServerRefused when no other try can help (401, 403, no such address).
        """
        status = answer.status_code
        if status in (200, 201):
            return self._delivered(answer)
        if status == 429 or status >= 500:
            now = datetime.datetime.now(datetime.UTC)
            asked_seconds = retry_after_seconds(answer.headers.get("Retry-After"), now=now)
            return self._later(problem_text(answer), least_seconds=asked_seconds)
        if status not in (400, 409, 413, 422):
            raise ServerRefused(answer)
        batch = self._batches.popleft()
        if reasons := _refused_events(answer, len(batch)):
            self._leave_out(batch, reasons)
        elif len(batch) > 1:
            # Something in the batch is refused, and the answer does not say what.
            middle = len(batch) // 2
            self._batches.extendleft((batch[middle:], batch[:middle]))
        elif status == CONFLICT and batch[0].is_repeatable:
            self._report.known_otherwise(batch[0])
        else:
            self._leave_out(batch, {0: problem_text(answer)})
        return 0.0

    def failed(self, error: httpx2.RequestError) -> float:
        """The request got no answer; returns the seconds to wait before the next one.

        Also after the request went out: whether it arrived is not known, and need not be.
        """
        return self._later(str(error) or type(error).__name__)

    def _delivered(self, answer: httpx2.Response) -> float:
        receipts = _receipts(answer, len(self._batches[0]))
        if receipts is None:
            # A sign-in page of a network, for example: the events are not in the log.
            return self._later(f"{answer.status_code}, but not the answer of a VX11 Operator server")
        self._batches.popleft()
        self._backoff.reset()
        self.trouble = ""
        self.published += receipts
        self._report.recognised(len(receipts) - _new_count(answer, len(receipts)))
        self._report.delivered(len(receipts))
        return 0.0

    def _later(self, reason: str, *, least_seconds: float = 0.0) -> float:
        self.trouble = reason
        self._report.retrying(reason)
        return self._backoff.next_seconds(least_seconds=least_seconds)

    def _leave_out(self, batch: Sequence[PendingEvent], reasons: Mapping[int, str]) -> None:
        for index, reason in sorted(reasons.items()):
            self._report.left_out(batch[index], reason)
            self.refused.append(Refused(batch[index].fields(), reason))
        if rest := [event for index, event in enumerate(batch) if index not in reasons]:
            self._batches.appendleft(rest)


def _receipts(answer: httpx2.Response, batch_size: int) -> list[Published] | None:
    """What a server says about a batch that it stored; None when the answer is not that of such a server."""
    try:
        body = answer.json()
        cursor, events = body["cursor"], body["events"]
        receipts = [Published(str(event["event_id"]), int(event["seq"]), str(cursor)) for event in events]
    except (ValueError, KeyError, TypeError):
        return None
    return receipts if len(receipts) == batch_size else None


def _new_count(answer: httpx2.Response, batch_size: int) -> int:
    """How many events of a batch were not in the log before. An older server says only whether there were any."""
    count = answer.json().get("new")
    if isinstance(count, int) and 0 <= count <= batch_size:
        return count
    return 0 if answer.status_code == 200 else batch_size


def _refused_events(answer: httpx2.Response, batch_size: int) -> dict[int, str]:
    """Index to problem, from the `errors` of a validation_error; empty when the answer names no event."""
    try:
        errors = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return {}
    reasons: dict[int, str] = {}
    for name, problem in errors.items() if isinstance(errors, dict) else ():
        found = _INDEX.match(name)
        if found and int(found[1]) < batch_size:
            problems = problem if isinstance(problem, list) else [problem]
            reasons[int(found[1])] = f"{name}: {'; '.join(map(str, problems))}"
    return reasons


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
