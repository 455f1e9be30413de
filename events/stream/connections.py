"""Who is connected: this process's open streams, their rows for the admin, and the task that keeps them all."""

import asyncio
import contextlib
import contextvars
import copy
import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta

from events import metrics
from events.models import Node, StreamSession
from events.stream import capacity
from events.stream.connection_rows import NODE_TOUCH_SECONDS, Presence, touch_node, write_many
from events.stream.relay import the_relay
from events.stream.stream import Stream
from gateway.http.errors import ApiError
from gateway.identity.principals import RIGHTS_LIMIT_SECONDS, Snapshot, directory
from gateway.shared_store.leases import Leases
from ledger import clock
from ledger.faults import LedgerUnavailable
from ledger.per_loop import PerLoop
from ledger.uptime import uptime_seconds
from ledger.writer import writer

logger = logging.getLogger("vx11.streams")

TICK_SECONDS = 1.0
# A stream that waits for rights need not wait for the next tick, but a slow database is not asked all the time.
MIN_PAUSE_SECONDS = 0.05
# Streams checked before other tasks get their turn: each may get a heartbeat, and there may be thousands.
TURN_STREAMS = 250
# From one stream's end to the next in a drain, at the most: a few streams end soon, many are spread over the time.
DRAIN_MAX_PAUSE_SECONDS = 0.05
# This share of a drain's time is for ending streams; the rest is for readers to take what is left for them.
DRAIN_SPREAD_SHARE = 0.8
DRAIN_CHECK_SECONDS = 0.05
# A Redis that hangs must not hold up the end.
NOTE_WAIT_SECONDS = 1.0


class Connections:
    """The open streams of one process. Belongs to one event loop."""

    def __init__(self) -> None:
        self.node = Node(name=f"{socket.gethostname()}:{os.getpid()}")
        self.leases = Leases(str(self.node.pk))
        # From then on no stream is opened here.
        self.draining = False
        self._opening = 0
        self._streams: set[Stream] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._hastened = asyncio.Event()
        self._looked_at: Snapshot | None = None
        self._touched_at = float("-inf")

    def start(self) -> None:
        """From now on report that this process is alive, and keep its streams."""
        if self._keeper is None or self._keeper.done():
            hub = the_relay().hub
            # Nothing is written before rights have been checked.
            hub.distrust()
            hub.on_hold = self._hastened.set
            # In a context of its own: what it logs is not about the request that opened the first stream.
            self._keeper = asyncio.create_task(self._keep(), context=contextvars.Context())

    def open(self, stream: Stream) -> None:
        self._streams.add(stream)
        self.leases.hold(stream.opening.principal.public_id)
        metrics.STREAMS_ACTIVE.set(len(self._streams))
        self.start()
        opening = stream.opening
        row = StreamSession(
            id=uuid.UUID(stream.stream_id),
            node=self.node.pk,
            principal_id=opening.principal.public_id,
            principal_name=opening.principal.name,
            ticket_id=opening.ticket_id,
            address=opening.caller.address,
            correlation_id=opening.caller.correlation_id,
            selection=opening.selection.as_json(),
            cursor=str(stream.cursor),
            opened_at=stream.opened_at,
        )
        if directory.known is not None:
            # It was admitted by rights that were read a moment ago, and the other streams may have been checked since.
            stream.check_rights(directory.known)
        self._touch()
        writer.write_behind(write_many, row)
        logger.info("stream opened stream=%s principal=%s", stream.stream_id, opening.principal.public_id)
        if self.draining:
            # The drain has begun while this one was being opened.
            stream.end("draining")

    def close(self, stream: Stream) -> None:
        """The stream is over: by its own end_reason, or else because the client went away."""
        self._streams.discard(stream)
        self.leases.give_back(stream.opening.principal.public_id)
        reason = stream.end_reason or "client_closed"
        metrics.STREAMS_ACTIVE.set(len(self._streams))
        metrics.STREAMS_ENDED.labels(reason).inc()
        metrics.EVENTS_SENT.inc(stream.events_sent)
        now = clock.now()
        row = {
            "id": uuid.UUID(stream.stream_id),
            "closed_at": now,
            "end_reason": reason,
            "events_sent": stream.events_sent,
            "bytes_sent": stream.bytes_sent,
        }
        writer.write_behind(write_many, row)
        logger.info(
            "stream closed stream=%s principal=%s seconds=%.1f events=%d bytes=%d reason=%s",
            stream.stream_id,
            stream.opening.principal.public_id,
            (now - stream.opened_at).total_seconds(),
            stream.events_sent,
            stream.bytes_sent,
            reason,
        )

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Room for one stream, kept while it is being opened: many may ask at once. Raises ApiError."""
        if self.draining:
            raise ApiError("draining")
        if len(self._streams) + self._opening >= capacity.stream_limit():
            raise ApiError("at_capacity")
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    async def drain(self, seconds: float) -> None:
        """End every stream, spread over the time, and wait until readers took the end of theirs; `seconds` in all."""
        self.draining = True
        metrics.DRAINING.set(1)
        the_relay().hub.wake_pollers()
        deadline = time.monotonic() + seconds
        await self._end_all_paced(seconds * DRAIN_SPREAD_SHARE)
        while (self._streams or self._opening) and time.monotonic() < deadline:
            metrics.DRAIN_STREAMS_LEFT.set(len(self._streams))
            await asyncio.sleep(DRAIN_CHECK_SECONDS)
        metrics.DRAIN_STREAMS_LEFT.set(len(self._streams))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NOTE_WAIT_SECONDS):
                await the_relay().note_position()

    async def _end_all_paced(self, seconds: float) -> None:
        """One stream after the other, in equal steps: clients that lose their streams together come back together."""
        ending = list(self._streams)
        pause = min(DRAIN_MAX_PAUSE_SECONDS, seconds / max(1, len(ending)))
        began = time.monotonic()
        for number, stream in enumerate(ending):
            early = began + number * pause - time.monotonic()
            if early > 0:
                metrics.DRAIN_STREAMS_LEFT.set(len(self._streams))
                await asyncio.sleep(early)
            stream.end("draining")

    async def _keep(self) -> None:
        """Check the streams once a second, and at once when something waits for their rights to be known."""
        while True:
            try:
                await self._watch()
            except Exception:
                # Without this task no stream would get a heartbeat or an end any more, and nothing would show that.
                logger.exception("the streams could not be looked after")
            await asyncio.sleep(min(MIN_PAUSE_SECONDS, TICK_SECONDS))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS - MIN_PAUSE_SECONDS):
                    await self._hastened.wait()
            self._hastened.clear()

    async def _watch(self) -> None:
        self._touch()
        hub = the_relay().hub
        snapshot: Snapshot | None = None
        with contextlib.suppress(LedgerUnavailable):
            # So fresh that it counts until after the next tick.
            snapshot = await directory.current(fresh_seconds=TICK_SECONDS / 2)
        trusted_until = min(directory.good_until, uptime_seconds() + RIGHTS_LIMIT_SECONDS)
        if snapshot is None:
            hub.distrust()
        elif snapshot is not self._looked_at:
            # Long polls check their rights too.
            self._looked_at = snapshot
            hub.wake_pollers()
        slow = held_bytes = 0
        for number, stream in enumerate(list(self._streams), 1):
            stream.tick(time.monotonic(), snapshot)
            held = stream.held_bytes
            slow, held_bytes = slow + bool(held), held_bytes + held
            if number % TURN_STREAMS == 0:
                await asyncio.sleep(0)
        if snapshot is not None:
            hub.trust(trusted_until)
        metrics.SLOW_READERS.set(slow)
        metrics.PENDING_BYTES.set(held_bytes)
        self.node.slow_readers, self.node.held_bytes = slow, held_bytes

    def _touch(self) -> None:
        now = time.monotonic()
        if now - self._touched_at >= NODE_TOUCH_SECONDS:
            self._touched_at = now
            writer.write_behind(touch_node, self._presence())

    def _presence(self) -> Presence:
        # By our clock, as the rows are, and as of now: a stream opened while this waits in the queue does not count,
        # nor one that is being opened and is not in the set yet.
        opened_before = clock.now() - timedelta(seconds=NODE_TOUCH_SECONDS)
        self.node.streams, self.node.draining = len(self._streams), self.draining
        return Presence(copy.copy(self.node), frozenset(stream.stream_id for stream in self._streams), opened_before)


# The open streams of this process.
the_connections = PerLoop(Connections)
