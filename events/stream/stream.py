"""One event stream's life: opening, history, live, end. Writes bytes, knows nothing of HTTP."""

import asyncio
import contextlib
import dataclasses
import random
import time
from collections.abc import Callable, Coroutine
from datetime import datetime

from django.conf import settings

from events import log, metrics, search
from events.log import Cursor, CursorGone, Page, timestamp
from events.stream import sse
from events.stream.hub import CATCH_UP_LIMIT_BYTES
from events.stream.relay import Relay
from events.stream.subscribers import Subscriber
from events.stream.transport import Transport
from gateway.filters import Selection
from gateway.http.authentication import Caller
from gateway.identity.principals import InvalidCredential, Principal, Snapshot
from ledger import clock
from ledger.faults import LedgerUnavailable
from ledger.reader import reader, replays, searches

# Streams that open together must not end together: their clients would come back together.
MAX_AGE_JITTER = 0.2
# How long a stream waits before it asks again: for a database that is away, or a hub that is behind.
PAUSE_SECONDS = 1.0
# A reader that takes nothing at all for so long is not slow, but gone or stuck. Its kernel may take a little for a
# second or so after it stopped; all in all it is gone after ten.
STALL_LIMIT_SECONDS = 7.0
STALL_CHECK_SECONDS = 0.5
# A reader whose stream ends may take so long for what it was given before.
END_WAIT_SECONDS = 2.0


class Stalled(Exception):
    """The reader takes nothing at all."""


@dataclasses.dataclass(frozen=True, slots=True)
class StreamOpening:
    """What a reader was admitted to. `ticket_id` is empty for a principal token in a header.

    `on_first_byte` is called when the first bytes were written.
    """

    principal: Principal
    ticket_id: str
    selection: Selection
    caller: Caller
    follow: bool
    on_first_byte: Callable[[], None] = lambda: None


class Stream:
    """One reader. `prepare` may fail, and the client gets an error; after it, `run` lasts until the end."""

    __slots__ = (
        "_checked",
        "_ends_at",
        "_expires_at",
        "_heartbeat_due",
        "_keep_alives",
        "_transport",
        "_page",
        "_relay",
        "_reset",
        "_start",
        "_subscriber",
        "opened_at",
        "opening",
        "stream_id",
    )

    def __init__(self, opening: StreamOpening, relay: Relay, transport: Transport) -> None:
        self.opening = opening
        # Given when the ticket is redeemed, which is the last thing that can fail.
        self.stream_id = ""
        self.opened_at: datetime = clock.now()
        self._relay = relay
        self._transport = transport
        self._subscriber = Subscriber(opening.selection, relay.hub.cursor, transport.write)
        self._page: Page | None = None
        self._reset: CursorGone | None = None
        # Where reading begins: "now", "recent" (what the hub remembers), "log", or "reset".
        self._start = "now"
        self._keep_alives = 0
        now = time.monotonic()
        self._heartbeat_due = now + settings.HEARTBEAT_SECONDS
        spread = random.uniform(1 - MAX_AGE_JITTER, 1 + MAX_AGE_JITTER)
        self._ends_at = now + settings.STREAM_MAX_AGE_SECONDS * spread
        self._checked: Snapshot | None = None
        self._expires_at = opening.principal.expires_at

    @property
    def events_sent(self) -> int:
        return self._subscriber.events_sent

    @property
    def bytes_sent(self) -> int:
        return self._subscriber.bytes_sent

    @property
    def held_bytes(self) -> int:
        return self._transport.held_bytes

    @property
    def cursor(self) -> Cursor:
        return self._subscriber.cursor

    @property
    def end_reason(self) -> str:
        return self._subscriber.end_reason

    def end(self, reason: str) -> None:
        self._subscriber.end(reason)

    def _is_ending(self) -> bool:
        """Asked anew after every wait: others end a stream."""
        return bool(self._subscriber.end_reason)

    async def prepare(self, cursor: Cursor | None) -> None:
        """Find out where reading begins, while refusing is still possible. Raises LedgerUnavailable."""
        if cursor is None:
            # Another process may have committed events that the hub has not received yet: those are not "from now".
            self._subscriber.move_to((await reader.run(log.head)).newest)
            return
        self._subscriber.move_to(cursor)
        if self._relay.hub.remembers(cursor):
            self._start = "recent"
            return
        try:
            self._page, self._start = await self._read(), "log"
        except CursorGone as gone:
            self._reset, self._start = gone, "reset"
            self._subscriber.move_to(gone.head.newest)

    async def run(self) -> bool:
        """Everything from the first byte to `stream-end`; False if the reader did not take that.

        Cancelled when the client goes away.
        """
        metrics.STREAMS_OPENED.labels(self._start).inc()
        if self._reset is not None:
            metrics.STREAMS_RESET.labels(self._reset.reset).inc()
        try:
            await self._serve()
        except Stalled:
            self.end("slow_consumer")
            self._transport.abandon()
        except BaseException:
            self._transport.abandon()
            raise
        finally:
            self._subscriber.step_back()
        self._put(sse.end(self.end_reason))
        return await self._transport.close()

    async def _serve(self) -> None:
        self._put(self._opening_chunk())
        self.opening.on_first_byte()
        await self._go_live(first=True)
        while not self._is_ending():
            # Meanwhile the hub writes, and this task costs nothing.
            await self._subscriber.stepped_back()
            if not self._is_ending():
                metrics.FELL_BEHIND.inc()
                await self._go_live()
        if self.end_reason == "end_of_log":
            await self._drained()
            return
        try:
            # A reader whose time or rights are over cannot stay on by reading slowly.
            async with asyncio.timeout(END_WAIT_SECONDS):
                await self._drained()
        except TimeoutError:
            raise Stalled from None

    def tick(self, now: float, snapshot: Snapshot | None) -> None:
        """Once a second: a heartbeat if it is due, the end if its time or its rights are over."""
        if now >= self._ends_at:
            self.end("max_age")
        if self._expires_at is not None and self._expires_at <= clock.now():
            self.end("expired")
        if snapshot is not None:
            self.check_rights(snapshot)
        if now >= self._heartbeat_due:
            # First, because it may find that this reader is too far behind; its cursor must not move then.
            self._relay.hub.flush()
            if self._subscriber.live:
                self._heartbeat_due = now + settings.HEARTBEAT_SECONDS
                self._put(self._next_heartbeat())

    def check_rights(self, snapshot: Snapshot) -> None:
        """End when the principal may not read any more, or not as much as when the stream was opened."""
        if snapshot is self._checked:
            return
        self._checked = snapshot
        if self.stream_id in snapshot.ended_streams:
            self.end("disconnected_by_admin")
        opened_as = self.opening.principal
        try:
            principal = snapshot.still(opened_as)
        except InvalidCredential as refused:
            self.end("expired" if refused.why == "expired" else "revoked")
            return
        self._expires_at = principal.expires_at
        if "events:read" not in principal.scopes:
            self.end("revoked")
        elif principal.selection != opened_as.selection:
            # Whether it is more or less now: a client that comes back gets what the principal may see.
            self.end("rights_changed")

    def _put(self, chunk: bytes, *, events: int = 0, cursor: Cursor | None = None) -> None:
        """Write, and be live no more if the reader cannot take it; one that is not live must have drained before.

        Callers that wait for the reader after this must not keep the chunk: it is all the memory that a slow reader
        costs.
        """
        self._subscriber.wrote(len(chunk), events=events)
        if cursor is not None:
            self._subscriber.move_to(cursor)
        if chunk and not self._transport.write(chunk):
            self._subscriber.step_back()

    async def _drained(self) -> None:
        """Until the reader has taken what is held for it. Raises Stalled if it takes nothing any more."""
        taken_bytes, taken_at = self._transport.taken_bytes, time.monotonic()
        while self._transport.held_bytes:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STALL_CHECK_SECONDS):
                    await self._transport.drained()
            now = time.monotonic()
            if self._transport.taken_bytes != taken_bytes:
                taken_bytes, taken_at = self._transport.taken_bytes, now
            elif self._transport.held_bytes and now - taken_at >= STALL_LIMIT_SECONDS:
                raise Stalled

    async def _go_live(self, *, first: bool = False) -> None:
        """Read on from the cursor until the hub can take over; the first time, write `caught-up` then."""
        before = self.events_sent
        while not self._is_ending():
            await self._drained()
            if time.monotonic() >= self._heartbeat_due:
                # History may take long, or wait for a database that is away: heartbeats show that the server is there.
                self._heartbeat_due = time.monotonic() + settings.HEARTBEAT_SECONDS
                self._put(self._next_heartbeat())
                await self._drained()
            if self._is_ending():
                return
            hub = self._relay.hub
            if not hub.may_write():
                await self._wait(hub.trusted())
            elif self._page is None and self.opening.follow and hub.join(self._subscriber):
                if first:
                    metrics.REPLAYED_EVENTS.observe(self.events_sent - before)
                    self._put(sse.caught_up(self.cursor))
                return
            else:
                await self._replay()

    async def _replay(self) -> None:
        """Write what comes next from the hub's memory, or read it from the log: it is written in the next turn, when
        rights have been checked again."""
        if self._page is not None:
            page, self._page = self._page, None
            self._put(sse.events(page.cursor.epoch, page.entries), events=len(page.entries), cursor=page.cursor)
            if page.caught_up:
                await self._caught_up()
            return
        if self.opening.follow:
            entries, reached = self._relay.hub.recall(self.cursor, self.opening.selection)
            if reached is not None:
                self._put(sse.events(reached.epoch, entries), events=len(entries), cursor=reached)
                return
        try:
            self._page = await self._read()
        except LedgerUnavailable:
            await asyncio.sleep(PAUSE_SECONDS)
        except CursorGone as gone:
            metrics.STREAMS_RESET.labels(gone.reset).inc()
            self._put(sse.reset(gone), cursor=gone.head.newest)

    def _opening_chunk(self) -> bytes:
        opening = sse.opening(
            self.stream_id,
            self.cursor,
            heartbeat_seconds=settings.HEARTBEAT_SECONDS,
            time=timestamp(clock.now()),
        )
        return opening if self._reset is None else opening + sse.reset(self._reset)

    def _next_heartbeat(self) -> bytes:
        self._keep_alives += 1
        return sse.heartbeat(self._keep_alives - 1, self.cursor, time=timestamp(clock.now()))

    async def _read(self) -> Page:
        """From the lane of searches if there is a query: others, who only catch up, do not wait for it."""
        who, selection = self.opening.principal.public_id, self.opening.selection
        lane = replays if selection.queries is None else searches
        return await lane.run_for(who, search.read_after, self.cursor, selection, size_limit_bytes=CATCH_UP_LIMIT_BYTES)

    async def _caught_up(self) -> None:
        """At the end of the log: the stream ends there, or waits for the hub to come as far."""
        hub = self._relay.hub
        if not self.opening.follow:
            self.end("end_of_log")
        elif hub.epoch != self.cursor.epoch or hub.seq < self.cursor.seq:
            self._relay.nudge()
            await self._wait(hub.advanced())

    @staticmethod
    async def _wait(change: Coroutine[None, None, None]) -> None:
        """Wait for this, PAUSE_SECONDS at most: a reader that waits must get its heartbeats."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await change
