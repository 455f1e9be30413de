"""Publish events from a program with threads. No Django.

with Publisher("https://operator.example.org", token) as publisher:
    done = publisher.publish({"event_type": "backup.done", "summary": "all tables saved"})  # waits until durable
    publisher.submit({"event_type": "row.read", "summary": "number 1"})  # returns at once, sent in batches
"""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self

import httpx2

from vx11_client.backoff import Backoff
from vx11_client.errors import (
    EventsRefused,
    InvalidSettings,
    NotDelivered,
    Published,
    PublisherClosed,
    QueueFull,
    Refused,
)
from vx11_client.publishing.background import CLOSED_TEXT, BackgroundDelivery, BackgroundReport
from vx11_client.publishing.delivery import EVENTS_PATH, Delivery, PendingEvent, checked
from vx11_client.publishing.pending_queue import QUEUE_LIMIT_BYTES, QUEUE_LIMIT_EVENTS, PendingQueue
from vx11_client.server_access import checked_token, server_url

WhenFull = Literal["wait", "raise", "drop"]
GIVE_UP_AFTER_SECONDS = 60.0
CLOSE_SECONDS = 30.0
# After a flush in vain, a request may still be under way.
JOIN_SECONDS = 1.0
LINGER_SECONDS = 0.2
# Of refused events that no function takes, so many are kept for the exception of flush(); all are counted.
REFUSED_KEPT = 100


def checked_when_full(when_full: WhenFull) -> WhenFull:
    """Raises InvalidSettings: callers without a type check may pass any text."""
    if when_full not in ("wait", "raise", "drop"):
        raise InvalidSettings(f"when_full is wait, raise or drop, and not {when_full!r}")
    return when_full


def deadline_after(seconds: float | None) -> float:
    """By the monotonic clock; without end for None."""
    return math.inf if seconds is None else time.monotonic() + seconds


class Publisher:
    """Publishes to one server, safe for use by many threads.

    `url` is the address of the server, with the path in front of `/operator/` if it has one; `token` a service token
    with `events:publish`. An event is a mapping with the fields of `POST /operator/api/events`: `event_type` and
    `summary` are required, `severity`, `module`, `payload`, `correlation_id`, `occurred_at` and `event_id` are not.

    Each event has an `event_id` before its first try and keeps it, so that the server stores it once, however often an
    answer is lost. Tries are repeated with growing, random waits, and never sooner than `Retry-After`.

    publish() and publish_many() wait until the events are durable, at most `give_up_after_seconds` (None: without end).
    submit() puts an event into a queue of `queue_events` events and `queue_bytes` bytes, which a thread sends in order,
    for as long as it takes; a batch waits `linger_seconds` for more events. `when_full` says what happens then: `wait`
    for room (at most `give_up_after_seconds`, then QueueFull), `raise` QueueFull, or `drop` the new event and
    count it in `dropped_count`. Events that the server refuses go to `on_refused(refused)`, which is called in that
    thread; without it, the next flush() raises them as EventsRefused.

    Leaving the `with` block flushes. Raises InvalidSettings.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        give_up_after_seconds: float | None = GIVE_UP_AFTER_SECONDS,
        queue_events: int = QUEUE_LIMIT_EVENTS,
        queue_bytes: int = QUEUE_LIMIT_BYTES,
        when_full: WhenFull = "wait",
        linger_seconds: float = LINGER_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
        on_refused: Callable[[Refused], None] | None = None,
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._give_up_after_seconds = give_up_after_seconds
        self._when_full = checked_when_full(when_full)
        self._close_seconds = close_seconds
        self._backoff = backoff
        self._closed = threading.Event()
        self._outcome = RefusedEvents(on_refused)
        self._background = BackgroundDelivery(
            url=server_url(url),
            token=checked_token(token),
            queue=PendingQueue(limit_events=queue_events, limit_bytes=queue_bytes),
            report=self._outcome,
            linger_seconds=linger_seconds,
            backoff=backoff(),
        )

    @property
    def delivered_count(self) -> int:
        """Submitted events that are durable in the log."""
        return self._outcome.delivered_count

    @property
    def refused_count(self) -> int:
        """Submitted events that the server refused."""
        return self._outcome.refused_count

    @property
    def dropped_count(self) -> int:
        """Events that submit() dropped because the queue was full."""
        return self._background.dropped_count

    def publish(self, event: Mapping[str, object]) -> Published:
        """Returns when the event is durable. Raises as publish_many()."""
        return self.publish_many([event])[0]

    def publish_many(self, events: Iterable[Mapping[str, object]]) -> list[Published]:
        """Returns when all events are durable, in their order. Requests hold 500 events and 4 MiB at most.

        Raises InvalidEvent before anything is sent; EventsRefused after the other events were stored; NotDelivered
        when the time was over; ServerRefused when the token or the address is wrong; PublisherClosed.
        """
        self._check_open()
        delivery = Delivery([checked(event) for event in events], backoff=self._backoff())
        deadline = deadline_after(self._give_up_after_seconds)
        while (body := delivery.next_body()) is not None:
            try:
                wait_seconds = delivery.answered(self._background.client.post(EVENTS_PATH, content=body))
            except httpx2.RequestError as error:
                wait_seconds = delivery.failed(error)
            if not wait_seconds:
                continue
            if time.monotonic() + wait_seconds > deadline:
                raise gave_up(delivery)
            if self._closed.wait(wait_seconds):
                raise gave_up(delivery)
        return settled(delivery)

    def submit(self, event: Mapping[str, object]) -> str:
        """Puts the event into the queue and returns its event_id. A later change of `event` changes nothing.

        Raises InvalidEvent, QueueFull, ServerRefused (of an earlier event, and then of all), PublisherClosed.
        """
        self._check_open()
        pending = checked(event)
        if self._when_full == "wait":
            taken = self._background.put(pending, timeout_seconds=self._give_up_after_seconds)
        else:
            taken = self._background.offer(pending)
        if not taken and self._when_full == "drop":
            self._background.count_dropped()
        elif not taken:
            raise QueueFull("the queue is full: the server is away, or slower than this program")
        return pending.event_id

    def flush(self, *, timeout_seconds: float | None = None) -> None:
        """Returns when everything that was submitted before is settled; tries at once what waits for its next try.

        Raises NotDelivered when the time was over (the events stay in the queue), EventsRefused, ServerRefused.
        """
        if not self._background.flush(timeout_seconds=timeout_seconds):
            raise NotDelivered("the time of flush() was over", events=fields_of(self._background.waiting()))
        self._outcome.raise_kept()

    def close(self) -> None:
        """Flushes for `close_seconds` and ends the thread. Raises as flush(); NotDelivered has what was not sent."""
        if self._closed.is_set():
            return
        try:
            with contextlib.suppress(NotDelivered):
                self.flush(timeout_seconds=self._close_seconds)
        finally:
            self._closed.set()
            left = self._background.close(join_seconds=JOIN_SECONDS)
        if left:
            reason = f"the time of close() was over ({self._close_seconds:.0f} s)"
            raise NotDelivered(reason, events=fields_of(left))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as problem:
            # The exception of the block says more; it must not be replaced.
            if error is None:
                raise
            error.add_note(f"Also, closing the publisher failed: {problem}")

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise PublisherClosed(CLOSED_TEXT)


class RefusedEvents(BackgroundReport):
    """Counts what becomes of submitted events, and keeps the refused ones until a flush raises them."""

    def __init__(self, on_refused: Callable[[Refused], None] | None) -> None:
        self._on_refused = on_refused
        self._kept: list[Refused] = []
        self.delivered_count = 0
        self.refused_count = 0

    def delivered(self, count: int) -> None:
        self.delivered_count += count

    def left_out(self, event: PendingEvent, reason: str) -> None:
        self.refused_count += 1
        refused = Refused(event.fields(), reason)
        if self._on_refused:
            try:
                self._on_refused(refused)
            except Exception:
                # The fault of one function must not keep the other events from being sent.
                logging.getLogger("vx11_client").exception("on_refused failed")
        elif len(self._kept) < REFUSED_KEPT:
            self._kept.append(refused)

    def raise_kept(self) -> None:
        """Raises EventsRefused with what was refused since the last call, if anything was."""
        kept, self._kept = self._kept, []
        if kept:
            raise EventsRefused(kept, [])


def gave_up(delivery: Delivery) -> NotDelivered:
    """The exception for a delivery whose time is over."""
    return NotDelivered(
        delivery.trouble,
        events=fields_of(delivery.open_events()),
        published=delivery.published,
        refused=delivery.refused,
    )


def settled(delivery: Delivery) -> list[Published]:
    """What a delivery that has come to its end published. Raises EventsRefused."""
    if delivery.refused:
        raise EventsRefused(delivery.refused, delivery.published)
    return delivery.published


def fields_of(events: Iterable[PendingEvent]) -> list[dict[str, Any]]:
    """What was to be sent, as it can be published again."""
    return [event.fields() for event in events]
