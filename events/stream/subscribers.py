"""Who is written to: one stream's place in the hub, and the group of those that see the same. No Django, no I/O."""

import asyncio
import logging
from collections.abc import Callable, Collection

from events.log import Cursor
from gateway.filters import Selection

logger = logging.getLogger(__name__)

# Streams that are written to between two checks whether their rights are still known.
TURN_STREAMS = 250

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

    def wrote(self, size_bytes: int, *, events: int = 0) -> None:
        """Count what the stream itself has written."""
        self._bytes += size_bytes
        self._events += events

    def move_to(self, cursor: Cursor) -> None:
        """Everything up to here was written, or is not to be. Only the hub moves a live subscriber."""
        if self._group is not None:
            raise RuntimeError("the position of a live subscriber is its group's")
        self._cursor = cursor

    def end(self, reason: str) -> None:
        """Ask the stream's task to end it; the first reason stands, and no event is written before the end."""
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

    def write(self, chunk: bytes, events: int, cursor: Cursor, may_write: Callable[[], bool]) -> int:
        """To every member; to how many. Who cannot take more steps back, and neither holds memory nor delays others.

        Whose rights are no longer known in the middle of it, or whose transport fails, stays at the cursor of before.
        """
        full: list[Subscriber] = []
        written = 0
        if chunk:
            written = len(self.members)
            if written > TURN_STREAMS:
                written = self._write_in_turns(chunk, full, may_write)
            else:
                _give(self.members, chunk, full)
            self.events += events
            self.bytes += len(chunk)
        self.cursor = cursor
        for member in full:
            member.step_back()
        return written

    def _write_in_turns(self, chunk: bytes, full: list[Subscriber], may_write: Callable[[], bool]) -> int:
        members = list(self.members)
        for begin in range(0, len(members), TURN_STREAMS):
            if begin and not may_write():
                for member in members[begin:]:
                    member.step_back()
                return begin
            _give(members[begin : begin + TURN_STREAMS], chunk, full)
        return len(members)


def _give(members: Collection[Subscriber], chunk: bytes, full: list[Subscriber]) -> None:
    """Write to each; those that cannot take more are added to `full`, and those whose transport fails end."""
    failed = None
    for member in members:
        try:
            if not member.write(chunk):
                full.append(member)
        except Exception:
            logger.exception("a stream cannot be written to")
            failed = [*(failed or ()), member]
    for member in failed or ():
        member.end("error")
