"""Publish events from an asyncio program. No Django.

async with AsyncPublisher("https://operator.example.org", token) as publisher:
    done = await publisher.publish({"event_type": "backup.done", "summary": "all tables saved"})
    await publisher.submit({"event_type": "row.read", "summary": "number 1"})
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

import httpx2

from vx11_client.backoff import Backoff
from vx11_client.errors import NotDelivered, Published, PublisherClosed, QueueFull, Refused
from vx11_client.http_answers import ServerRefused
from vx11_client.publishing.background import CLOSED_TEXT
from vx11_client.publishing.delivery import EVENTS_PATH, Delivery, PendingEvent, checked, client_options
from vx11_client.publishing.pending_queue import QUEUE_LIMIT_BYTES, QUEUE_LIMIT_EVENTS, PendingQueue
from vx11_client.publishing.publisher import (
    CLOSE_SECONDS,
    GIVE_UP_AFTER_SECONDS,
    LINGER_SECONDS,
    RefusedEvents,
    WhenFull,
    checked_when_full,
    deadline_after,
    fields_of,
    gave_up,
    settled,
)
from vx11_client.server_access import checked_token, server_url


class AsyncPublisher:
    """As Publisher, for one event loop: the same arguments, promises and exceptions; its methods are awaited.

    Any call may be cancelled. Whether a cancelled publish() has stored its event is not known: give the event an
    `event_id` of your own if you want to publish it again.
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
        self._linger_seconds = linger_seconds
        self._close_seconds = close_seconds
        self._backoff = backoff
        self._client = httpx2.AsyncClient(**client_options(url=server_url(url), token=checked_token(token)))
        self._queue = PendingQueue(limit_events=queue_events, limit_bytes=queue_bytes)
        self._outcome = RefusedEvents(on_refused)
        self._changed = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._flush_goal = 0
        self._flushes = 0
        self._closed = False
        self.dropped_count = 0
        """Events that submit() dropped because the queue was full."""

    @property
    def delivered_count(self) -> int:
        """Submitted events that are durable in the log."""
        return self._outcome.delivered_count

    @property
    def refused_count(self) -> int:
        """Submitted events that the server refused."""
        return self._outcome.refused_count

    async def publish(self, event: Mapping[str, object]) -> Published:
        """Returns when the event is durable. Raises as publish_many()."""
        return (await self.publish_many([event]))[0]

    async def publish_many(self, events: Iterable[Mapping[str, object]]) -> list[Published]:
        """As Publisher.publish_many()."""
        self._check_open()
        delivery = Delivery([checked(event) for event in events], backoff=self._backoff())
        deadline = deadline_after(self._give_up_after_seconds)
        while (body := delivery.next_body()) is not None:
            if wait_seconds := await self._try(delivery, body):
                if self._closed or time.monotonic() + wait_seconds > deadline:
                    raise gave_up(delivery)
                await asyncio.sleep(wait_seconds)
        return settled(delivery)

    async def submit(self, event: Mapping[str, object]) -> str:
        """As Publisher.submit()."""
        self._check_open()
        pending = checked(event)
        taken = self._offer(pending)
        if not taken and self._when_full == "wait":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._give_up_after_seconds):
                    while not (taken := self._offer(pending)):
                        await self._change()
        if not taken and self._when_full == "drop":
            self.dropped_count += 1
        elif not taken:
            raise QueueFull("the queue is full: the server is away, or slower than this program")
        return pending.event_id

    async def flush(self, *, timeout_seconds: float | None = None) -> None:
        """As Publisher.flush()."""
        goal = self._flush_goal = self._queue.taken_count
        self._flushes += 1
        self._notify()
        try:
            async with asyncio.timeout(timeout_seconds):
                while self._queue.settled_count < goal:
                    self._raise_if_over()
                    await self._change()
        except TimeoutError:
            raise NotDelivered("the time of flush() was over", events=fields_of(self._queue.events())) from None
        self._outcome.raise_kept()

    async def aclose(self) -> None:
        """As Publisher.close()."""
        if self._closed:
            return
        try:
            with contextlib.suppress(NotDelivered):
                await self.flush(timeout_seconds=self._close_seconds)
        finally:
            self._closed = True
            await self._stop()
        if left := self._queue.events():
            reason = f"the time of aclose() was over ({self._close_seconds:.0f} s)"
            raise NotDelivered(reason, events=fields_of(left))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        except Exception as problem:
            # The exception of the block says more; it must not be replaced.
            if error is None:
                raise
            error.add_note(f"Also, closing the publisher failed: {problem}")

    def _offer(self, pending: PendingEvent) -> bool:
        self._raise_if_over()
        if not self._queue.offer(pending):
            return False
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send())
            # It ends only by a refusal or a cancellation, which those that wait for a change must see.
            self._sending.add_done_callback(lambda _task: self._notify())
        self._notify()
        return True

    async def _send(self) -> None:
        backoff = self._backoff()
        while True:
            while not self._queue:
                await self._change()
            await self._linger()
            batch = self._queue.first_batch()
            delivery = Delivery(batch, backoff=backoff, report=self._outcome)
            while (body := delivery.next_body()) is not None:
                if wait_seconds := await self._try(delivery, body):
                    await self._wait_unless_flushed(wait_seconds)
            self._queue.settle(batch)
            self._notify()

    async def _try(self, delivery: Delivery, body: bytes) -> float:
        try:
            return delivery.answered(await self._client.post(EVENTS_PATH, content=body))
        except httpx2.RequestError as error:
            return delivery.failed(error)

    async def _linger(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._linger_seconds):
                while not self._queue.has_full_batch() and self._flush_goal <= self._queue.settled_count:
                    await self._change()

    async def _wait_unless_flushed(self, seconds: float) -> None:
        flushes = self._flushes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._flushes == flushes:
                    await self._change()

    def _notify(self) -> None:
        """Wakes all that wait in _change(); the next ones wait for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        await self._changed.wait()

    def _raise_if_over(self) -> None:
        if self._sending is None or not self._sending.done():
            return
        if self._sending.cancelled():
            raise PublisherClosed(CLOSED_TEXT)
        if (error := self._sending.exception()) is not None:
            raise error

    async def _stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ServerRefused):
                await self._sending
        await self._client.aclose()

    def _check_open(self) -> None:
        if self._closed:
            raise PublisherClosed(CLOSED_TEXT)
