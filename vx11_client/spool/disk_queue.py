"""A queue on disk: what was taken is there until it is published, whatever happens to this process. No Django.

The folder holds segments, the oldest first by name. A record's id is made of its segment and its place in it: it
is the same however often it is published. A segment that was published is deleted.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from vx11_client.spool.records import SyslogRecord, packed
from vx11_client.spool.segments import READ_BYTES, Segment, segment_name

SPOOL_LIMIT_BYTES = 64 * 1024 * 1024
# A full segment is followed by a new one: what was published is deleted in pieces of this size.
SEGMENT_LIMIT_BYTES = 8 * 1024 * 1024
# Brings what was written to the disk itself.
Sync = Callable[[int], None]


class SpoolInUse(OSError):
    """Another receiver uses the folder."""


class Stored(NamedTuple):
    """A record in the spool. `end` is where the next one begins in its segment."""

    event_id: str
    record: SyslogRecord
    segment: Segment
    end: int


class Spool:
    """First in, first out. One thread appends and one reads. Raises SpoolInUse, OSError.

    At most `limit_bytes` wait, and the rest of one segment: see `is_full`.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = SPOOL_LIMIT_BYTES, sync: Sync = os.fdatasync) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._sync = sync
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = _locked(folder)
        self._changed = threading.Condition()
        self._segments: list[Segment] = []
        # Nothing is added to a segment of an earlier run.
        self._current: Segment | None = None
        self._is_closed = False
        self._remarks: list[str] = []
        self.waiting_count = 0
        """Records that are not published."""
        self._load()

    @property
    def waiting_bytes(self) -> int:
        with self._changed:
            return sum(segment.end - segment.settled for segment in self._segments)

    @property
    def is_full(self) -> bool:
        """Whether no more should be appended for now."""
        return self.waiting_bytes >= self._limit_bytes

    @property
    def has_unread(self) -> bool:
        with self._changed:
            return self._unread() > 0

    def take_remarks(self) -> list[str]:
        """What a person has to know about records that cannot be read, each once."""
        with self._changed:
            remarks, self._remarks = self._remarks, []
        return remarks

    def append(self, records: Sequence[SyslogRecord]) -> None:
        """Returns when the records are on disk. Raises OSError; then none of them is in the spool."""
        data = b"".join(map(packed, records))
        segment = self._current
        if segment is None or segment.end >= SEGMENT_LIMIT_BYTES:
            segment = self._new_segment()
        segment.write(data, self._sync)
        with self._changed:
            segment.end += len(data)
            self.waiting_count += len(records)
            self._changed.notify_all()

    def read(self, *, limit_records: int, wait_seconds: float, linger_seconds: float = 0.0) -> list[Stored]:
        """The oldest records that were not read before; waits for the first one, and then shortly for more."""
        with self._changed:
            if not self._changed.wait_for(self._unread, wait_seconds):
                return []
            self._changed.wait_for(lambda: self._unread() >= READ_BYTES, linger_seconds)
            segment = next(segment for segment in self._segments if segment.read < segment.end)
            end = segment.end
        found = [
            Stored(f"syslog-{segment.name}-{start:08x}", record, segment, stop)
            for start, stop, record in segment.records(segment.read, end, limit_records=limit_records)
        ]
        if not found:
            self._leave_out_rest(segment)
            return []
        segment.read = found[-1].end
        return found

    def settle(self, batch: Sequence[Stored]) -> None:
        """The oldest records, which are `batch`, were published or left out."""
        segment, end = batch[-1].segment, batch[-1].end
        with self._changed:
            if self._is_closed:
                # The next run publishes it again, with the same ids.
                return
            segment.mark_settled(end)
            segment.settled = end
            self.waiting_count -= len(batch)
            if segment.is_settled and segment is not self._current:
                self._forget(segment)

    def wake(self) -> None:
        """Ends the wait of read()."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Leaves what is not published for the next run."""
        with self._changed:
            self._is_closed = True
            self._current = None
            for segment in list(self._segments):
                if segment.is_settled:
                    self._forget(segment)
                else:
                    segment.close()
        os.close(self._lock_fd)

    def _leave_out_rest(self, segment: Segment) -> None:
        """Of a segment that was damaged after it was written."""
        with self._changed:
            self._remarks.append(f"{segment.path}: {segment.end - segment.read} bytes are damaged and are left out")
            if segment is self._current:
                self._current = None
            segment.leave_out_rest()
            if segment.is_settled:
                self._forget(segment)

    def _unread(self) -> int:
        return sum(segment.end - segment.read for segment in self._segments)

    def _new_segment(self) -> Segment:
        newest = self._segments[-1].name if self._segments else ""
        segment = Segment.made(self._folder / f"{segment_name(after=newest, now=time.time())}.spool", self._sync)
        _sync_folder(self._folder)
        with self._changed:
            before, self._current = self._current, segment
            self._segments.append(segment)
            if before is not None and before.is_settled:
                self._forget(before)
        return segment

    def _forget(self, segment: Segment) -> None:
        self._segments.remove(segment)
        segment.delete()

    def _load(self) -> None:
        for path in sorted(self._folder.glob("*.spool")):
            try:
                segment, count, torn_bytes = Segment.opened(path)
            except ValueError:
                self._remarks.append(f"{path} is no segment of a spool, and is left alone")
                continue
            if torn_bytes:
                self._remarks.append(f"{path}: the last {torn_bytes} bytes were not written whole and are left out")
            self._segments.append(segment)
            self.waiting_count += count
            if segment.is_settled:
                self._forget(segment)


def _locked(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SpoolInUse(error.errno, "another receiver uses it", str(folder)) from None
    return descriptor


def _sync_folder(folder: Path) -> None:
    """So that the names of new files outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
