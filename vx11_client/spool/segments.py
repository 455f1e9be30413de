"""One file of a spool: a header that says how far was published, then records. No Django."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from vx11_client.spool.records import SyslogRecord, unpacked

MAGIC = b"VX11SPL1"
# Behind the magic, eight bytes: the offset up to which all was published.
HEADER_BYTES = 16
# So much is read at once.
READ_BYTES = 256 * 1024
# No record is longer than this: one of them is always within what is read.
PIECE_BYTES = 2 * READ_BYTES


def segment_name(*, after: str, now: float) -> str:
    """Sorts behind `after`. Its random part makes it another one on each machine, also if a disk was copied."""
    milliseconds = int(now * 1000)
    if after:
        milliseconds = max(milliseconds, int(after.partition("-")[0], 16) + 1)
    return f"{milliseconds:012x}-{os.urandom(6).hex()}"


class Segment:
    """`end` is where the next record goes; `read` and `settled` say how far was read and published."""

    def __init__(self, path: Path, descriptor: int, *, end: int, settled: int) -> None:
        self.path = path
        self.name = path.stem
        self._fd = descriptor
        self.end = end
        self.read = self.settled = settled
        self._is_torn = False

    @classmethod
    def made(cls, path: Path, sync: Callable[[int], None]) -> Self:
        """A new file. Raises OSError; then there is none."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write(descriptor, MAGIC + HEADER_BYTES.to_bytes(8, "big"), 0)
            sync(descriptor)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return cls(path, descriptor, end=HEADER_BYTES, settled=HEADER_BYTES)

    @classmethod
    def opened(cls, path: Path) -> tuple[Self, int, int]:
        """Of an earlier run: the segment, its records that are not published, its bytes that are no whole record.

        Raises ValueError for another file, and OSError.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        header = os.pread(descriptor, HEADER_BYTES, 0)
        try:
            int(path.stem.partition("-")[0], 16)
            if not header.startswith(MAGIC) or len(header) < HEADER_BYTES:
                raise ValueError("no segment")
        except ValueError:
            os.close(descriptor)
            raise
        size = os.fstat(descriptor).st_size
        settled = int.from_bytes(header[len(MAGIC) :], "big")
        segment = cls(path, descriptor, end=size, settled=settled if HEADER_BYTES <= settled <= size else HEADER_BYTES)
        count, end = 0, segment.settled
        for _, end, _ in segment.records(segment.settled, size):  # noqa: B007 - the last one's is used
            count += 1
        segment.end, segment._is_torn = end, end < size
        return segment, count, size - end

    @property
    def is_settled(self) -> bool:
        return self.settled >= self.end

    def write(self, data: bytes, sync: Callable[[int], None]) -> None:
        """At the end, which the caller moves on. Raises OSError; then the file is as it was."""
        try:
            _write(self._fd, data, self.end)
            sync(self._fd)
        except OSError:
            # Bytes that stayed would be read by the next run; the next write goes to the same place.
            os.ftruncate(self._fd, self.end)
            raise

    def records(
        self, start: int, end: int, *, limit_records: int | None = None
    ) -> Iterator[tuple[int, int, SyslogRecord]]:
        """Start, end and content of the whole records between these places."""
        count = 0
        while start < end:
            piece = os.pread(self._fd, min(PIECE_BYTES, end - start), start)
            base = start
            for begin, stop, record in unpacked(piece):
                start = base + stop
                yield base + begin, start, record
                count += 1
                if count == limit_records:
                    return
            if start == base:
                return

    def leave_out_rest(self) -> None:
        """What is behind the last record that was read is no record."""
        self.end, self._is_torn = self.read, True

    def mark_settled(self, settled: int) -> None:
        # Not synced: what a loss of power takes away here is published again, with the same ids.
        os.pwrite(self._fd, settled.to_bytes(8, "big"), len(MAGIC))

    def delete(self) -> None:
        """The file goes, unless it holds bytes that could not be read: a person may want them."""
        self.close()
        if self._is_torn:
            self.path.rename(self.path.with_suffix(".damaged"))
        else:
            self.path.unlink()

    def close(self) -> None:
        os.close(self._fd)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """All of it: a disk that is nearly full takes a part."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count
