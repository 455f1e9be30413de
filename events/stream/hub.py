"""Fan-out inside one process: every event is taken once, in order, and written to each subscriber that may see it.

No Django, no I/O of its own, one event loop. Subscribers with the same selection form a group: filter, encoding and
bookkeeping are done once for a group, so that for each of its members only the write is left.
"""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Sequence

from events import metrics
from events.log import Cursor, Entry, Head
from events.stream import sse
from events.stream.subscribers import TURN_STREAMS, Group, Subscriber
from gateway import tracing
from gateway.filters import Selection
from ledger.uptime import uptime_seconds

# A reader that comes back gets at most this in one chunk. Each such chunk is a copy of its own, so it must be small for
# many readers; they get the rest when they have taken it.
CATCH_UP_LIMIT_BYTES = 256 * 1024
# Recent events kept so that readers who come back need not read the log: the last few seconds of a busy one.
RECENT_LIMIT_BYTES = 4 * 1024 * 1024
# More of them are not held against a query here, because all others would wait: the log is read in a thread.
QUERIED_LIMIT_BYTES = 128 * 1024
# When it is quiet, an event goes out at once. Under load, events of this time are joined into one write: longer when
# there are so many readers that writing to all of them would take more than its share of the process. That is told from
# the CPU it took: where other programs keep the machine busy, a clock shows waits, which joining would make longer.
TICK_SECONDS = 0.02
LONGEST_TICK_SECONDS = 0.1
WRITING_SHARE = 0.25


def _nothing() -> None:
    pass


async def _one_of(waiting: set[asyncio.Future[None]]) -> None:
    """Wait until _resolve() is called for these."""
    future = asyncio.get_running_loop().create_future()
    waiting.add(future)
    try:
        await future
    finally:
        waiting.discard(future)


def _resolve(waiting: set[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


def _unbroken(entries: Sequence[Entry], last_seq: int) -> Sequence[Entry]:
    """Those at the end that lead up to the seq without a hole: a log that was restored may have holes."""
    start = len(entries)
    while start and entries[start - 1].seq == last_seq - (len(entries) - start):
        start -= 1
    return entries[start:]


class Hub:
    """The subscribers of one process, and the position up to which they have been given everything."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        work_clock: Callable[[], float] = time.thread_time,
        time_of_day: Callable[[], float] = time.time,
    ) -> None:
        """Seconds of clocks: one that waits go by, one of the CPU that this thread takes, and the one by which events
        are dated, since 1970."""
        # One object, because the thread that appends reads it while this one moves it.
        self.cursor = Cursor("", 0)
        # Up to when, in uptime_seconds(), it is known what the subscribers may see. The keeper of the streams moves
        # it on all the time. Without a keeper, as in tests of the hub alone, it never ends.
        self.trusted_until = math.inf
        # Called when something waits because rights are not known.
        self.on_hold: Callable[[], None] = _nothing
        self._trusted_again: set[asyncio.Future[None]] = set()
        self._clock = clock
        self._work_clock = work_clock
        self._time_of_day = time_of_day
        self._groups: dict[Selection, Group] = {}
        self._recent: deque[Entry] = deque()
        self._recent_bytes = 0
        self._due: list[Entry] = []
        self._quiet_until = float("-inf")
        self._advanced: set[asyncio.Future[None]] = set()
        self._wanted: dict[Selection, set[asyncio.Future[None]]] = {}

    @property
    def epoch(self) -> str:
        return self.cursor.epoch

    @property
    def seq(self) -> int:
        return self.cursor.seq

    @property
    def subscribers(self) -> list[Subscriber]:
        """The live ones."""
        return [subscriber for group in self._groups.values() for subscriber in group.members]

    def reset(self, head: Head, recent: Sequence[Entry] = ()) -> None:
        """Stand at the head of a log, whose last entries are `recent`. Live subscribers step back and read it."""
        self.cursor = head.newest
        self._recent.clear()
        self._recent_bytes = 0
        self._remember(_unbroken(recent, head.last_seq))
        self._step_all_back()
        self.wake_pollers()

    def accept(self, entries: Sequence[Entry]) -> bool:
        """Take entries in seq order, leaving out those known. False if some are missing before or among them."""
        epoch, seq = self.cursor
        fresh = [entry for entry in entries if entry.seq > seq]
        if not fresh:
            return True
        if fresh[0].seq != seq + 1 or fresh[-1].seq != seq + len(fresh):
            return False
        self.cursor = Cursor(epoch, fresh[-1].seq)
        self._remember(fresh)
        _resolve(self._advanced)
        views = [entry.view() for entry in fresh] if self._wanted else []
        for selection, waiting in self._wanted.items():
            if any(entry.passes(selection, view) for entry, view in zip(fresh, views, strict=True)):
                _resolve(waiting)
        if self._groups:
            self._schedule(fresh)
        return True

    def join(self, subscriber: Subscriber) -> bool:
        """Write what the subscriber misses and make it live; False if it must read on before, or take what it has, or
        wait until rights are known.

        Nothing is awaited between the last chunk of history and the first live one, so none can fall between.
        """
        self.flush()
        if not self.may_write():
            return False
        missed, reached = self.recall(subscriber.cursor, subscriber.selection)
        if reached != self.cursor:
            return False
        if missed:
            chunk = sse.events(self.epoch, missed)
            subscriber.wrote(len(chunk), events=len(missed))
            subscriber.move_to(reached)
            if not subscriber.write(chunk):
                return False
        group = self._groups.get(subscriber.selection)
        if group is None:
            self._drop_empty_groups()
            group = self._groups[subscriber.selection] = Group(subscriber.selection, reached)
        subscriber.go_live(group)
        return True

    def recall(self, cursor: Cursor, selection: Selection) -> tuple[list[Entry], Cursor | None]:
        """What comes next after the cursor, as far as it is in memory and not too much, and the cursor after it.

        The cursor is None if the log must be read.
        """
        if not self.remembers(cursor):
            return [], None
        after = self._remembered_after(cursor)
        if selection.queries and sum(len(entry.body) for entry in after) > QUERIED_LIMIT_BYTES:
            return [], None
        matching: list[Entry] = []
        size_bytes = 0
        for entry in after:
            if entry.passes(selection):
                size_bytes += len(entry.body)
                if size_bytes > CATCH_UP_LIMIT_BYTES and matching:
                    return matching, Cursor(self.epoch, matching[-1].seq)
                matching.append(entry)
        return matching, self.cursor

    @property
    def memory(self) -> list[Entry]:
        """The last entries up to the hub's position, without a hole."""
        return list(self._recent)

    def remembers(self, cursor: Cursor) -> bool:
        """Whether everything after the cursor is in memory, so that the log need not be read."""
        return cursor.epoch == self.epoch and 0 <= self.seq - cursor.seq <= len(self._recent)

    async def advanced(self) -> None:
        """Until the hub's position has moved, or all who wait are woken."""
        await _one_of(self._advanced)

    async def matched(self, selection: Selection) -> None:
        """Until an entry comes that passes, or all who wait are woken."""
        waiting = self._wanted.setdefault(selection, set())
        try:
            await _one_of(waiting)
        finally:
            if not waiting:
                self._wanted.pop(selection, None)

    def wake_pollers(self) -> None:
        """Let them check again, though no event may have come."""
        _resolve(self._advanced)
        for waiting in self._wanted.values():
            _resolve(waiting)

    def may_write(self) -> bool:
        """Whether it is known what the subscribers may see: checked wherever events are written, and not by a timer."""
        return uptime_seconds() < self.trusted_until

    def trust(self, until: float) -> None:
        """The rights of all subscribers were checked and count until then: what was held back is written."""
        self.trusted_until = until
        _resolve(self._trusted_again)
        self.flush()

    def distrust(self) -> None:
        """Nothing more until it is known what the subscribers may see. They step back meanwhile."""
        self.trusted_until = float("-inf")
        self._step_all_back()

    async def trusted(self) -> None:
        """Until rights have been checked."""
        self.on_hold()
        await _one_of(self._trusted_again)

    def flush(self) -> None:
        """Write what is due to every group, each with one chunk; or hold it while rights are not known."""
        if not self._due:
            return
        if not self.may_write():
            self._hold()
            return
        due, self._due = self._due, []
        began, work_began = self._clock(), self._work_clock()
        cursor = Cursor(self.epoch, due[-1].seq)
        streams = size_bytes = unchecked = 0
        may_write = self.may_write
        # What queries read of an event is shared by all groups, and forgotten with this turn.
        views = [entry.view() for entry in due]
        for group in list(self._groups.values()):
            unchecked += len(group.members)
            if unchecked > TURN_STREAMS:
                unchecked = 0
                if not may_write():
                    # The process stood still in the middle of it: the other streams read these events by themselves.
                    self._step_all_back()
                    break
            matching = [entry for entry, view in zip(due, views, strict=True) if entry.passes(group.selection, view)]
            chunk = sse.events(self.epoch, matching) if matching else b""
            written = group.write(chunk, len(matching), cursor, may_write)
            streams += written
            size_bytes += written * len(chunk)
        now = self._clock()
        pause = min((self._work_clock() - work_began) * (1 / WRITING_SHARE - 1), LONGEST_TICK_SECONDS)
        self._quiet_until = now + max(TICK_SECONDS, pause)
        metrics.PUBLISH_TO_WRITE_SECONDS.observe(max(0.0, self._time_of_day() - due[0].created_at))
        if tracing.tracer is not None:
            span = {"first_seq": due[0].seq, "last_seq": cursor.seq, "streams": streams, "size_bytes": size_bytes}
            tracing.tracer.wrote(self.epoch, **span, seconds=now - began)

    def _hold(self) -> None:
        """Keep what is due until rights are known, as long as it takes no memory: it is among the recent entries."""
        if self.seq - self._due[0].seq >= len(self._recent):
            self._step_all_back()
        self.on_hold()

    def _step_all_back(self) -> None:
        for subscriber in self.subscribers:
            subscriber.step_back()
        self._groups.clear()
        self._due.clear()

    def _schedule(self, entries: list[Entry]) -> None:
        waiting = bool(self._due)
        self._due.extend(entries)
        if waiting:
            if not self.may_write():
                self._hold()
            return
        pause = self._quiet_until - self._clock()
        if pause <= 0:
            self.flush()
        else:
            asyncio.get_running_loop().call_later(pause, self.flush)

    def _remembered_after(self, cursor: Cursor) -> list[Entry]:
        return list(itertools.islice(reversed(self._recent), self.seq - cursor.seq))[::-1]

    def _remember(self, entries: Sequence[Entry]) -> None:
        self._recent.extend(entries)
        self._recent_bytes += sum(len(entry.body) for entry in entries)
        while self._recent_bytes > RECENT_LIMIT_BYTES:
            self._recent_bytes -= len(self._recent.popleft().body)

    def _drop_empty_groups(self) -> None:
        # Only when a new one is made: a group whose single member steps back and returns need not be made anew.
        self._groups = {selection: group for selection, group in self._groups.items() if group.members}
