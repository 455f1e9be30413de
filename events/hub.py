"""Fan-out inside one process: every event is taken once, in order, and written to each subscriber that may see it.

No Django, no I/O of its own, one event loop. Subscribers with the same selection form a group: filter, encoding and
bookkeeping are done once for a group, so that for each of its members only the write is left.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence

from events import metrics, sse
from events.cursors import Cursor, Head
from events.entries import Entry
from gateway import tracing
from gateway.filters import Selection

# What a reader who comes back is given at once. Each such chunk is a copy of its own, so many readers must not hold
# much each; what is left they get when they have taken this.
CATCH_UP_LIMIT_BYTES = 256 * 1024
# Recent events kept so that readers who come back need not read the log: the last few seconds of a busy one.
RECENT_LIMIT_BYTES = 4 * 1024 * 1024
# When it is quiet, an event goes out at once. Under load, events of this time are joined into one write: longer when
# there are so many readers that writing to all of them would take more than its share of the process.
TICK_SECONDS = 0.02
LONGEST_TICK_SECONDS = 0.1
WRITING_SHARE = 0.25

# Takes a chunk; False if the reader cannot take more for now.
Write = Callable[[bytes], bool]


class Subscriber:
    """One stream's place in the hub. While it is live the hub writes to it; else its stream reads on by itself."""

    __slots__ = ("_bytes", "_cursor", "_events", "_group", "_waiting", "end_reason", "selection", "write")

    def __init__(self, selection: Selection, cursor: Cursor, write: Write) -> None:
        self.selection = selection
        self.write = write
        self.end_reason = ""
        self._cursor = cursor
        self._group: Group | None = None
        self._events = 0
        self._bytes = 0
        self._waiting: asyncio.Future[None] | None = None

    @property
    def live(self) -> bool:
        return self._group is not None

    @property
    def cursor(self) -> Cursor:
        """Everything up to here was written."""
        return self._cursor if self._group is None else self._group.cursor

    @property
    def events_sent(self) -> int:
        return self._events if self._group is None else self._events + self._group.events

    @property
    def bytes_sent(self) -> int:
        return self._bytes if self._group is None else self._bytes + self._group.bytes

    def wrote(self, size_bytes: int, *, events: int = 0, cursor: Cursor | None = None) -> None:
        """Count what the stream itself has written; a cursor is its new position, which only the hub moves if live."""
        self._bytes += size_bytes
        self._events += events
        if cursor is not None:
            self._cursor = cursor

    def end(self, reason: str) -> None:
        """Ask the stream's task to say goodbye; the first reason stands, and nothing more is written until then."""
        self.end_reason = self.end_reason or reason
        self.step_back()

    async def stepped_back(self) -> None:
        """Until the subscriber is live no more."""
        if self._group is not None:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def go_live(self, group: "Group") -> None:
        self._group = group
        # A member has what the group had since it came: so the hub counts once for all.
        self._events -= group.events
        self._bytes -= group.bytes
        group.members.add(self)

    def step_back(self) -> None:
        """Be live no more: keep only the cursor, until the stream joins again."""
        if self._group is not None:
            group, self._group = self._group, None
            group.members.discard(self)
            self._cursor = group.cursor
            self._events += group.events
            self._bytes += group.bytes
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(None)


class Group:
    """The live subscribers with one selection, and what was written to each of them since the group began."""

    __slots__ = ("bytes", "cursor", "events", "members", "selection")

    def __init__(self, selection: Selection, cursor: Cursor) -> None:
        self.selection = selection
        self.cursor = cursor
        self.members: set[Subscriber] = set()
        self.events = 0
        self.bytes = 0

    def write(self, chunk: bytes, *, events: int, cursor: Cursor) -> int:
        """To every member; to how many. Who cannot take more steps back, and neither holds memory nor delays others."""
        self.cursor = cursor
        if not chunk:
            return 0
        streams = len(self.members)
        self.events += events
        self.bytes += len(chunk)
        full = [member for member in self.members if not member.write(chunk)]
        for member in full:
            member.step_back()
        return streams


def _unbroken(entries: Sequence[Entry], last_seq: int) -> Sequence[Entry]:
    """Those at the end that lead up to the seq without a hole: a log that was restored may have holes."""
    start = len(entries)
    while start and entries[start - 1].seq == last_seq - (len(entries) - start):
        start -= 1
    return entries[start:]


class Hub:
    """The subscribers of one process, and the position up to which they have been given everything."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, time_of_day: Callable[[], float] = time.time
    ) -> None:
        """`time_of_day` is of the clock by which events are dated: seconds since 1970."""
        self.epoch = ""
        self.seq = 0
        self._clock = clock
        self._time_of_day = time_of_day
        self._groups: dict[Selection, Group] = {}
        self._recent: deque[Entry] = deque()
        self._recent_bytes = 0
        self._due: list[Entry] = []
        self._quiet_until = float("-inf")
        self._advanced: set[asyncio.Future[None]] = set()

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.epoch, self.seq)

    @property
    def subscribers(self) -> list[Subscriber]:
        """The live ones."""
        return [subscriber for group in self._groups.values() for subscriber in group.members]

    def reset(self, head: Head, recent: Sequence[Entry] = ()) -> None:
        """Stand at the head of a log, whose last entries are `recent`. Live subscribers step back and read it."""
        self.epoch, self.seq = head.epoch, head.last_seq
        self._due.clear()
        self._recent.clear()
        self._recent_bytes = 0
        self._remember(_unbroken(recent, head.last_seq))
        for subscriber in self.subscribers:
            subscriber.step_back()
        self._groups.clear()
        self.wake_pollers()

    def accept(self, entries: Sequence[Entry]) -> bool:
        """Take entries in seq order, leaving out those known. False if some are missing before or among them."""
        fresh = [entry for entry in entries if entry.seq > self.seq]
        if not fresh:
            return True
        if fresh[0].seq != self.seq + 1 or fresh[-1].seq != self.seq + len(fresh):
            return False
        self.seq = fresh[-1].seq
        self._remember(fresh)
        self.wake_pollers()
        if self._groups:
            self._schedule(fresh)
        return True

    def join(self, subscriber: Subscriber) -> bool:
        """Write what the subscriber misses and make it live; False if it must read on before, or take what it has.

        Nothing is awaited between the last chunk of history and the first live one, so none can fall between.
        """
        self.flush()
        missed, reached = self.recall(subscriber.cursor, subscriber.selection)
        if reached != self.cursor:
            return False
        if missed:
            chunk = sse.events(self.epoch, missed)
            subscriber.wrote(len(chunk), events=len(missed), cursor=reached)
            if not subscriber.write(chunk):
                return False
        group = self._groups.get(subscriber.selection)
        if group is None:
            self._drop_empty_groups()
            group = self._groups[subscriber.selection] = Group(subscriber.selection, reached)
        subscriber.go_live(group)
        return True

    def recall(self, cursor: Cursor, selection: Selection) -> tuple[list[Entry], Cursor | None]:
        """What comes next after the cursor, as far as it is at hand and not too much, and the cursor after it.

        That is None if the log must be asked.
        """
        if not self.remembers(cursor):
            return [], None
        matching: list[Entry] = []
        size_bytes = 0
        for entry in self._remembered_after(cursor):
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
        """Whether everything after the cursor is at hand, so that nobody need ask the log."""
        return cursor.epoch == self.epoch and 0 <= self.seq - cursor.seq <= len(self._recent)

    async def advanced(self) -> None:
        """Until the hub's position has moved, or somebody wakes the pollers."""
        future = asyncio.get_running_loop().create_future()
        self._advanced.add(future)
        try:
            await future
        finally:
            self._advanced.discard(future)

    def wake_pollers(self) -> None:
        """Let them look again, though nothing may have happened."""
        for future in self._advanced:
            if not future.done():
                future.set_result(None)

    def flush(self) -> None:
        """Write what is due to every group, each with one chunk."""
        if not self._due:
            return
        due, self._due = self._due, []
        began = self._clock()
        cursor = Cursor(self.epoch, due[-1].seq)
        streams = size_bytes = 0
        for group in list(self._groups.values()):
            matching = [entry for entry in due if entry.passes(group.selection)]
            chunk = sse.events(self.epoch, matching) if matching else b""
            written = group.write(chunk, events=len(matching), cursor=cursor)
            streams += written
            size_bytes += written * len(chunk)
        now = self._clock()
        pause = min((now - began) * (1 / WRITING_SHARE - 1), LONGEST_TICK_SECONDS)
        self._quiet_until = now + max(TICK_SECONDS, pause)
        metrics.PUBLISH_TO_WRITE_SECONDS.observe(max(0.0, self._time_of_day() - due[0].created_at))
        if tracing.tracer is not None:
            span = {"first_seq": due[0].seq, "last_seq": cursor.seq, "streams": streams, "size_bytes": size_bytes}
            tracing.tracer.wrote(self.epoch, **span, seconds=now - began)

    def _schedule(self, entries: list[Entry]) -> None:
        waiting = bool(self._due)
        self._due.extend(entries)
        if waiting:
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
