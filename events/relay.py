"""From the log to the hub: hears of new events soon, and finds by itself whatever it did not hear of.

Three ways lead here, and all may fail without losing an event: this process's own commits (at once), the channel
layer (other processes' commits), and a look at the log's head every second, which finds the rest.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from events import log, mark, metrics
from events.cursors import Cursor, CursorGone, Head
from events.entries import Entry
from events.hub import Hub
from gateway.filters import EVERYTHING
from ledger.faults import LedgerUnavailable
from ledger.reader import reader

logger = logging.getLogger(__name__)

GROUP = "events"
TIP_CHECK_SECONDS = 1.0
MARK_SECONDS = 1.0
# Wake-ups may overtake each other; a gap is worth reading from the log only if it does not close by itself.
GAP_PATIENCE_SECONDS = 0.01
# Entries on their way to other processes; when it is full they are dropped, and those find them in the log.
OUTBOX_LIMIT_ENTRIES = 5_000
# A message larger than this would only say what the log says better.
MESSAGE_LIMIT_BYTES = 512 * 1024
SEND_WAIT_SECONDS = 2.0
# The end of the log that a starting relay reads, less if the events are large.
WARM_LIMIT_ENTRIES = 3_000
# A subscription that the other side has forgotten looks like silence, so it is made anew when others' events come
# without a word; but not all the time, for other processes may just be unable to tell.
RESUBSCRIBE_SECONDS = 10.0
RETRY_SECONDS = 1.0
STOP_WAIT_SECONDS = 0.2


class Relay:
    """The one reader of the log that a process's streams share. Belongs to one event loop."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._id = uuid.uuid4().hex
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._behind = asyncio.Event()
        self._outbox: asyncio.Queue[tuple[str, list[Entry]]] = asyncio.Queue()
        self._outbox_entries = 0
        self._has_others = False
        self._subscribed_at = float("-inf")
        self._resubscribe = asyncio.Event()
        self._noted: Cursor | None = None
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
            head = await self._head(await self._mark())
            # Whoever was cut off when the process before this one ended comes back now, and need not read the log.
            page = await reader.run(log.read_newest, EVERYTHING, limit=WARM_LIMIT_ENTRIES)
            self.hub.reset(*((page.head, page.entries) if page.head.epoch == head.epoch else (head,)))
            self._loop = asyncio.get_running_loop()
            log.on_append(self.committed)
            work: list[Coroutine[Any, Any, None]] = [self._heal(), self._watch(), self._keep_mark()]
            # In-process there is nobody else to tell.
            self._has_others = not isinstance(get_channel_layer(), InMemoryChannelLayer)
            if self._has_others:
                work += [self._listen(), self._send()]
            self._tasks = [asyncio.create_task(coroutine) for coroutine in work]

    async def stop(self) -> None:
        ending = set(self._tasks)
        self._tasks = []
        while ending:
            for task in ending:
                task.cancel()
            # A cancellation can get lost in the Redis client while it connects: then it is said again.
            _, ending = await asyncio.wait(ending, timeout=STOP_WAIT_SECONDS)

    def nudge(self) -> None:
        """Somebody has seen more of the log than the hub: catch up now."""
        self._behind.set()

    def committed(self, epoch: str, entries: list[Entry]) -> None:
        """This process committed; called in the thread that did."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._committed, epoch, entries)

    def _committed(self, epoch: str, entries: list[Entry]) -> None:
        self._take(epoch, entries)
        if not self._has_others or not self._tasks:
            return
        if self._outbox_entries + len(entries) > OUTBOX_LIMIT_ENTRIES:
            metrics.TELLING_FAILED.inc()
            return
        self._outbox.put_nowait((epoch, entries))
        self._outbox_entries += len(entries)

    def _take(self, epoch: str, entries: list[Entry]) -> None:
        if epoch != self.hub.epoch or not self.hub.accept(entries):
            metrics.GAPS_FOUND.labels("message").inc()
            self._behind.set()

    async def _send(self) -> None:
        """Tell other processes; what cannot be told they will find in the log."""
        layer = get_channel_layer()
        while True:
            epoch, entries = await self._outbox.get()
            self._outbox_entries -= len(entries)
            message = {"type": "events.appended", "from": self._id, "epoch": epoch, "seq": entries[-1].seq}
            if sum(len(entry.body) for entry in entries) <= MESSAGE_LIMIT_BYTES:
                message["entries"] = [list(entry) for entry in entries]
            try:
                async with asyncio.timeout(SEND_WAIT_SECONDS):
                    await layer.group_send(GROUP, message)
            except Exception as error:  # noqa: BLE001 - a channel layer raises what its backend raises
                metrics.TELLING_FAILED.inc()
                logger.warning("other processes could not be told of new events: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        """Hear what other processes committed. The subscription is made anew whenever it breaks."""
        layer = get_channel_layer()
        while True:
            channel = ""
            try:
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                self._subscribed_at = time.monotonic()
                await self._hear(layer, channel)
                metrics.RESUBSCRIPTIONS.inc()
                await layer.group_discard(GROUP, channel)
            except Exception as error:  # noqa: BLE001 - as above
                logger.warning("cannot hear of other processes' events: %s", type(error).__name__)
                # Else the layer would go on filling a queue that nobody empties any more.
                with contextlib.suppress(Exception):
                    await layer.group_discard(GROUP, channel)
                await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self, layer: Any, channel: str) -> None:
        """Take what comes, until the subscription is to be made anew."""
        self._resubscribe.clear()
        renewal = asyncio.create_task(self._resubscribe.wait())
        receiving = asyncio.create_task(layer.receive(channel))
        try:
            while not renewal.done():
                await asyncio.wait([receiving, renewal], return_when=asyncio.FIRST_COMPLETED)
                if receiving.done():
                    self._heard(receiving.result())
                    receiving = asyncio.create_task(layer.receive(channel))
        finally:
            for task in (receiving, renewal):
                task.cancel()
            await asyncio.gather(receiving, renewal, return_exceptions=True)

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("from") == self._id:
            return
        entries = message.get("entries")
        if entries is None:
            self._behind.set()
        else:
            self._take(message["epoch"], [Entry(*fields) for fields in entries])

    async def _watch(self) -> None:
        """Compare with the head of the log every second."""
        while True:
            await asyncio.sleep(TIP_CHECK_SECONDS)
            try:
                await self._look(self.hub.cursor)
            except LedgerUnavailable:
                # Whoever reads or writes says so; here it would be said every second.
                continue
            except Exception:
                # A table may be away for a moment while a dump is restored; nobody would start this task again.
                logger.exception("the head of the log cannot be read")

    async def _keep_mark(self) -> None:
        """Note outside the database how far the log goes. Apart from _watch, which must not wait for Redis."""
        while True:
            await asyncio.sleep(MARK_SECONDS)
            await self.note_position()

    async def note_position(self) -> None:
        """Note how far the log goes, once a second and at the end; failing is logged, and done again."""
        seen = self.hub.cursor
        if seen == self._noted or not seen.epoch:
            return
        try:
            furthest = await reader.run(mark.advance, seen)
            if furthest != seen:
                # Another process is ahead, or the log was restored while the mark could not be read.
                await self._look(furthest)
            self._noted = seen
        except Exception as error:  # noqa: BLE001 - a file, or a cache that raises what its backend raises
            logger.warning("how far the log goes cannot be noted: %s", type(error).__name__)

    async def _mark(self) -> Cursor | None:
        try:
            return await reader.run(mark.read)
        except LedgerUnavailable:
            # Redis hangs; streams and publishing go on without it.
            logger.warning("the mark of how far the log goes cannot be read in time")
            return None

    async def _look(self, seen: Cursor) -> None:
        head = await self._head(seen)
        metrics.LOG_HEAD.set(head.last_seq)
        metrics.LOG_OLDEST.set(head.oldest_seq)
        here = self.hub.cursor
        metrics.RELAY_LAG_EVENTS.set(max(0, head.last_seq - here.seq) if head.epoch == here.epoch else 0)
        # What came while the head was read is no gap.
        if head.epoch != here.epoch or head.last_seq > here.seq:
            self._find_gap()

    def _find_gap(self) -> None:
        """The log has events that nobody told us of."""
        metrics.GAPS_FOUND.labels("look").inc()
        self._behind.set()
        if time.monotonic() - self._subscribed_at >= RESUBSCRIBE_SECONDS:
            self._resubscribe.set()

    async def _head(self, seen: Cursor | None) -> Head:
        """The head of the log; of a new epoch, if the log ends before what somebody has seen of it.

        Then it was restored, and cursors out there mean other events now.
        """
        head = await reader.run(log.head)
        if seen is None or head.epoch != seen.epoch or head.last_seq >= seen.seq:
            return head
        head = await reader.run(log.start_new_epoch, if_behind=seen)
        if head.epoch != seen.epoch:
            logger.error("the log went back to an older state; it now has the epoch %s", head.epoch)
        return head

    async def _heal(self) -> None:
        """Whenever something is missing, wait a moment, then read it from the log, once for all streams."""
        while True:
            await self._behind.wait()
            await asyncio.sleep(GAP_PATIENCE_SECONDS)
            self._behind.clear()
            try:
                before = self.hub.cursor
                await self._catch_up()
                if self.hub.cursor != before:
                    metrics.GAPS_HEALED.inc()
            except Exception as error:
                # Whatever it is, without this task no gap is ever closed again.
                logger.warning("the log cannot be read: %s", error, exc_info=not isinstance(error, LedgerUnavailable))
                await asyncio.sleep(RETRY_SECONDS)
                self._behind.set()

    async def _catch_up(self) -> None:
        while True:
            try:
                page = await reader.run(log.read_after, self.hub.cursor, EVERYTHING)
            except CursorGone as gone:
                self.hub.reset(gone.head)
                return
            if page.head.epoch != self.hub.epoch:
                # The hub was given another log while this page was read.
                return
            if not self.hub.accept(page.entries) or self.hub.seq < page.cursor.seq:
                # Rows were deleted in the middle of the log; readers find their way around the hole by themselves.
                self.hub.reset(page.head)
            if page.caught_up:
                return


_relay: Relay | None = None


def the_relay() -> Relay:
    """This process's relay, made in the loop that first asks. In tests each loop gets its own."""
    global _relay  # one for the process, and the process knows it only when its loop runs
    loop = asyncio.get_running_loop()
    if _relay is None or (_relay._loop is not None and _relay._loop is not loop):
        _relay = Relay(Hub())
    return _relay
