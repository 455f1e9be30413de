"""Lines of a file, to its end or for as long as it is written, across both ways of rotating it. No Django, no network.

Renamed and made anew: the old file is read to its end, also what is written to it before its writer notices.
Copied and truncated: the file is read again from its start. With that method, lines that were written and cut off
between two reads are lost for every reader.
"""

import collections
import dataclasses
import hashlib
import os
import stat
import time
from pathlib import Path

from vx11_client.feeding.feed_source import Line, LineSplitter
from vx11_client.stop_signal import Interruption

CHUNK_BYTES = 256 * 1024
POLL_SECONDS = 0.2
# The end of what was read is compared before reading on: a file that was truncated and has already grown past the
# old place differs there.
OVERLAP_BYTES = 64
# Writers with several processes reopen their log one after the other.
ROTATION_GRACE_SECONDS = 1.0
FIRST_LINE_BYTES = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Which file it is; its name may change."""

    device: int
    inode: int


class OpenFile:
    """One file that stays open under any name: its new lines, and whether it was cut."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._fd)
        self.identity = Identity(found.st_dev, found.st_ino)
        self._splitter = LineSplitter()
        self._position = 0
        self._overlap = b""
        self._generation = ""

    def skip_to_end(self) -> None:
        """Begin at the last line that is not complete yet, so that its end is not sent as a line of its own."""
        size = os.fstat(self._fd).st_size
        before = os.pread(self._fd, min(size, CHUNK_BYTES), max(0, size - CHUNK_BYTES))
        self._position = size - (len(before) - before.rfind(b"\n") - 1) if b"\n" in before else size
        self._splitter.consumed_bytes = self._position
        self._overlap = os.pread(self._fd, min(self._position, OVERLAP_BYTES), max(0, self._position - OVERLAP_BYTES))

    def read(self, generations: "Generations") -> tuple[list[Line], bool]:
        """The lines of the next piece, and whether there was a piece."""
        data = os.pread(self._fd, OVERLAP_BYTES + CHUNK_BYTES, self._position - len(self._overlap))
        if not data.startswith(self._overlap):
            return self._start_over(generations), True
        new = data[len(self._overlap) :]
        lines = self._placed(self._splitter.feed(new), generations)
        self._position += len(new)
        self._overlap = data[-OVERLAP_BYTES:]
        return lines, bool(new)

    def flush(self, generations: "Generations") -> list[Line]:
        return self._placed(self._splitter.flush(), generations)

    def has_bytes(self) -> bool:
        return os.fstat(self._fd).st_size > 0

    def close(self) -> None:
        os.close(self._fd)

    def _start_over(self, generations: "Generations") -> list[Line]:
        lines = self.flush(generations)
        self._splitter = LineSplitter()
        self._position, self._overlap, self._generation = 0, b"", ""
        return lines

    def _placed(self, found: list[tuple[int, Line]], generations: "Generations") -> list[Line]:
        if found and not self._generation:
            start = os.pread(self._fd, FIRST_LINE_BYTES, 0)
            self._generation = generations.name(self.identity, start.partition(b"\n")[0])
        return [dataclasses.replace(line, place=f"{self._generation}:{offset}") for offset, line in found]


class Generations:
    """Names for what a file holds between two truncations, so that equal lines at equal offsets stay two events.

    The name comes from the first line, the same in each run; only when one run sees the same first line again (a log
    without times) a number is added.
    """

    def __init__(self) -> None:
        self._times_seen: collections.Counter[str] = collections.Counter()

    def name(self, identity: Identity, first_line: bytes) -> str:
        digest = hashlib.sha256(first_line.removesuffix(b"\r")).hexdigest()[:16]
        name = f"{identity.device}:{identity.inode}:{digest}"
        self._times_seen[name] += 1
        times = self._times_seen[name]
        return name if times == 1 else f"{name}:{times}"


class FileSource:
    """Lines of the file at `path`; with `follow` also those to come, under this name and after each rotation.

    Raises OSError at once when the file cannot be read, except that following waits for a file that is not there yet;
    that one is then read from its start.
    """

    def __init__(self, path: Path, interruption: Interruption, *, follow: bool, from_end: bool = False) -> None:
        self._path = path
        self._interruption = interruption
        self._follow = follow
        self._generations = Generations()
        # The file being read, then those that took its name later: opened as soon as they are seen, because while a
        # server is away a log can rotate more than once.
        self._files: collections.deque[OpenFile] = collections.deque()
        self._quiet_since = time.monotonic()
        self.ended = False
        self.trouble = ""
        try:
            self._files.append(OpenFile(path))
        except FileNotFoundError:
            if not follow:
                raise
            self.trouble = f"{path} is not there yet"
        if from_end and self._files:
            self._files[0].skip_to_end()

    def read(self, *, wait_seconds: float) -> list[Line]:
        deadline = time.monotonic() + wait_seconds
        while not self.ended:
            if lines := self._read_ready():
                return lines
            left = deadline - time.monotonic()
            if left <= 0 or self._interruption.requested:
                break
            self._interruption.wait(min(left, POLL_SECONDS))
        return []

    def finish(self) -> list[Line]:
        """Nothing: what was not sent is still in the file, where the next run finds it."""
        return []

    def notice(self) -> None:
        if not self._follow:
            return
        try:
            found = self._path.stat()
            if stat.S_ISREG(found.st_mode) and Identity(found.st_dev, found.st_ino) != self._newest_identity():
                self._files.append(OpenFile(self._path))
                self._quiet_since = time.monotonic()
        except FileNotFoundError:
            # Between rename and create; or removed, and then the file that is open may still be written.
            return
        except OSError as error:
            self.trouble = f"{self._path} cannot be read: {error.strerror}"
            return
        self.trouble = ""

    def close(self) -> None:
        while self._files:
            self._files.popleft().close()

    def _read_ready(self) -> list[Line]:
        """Lines from the file being read; moves on to its successor when that one has bytes and this one is silent."""
        self.notice()
        while self._files:
            lines, moved = self._files[0].read(self._generations)
            if not moved:
                return self._at_end()
            self._quiet_since = time.monotonic()
            if lines:
                return lines
        return []

    def _at_end(self) -> list[Line]:
        if not self._follow:
            self.ended = True
            return self._files[0].flush(self._generations)
        if not self._is_over():
            return []
        old = self._files.popleft()
        self._quiet_since = time.monotonic()
        try:
            return old.flush(self._generations)
        finally:
            old.close()

    def _is_over(self) -> bool:
        if len(self._files) == 1 or time.monotonic() - self._quiet_since < ROTATION_GRACE_SECONDS:
            return False
        return len(self._files) > 2 or self._files[1].has_bytes()

    def _newest_identity(self) -> Identity | None:
        return self._files[-1].identity if self._files else None
