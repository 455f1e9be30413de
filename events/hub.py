"""Fan-out inside one process: every event is taken once, in order, and given to each subscriber that may see it.

No Django, no I/O, one event loop. Subscribers with the same selection form a group; the filter and the encoding
run once for a group, not for each of its members.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence

from events import sse
from events.cursors import Cursor, Head
from events.entries import Entry
from gateway.filters import Selection

# What may wait for one reader. Beyond, it keeps only its cursor and reads on from the log when it can.
PENDING_LIMIT_BYTES = 1024 * 1024
# Recent events kept so that readers who come back need not read the log: the last few seconds of a busy one.
RECENT_LIMIT_BYTES = 4 * 1024 * 1024
# Under load, events of this time are joined into one write; when it is quiet, an event goes out at once.
TICK_SECONDS = 0.02


class Subscriber:
    """One stream's inbox: chunks to write, and how it ends. The stream's task takes from it."""

    __slots__ = ("_pending", "_pending_bytes", "_woken", "cursor", "end_reason", "events_taken", "live", "selection")

    def __init__(self, selection: Selection, cursor: Cursor) -> None:
        self.selection = selection
        # Everything up to here was taken by the stream's task.
        self.cursor = cursor
        self.live = False
        self.end_reason = ""
        self.events_taken = 0
        self._pending: deque[tuple[bytes, int, int]] = deque()
        self._pending_bytes = 0
        self._woken = asyncio.Event()

    def push(self, chunk: bytes, seq: int, events: int) -> bool:
        """Add a chunk that brings the reader up to seq; False if it is too far behind to hold more."""
        if self._pending_bytes + len(chunk) > PENDING_LIMIT_BYTES and self._pending:
            return False
        self._pending.append((chunk, seq, events))
        self._pending_bytes += len(chunk)
        self._woken.set()
        return True

    def end(self, reason: str) -> None:
        """Ask the stream's task to say goodbye; the first reason stands."""
        self.end_reason = self.end_reason or reason
        self._woken.set()

    def fall_behind(self) -> None:
        """Drop what waits: it will be read from the log again."""
        self.live = False
        self._pending.clear()
        self._pending_bytes = 0
        self._woken.set()

    async def wait(self) -> None:
        """Until there is something to take, or the subscriber is no longer live, or it shall end."""
        await self._woken.wait()

    def take(self) -> bytes:
        """All that waits, as one chunk; the cursor moves behind it."""
        self._woken.clear()
        if not self._pending:
            return b""
        chunk = b"".join([chunk for chunk, _, _ in self._pending])
        self.cursor = Cursor(self.cursor.epoch, max(self.cursor.seq, self._pending[-1][1]))
        self.events_taken += sum(events for _, _, events in self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        return chunk


class Hub:
    """The subscribers of one process, and the position up to which they have been given everything."""

    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0
        self._groups: dict[Selection, set[Subscriber]] = {}
        self._recent: deque[Entry] = deque()
        self._recent_bytes = 0
        self._due: list[Entry] = []
        self._flushed_at = float("-inf")
        self._advanced: set[asyncio.Future[None]] = set()

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.epoch, self.seq)

    @property
    def subscribers(self) -> list[Subscriber]:
        return [subscriber for group in self._groups.values() for subscriber in group]

    def reset(self, head: Head) -> None:
        """Stand at the head of another log; live subscribers fall behind and will find out when they read."""
        self.epoch, self.seq = head.epoch, head.last_seq
        self._recent.clear()
        self._recent_bytes = 0
        self._due.clear()
        for subscriber in self.subscribers:
            self._drop(subscriber)
        self._wake_pollers()

    def accept(self, entries: Sequence[Entry]) -> bool:
        """Take entries in seq order, leaving out those known already. False if some before them are missing."""
        fresh = [entry for entry in entries if entry.seq > self.seq]
        if not fresh:
            return True
        if fresh[0].seq != self.seq + 1:
            return False
        self.seq = fresh[-1].seq
        self._remember(fresh)
        self._wake_pollers()
        if self._groups:
            self._schedule(fresh)
        return True

    def join(self, subscriber: Subscriber) -> bool:
        """Make the subscriber live, if what it misses is at hand; else it must read more of the log first.

        Nothing is awaited between the last chunk of history and the first live one, so none can fall between.
        """
        self.flush()
        if not self.remembers(subscriber.cursor):
            return False
        missed = list(itertools.islice(reversed(self._recent), self.seq - subscriber.cursor.seq))[::-1]
        matching = [entry for entry in missed if entry.passes(subscriber.selection)]
        # This chunk is the subscriber's own: many that come back at once must not hold that much each.
        if sum(len(entry.body) for entry in matching) > PENDING_LIMIT_BYTES:
            return False
        subscriber.live = True
        if matching and not subscriber.push(sse.events(self.epoch, matching), self.seq, len(matching)):
            subscriber.live = False
            return False
        self._groups.setdefault(subscriber.selection, set()).add(subscriber)
        return True

    def remembers(self, cursor: Cursor) -> bool:
        """Whether everything after the cursor is at hand, so that nobody need ask the log."""
        return cursor.epoch == self.epoch and 0 <= self.seq - cursor.seq <= len(self._recent)

    def leave(self, subscriber: Subscriber) -> None:
        subscriber.live = False
        group = self._groups.get(subscriber.selection)
        if group is not None:
            group.discard(subscriber)
            if not group:
                del self._groups[subscriber.selection]

    async def advanced(self) -> None:
        """Until the hub's position has moved."""
        future = asyncio.get_running_loop().create_future()
        self._advanced.add(future)
        try:
            await future
        finally:
            self._advanced.discard(future)

    def flush(self) -> None:
        """Give what is due to every group, each with one chunk."""
        if not self._due:
            return
        due, self._due = self._due, []
        self._flushed_at = time.monotonic()
        for selection, group in list(self._groups.items()):
            matching = [entry for entry in due if entry.passes(selection)]
            if not matching:
                continue
            chunk = sse.events(self.epoch, matching)
            for subscriber in list(group):
                if not subscriber.push(chunk, due[-1].seq, len(matching)):
                    self._drop(subscriber)

    def _schedule(self, entries: list[Entry]) -> None:
        waiting = bool(self._due)
        self._due.extend(entries)
        if waiting:
            return
        pause = self._flushed_at + TICK_SECONDS - time.monotonic()
        if pause <= 0:
            self.flush()
        else:
            asyncio.get_running_loop().call_later(pause, self.flush)

    def _drop(self, subscriber: Subscriber) -> None:
        # One slow reader must not hold memory, nor delay every other reader.
        self.leave(subscriber)
        subscriber.fall_behind()

    def _remember(self, entries: list[Entry]) -> None:
        self._recent.extend(entries)
        self._recent_bytes += sum(len(entry.body) for entry in entries)
        while self._recent_bytes > RECENT_LIMIT_BYTES:
            self._recent_bytes -= len(self._recent.popleft().body)

    def _wake_pollers(self) -> None:
        for future in self._advanced:
            if not future.done():
                future.set_result(None)
