"""From the log to the hub: receives new events soon, and finds by itself those that no message brought.

Three ways lead here, and all may fail without losing an event: this process's own commits (at once), the channel
layer (other processes' commits), and a comparison with the log's head every second, which finds the rest.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import Coroutine
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings

from events import log, metrics, search
from events.log import Cursor, CursorGone, Entry, Head
from events.stream.hub import Hub
from events.stream.peers import Peers
from gateway.filters import EVERYTHING
from ledger import clock
from ledger.faults import LedgerUnavailable
from ledger.per_loop import PerLoop
from ledger.reader import reader

logger = logging.getLogger(__name__)

TIP_CHECK_SECONDS = 1.0
# Events that readers have got and that are not noted yet go unnoticed if a crash and a restored raw copy take them.
MARK_SECONDS = 0.2
# Messages may overtake each other; a gap is worth reading from the log only if it does not close by itself.
GAP_PATIENCE_SECONDS = 0.01
# The log may show an event before the message that brings it arrives.
COMPARISON_PATIENCE_SECONDS = 0.1
# Entries that came before their turn; more, and the log is read at once.
EARLY_LIMIT_ENTRIES = 1_000
# The end of the log that a starting relay reads, less if the events are large.
WARM_LIMIT_ENTRIES = 3_000
RETRY_SECONDS = 1.0
STOP_WAIT_SECONDS = 0.2


class Relay:
    """The one reader of the log that a process's streams share. Belongs to one event loop."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._behind = asyncio.Event()
        # True: the log must be read. False: only if the gap before the early entries does not close soon.
        self._must_read = False
        self._early: list[list[Entry]] = []
        self._others: Peers | None = None
        self._noted: Cursor | None = None
        # Of the database that held the log when its head was read last.
        self._incarnation = ""
        self._starting = asyncio.Lock()

    def is_running(self) -> bool:
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def start(self) -> None:
        """Begin at the head of the log; does nothing when running. Raises LedgerUnavailable."""
        if self.is_running():
            return
        async with self._starting:
            if self.is_running():
                return
            await self.stop()
            # To begin a new epoch if the log went back. Where the log ends is read again below, with its last entries.
            await self._head(await self._mark())
            # Readers that were cut off when the process before this one ended come back now, and need not read the log.
            page = await reader.run(search.read_newest, EVERYTHING, limit=WARM_LIMIT_ENTRIES)
            self.hub.reset(page.head, page.entries)
            self._incarnation = page.head.incarnation
            self._loop = asyncio.get_running_loop()
            log.on_append(self.committed)
            log.ask_before_append(self._seen)
            work: list[Coroutine[Any, Any, None]] = [self._heal(), self._watch(), self._keep_mark()]
            layer = get_channel_layer()
            # In-process there are no other processes.
            self._others = None if isinstance(layer, InMemoryChannelLayer) else Peers(layer, self._received)
            if self._others is not None:
                work += self._others.work()
            # In a context of their own: their log lines are not about the request that started the relay.
            self._tasks = [asyncio.create_task(coroutine, context=contextvars.Context()) for coroutine in work]

    async def stop(self) -> None:
        ending = set(self._tasks)
        self._tasks = []
        while ending:
            for task in ending:
                task.cancel()
            # A cancellation can get lost in the Redis client while it connects: then it is repeated.
            _, ending = await asyncio.wait(ending, timeout=STOP_WAIT_SECONDS)

    def _seen(self) -> Cursor:
        """Called in the thread that appends."""
        return self.hub.cursor

    def nudge(self) -> None:
        """A reader, or a message, is ahead of the hub: read the log."""
        self._must_read = True
        self._behind.set()

    def committed(self, epoch: str, entries: list[Entry]) -> None:
        """This process committed; called in the thread that did."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._committed, epoch, entries)

    def _committed(self, epoch: str, entries: list[Entry]) -> None:
        self._take(epoch, entries)
        if self._others is not None and self._tasks:
            self._others.publish(epoch, entries)

    def _take(self, epoch: str, entries: list[Entry]) -> None:
        if epoch != self.hub.epoch:
            self.nudge()
        elif self.hub.accept(entries):
            self._take_early()
        elif sum(map(len, self._early)) + len(entries) <= EARLY_LIMIT_ENTRIES:
            # Messages of several processes overtake each other; those before these may be on their way.
            self._early.append(entries)
            self._behind.set()
        else:
            self.nudge()

    def _take_early(self) -> None:
        """Give the hub what came before its turn, as far as its turn has come."""
        early, self._early = sorted(self._early, key=lambda entries: entries[0].seq), []
        self._early = [entries for entries in early if not self.hub.accept(entries)]

    def _received(self, epoch: str, entries: list[Entry] | None) -> None:
        """Another process committed these; None if its message does not hold them."""
        if entries is None:
            self.nudge()
        else:
            self._take(epoch, entries)

    async def _watch(self) -> None:
        """Compare with the head of the log every second."""
        while True:
            await asyncio.sleep(TIP_CHECK_SECONDS)
            try:
                await self._compare_head(self.hub.cursor)
            except LedgerUnavailable:
                # Those that read or write log this; here it would be logged every second.
                continue
            except Exception:
                # A table may be away for a moment while a dump is restored. Nothing would start this task again.
                logger.exception("the head of the log cannot be read")

    async def _keep_mark(self) -> None:
        """Note outside the database how far the log goes. Apart from _watch, which must not wait for Redis."""
        while True:
            await asyncio.sleep(MARK_SECONDS)
            await self.note_position()

    async def note_position(self) -> None:
        """Note how far the log goes, every MARK_SECONDS and at the end. Errors are logged; the next turn retries."""
        seen = self.hub.cursor
        if seen == self._noted or not seen.epoch:
            return
        try:
            furthest = await reader.run(log.advance_watermark, seen)
            if furthest != seen:
                # Another process is ahead, or the log was restored while the mark could not be read.
                await self._compare_head(furthest)
            self._noted = seen
        except Exception as error:  # noqa: BLE001 - a file, or a cache that raises what its backend raises
            logger.warning("how far the log goes cannot be noted: %s", type(error).__name__)

    async def _mark(self) -> Cursor | None:
        try:
            return await reader.run(log.read_watermark)
        except LedgerUnavailable:
            # Redis hangs; streams and publishing go on without it.
            logger.warning("the mark of how far the log goes cannot be read in time")
            return None

    async def _compare_head(self, seen: Cursor) -> None:
        head = await self._head(seen)
        if head.incarnation != self._incarnation:
            before, self._incarnation = self._incarnation, head.incarnation
            if before:
                await self._compare_memory()
        metrics.LOG_HEAD.set(head.last_seq)
        metrics.LOG_OLDEST.set(head.oldest_seq)
        metrics.LOG_RETENTION_ROWS.set(settings.EVENT_RETENTION_ROWS)
        # Prometheus compares it with its own time of day.
        metrics.COMPARED_AT.set(time.time())
        if head.epoch == self.hub.epoch and head.last_seq > self.hub.seq:
            await asyncio.sleep(COMPARISON_PATIENCE_SECONDS)
        here = self.hub.cursor
        behind = max(0, head.last_seq - here.seq) if head.epoch == here.epoch else 1
        metrics.RELAY_LAG_EVENTS.set(behind)
        if behind:
            self._find_gap()

    def _find_gap(self) -> None:
        """The log has events that no message brought."""
        metrics.GAPS_FOUND.labels("look").inc()
        self.nudge()
        if self._others is not None:
            self._others.resubscribe()

    async def _head(self, seen: Cursor | None) -> Head:
        """The head of the log; of a new epoch, if it was put back to an older state since that was seen of it.

        Then cursors out there mean other events now.
        """
        head = await reader.run(log.head)
        if seen is None or not head.is_behind(seen):
            return head
        return await reader.run(log.check_against, seen)

    async def _compare_memory(self) -> None:
        """Another database holds the log now and kept the epoch: compare its last events with those in memory.

        It may not, where commits waited for a standby: one whose wait was broken off was seen here all the same.
        """
        epoch, memory = self.hub.epoch, self.hub.memory
        kept = {entry.seq: entry.body for entry in memory}
        seq = min(kept, default=self.hub.seq + 1) - 1
        while seq < max(kept, default=0):
            try:
                page = await reader.run(log.read_after, Cursor(epoch, seq), EVERYTHING)
            except CursorGone:
                # Readers have got a reset already, or this is so old that no reader can come back to it.
                return
            if any(kept.get(entry.seq, entry.body) != entry.body for entry in page.entries):
                await reader.run(log.give_up, Cursor(epoch, max(kept)))
                return
            seq = page.cursor.seq

    async def _heal(self) -> None:
        """Whenever something is missing, wait a moment, then read it from the log, once for all streams."""
        while True:
            await self._behind.wait()
            await asyncio.sleep(GAP_PATIENCE_SECONDS)
            self._behind.clear()
            if not self._must_read and not self._early:
                continue
            if not self._must_read:
                metrics.GAPS_FOUND.labels("message").inc()
            self._must_read = False
            try:
                before = self.hub.cursor
                await self._catch_up()
                if self.hub.cursor != before:
                    metrics.GAPS_HEALED.inc()
                self._take_early()
                self._early.clear()
            except Exception as error:
                # Any error: without this task no gap is ever closed again.
                logger.warning("the log cannot be read: %s", error, exc_info=not isinstance(error, LedgerUnavailable))
                await asyncio.sleep(RETRY_SECONDS)
                self.nudge()

    async def _catch_up(self) -> None:
        while True:
            try:
                page = await reader.run(log.read_after, self.hub.cursor, EVERYTHING)
            except CursorGone:
                # It may have been restored to an older state, and only this process may have seen more of it.
                self.hub.reset(await self._head(self.hub.cursor))
                return
            if page.head.epoch != self.hub.epoch:
                # The hub was given another log while this page was read.
                return
            if not self.hub.accept(page.entries) or self.hub.seq < page.cursor.seq:
                # Rows were deleted in the middle of the log; streams read on from their cursors, after the hole.
                self.hub.reset(page.head)
            if page.caught_up:
                return


# The relay of this process.
the_relay = PerLoop(lambda: Relay(Hub(time_of_day=lambda: clock.now().timestamp())))
