"""Lines in: bytes from a pipe become whole lines, whatever they hold. No Django, no network.

A source is polled, not iterated: the caller has batches to send in time while nothing arrives.
"""

import contextlib
import dataclasses
import os
from typing import Protocol

from vx11_client.stop_signal import Interruption

# Four times what an event may hold. More of one line is counted and dropped, so that a file without line ends
# cannot fill the memory.
LINE_LIMIT_BYTES = 256 * 1024
CHUNK_BYTES = 64 * 1024
# So much is still read from a pipe after the first signal: the most that a pipe can hold without special rights. The
# program that wrote these lines takes them for delivered, and no other program will read them.
DRAIN_LIMIT_BYTES = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. `content` holds at most LINE_LIMIT_BYTES of it, `total_bytes` says how long it was.

    `place` names where it stood, the same each time the same file is read; empty when the source has no places.
    """

    content: bytes
    total_bytes: int
    place: str = ""


class LineSource(Protocol):
    """Where lines come from."""

    ended: bool
    """No line will come any more."""
    trouble: str
    """Why the source cannot read, as a text for a person; empty when it can."""

    def read(self, *, wait_seconds: float) -> list[Line]:
        """Lines that are there, else the first that come within the time; empty when none came."""

    def finish(self) -> list[Line]:
        """The lines that were begun and would otherwise be lost; the source is not read again."""

    def notice(self) -> None:
        """Check the source for changes (a rotated file) without reading; called while the server is away."""

    def close(self) -> None: ...


class LineSplitter:
    """Bytes in, whole lines out. Lines end with LF; a CR before it belongs to the end."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._dropped_bytes = 0
        self.consumed_bytes = 0
        """Bytes of all lines given out, their ends included: where the line after them begins."""

    def feed(self, data: bytes) -> list[tuple[int, Line]]:
        """The lines that `data` completes, each with the offset of its first byte."""
        lines = []
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._keep(end)
            lines.append(self._take(line_end_bytes=1))
        self._keep(rest)
        return lines

    def flush(self) -> list[tuple[int, Line]]:
        """The last line, when its end is missing."""
        return [self._take(line_end_bytes=0)] if self._begun or self._dropped_bytes else []

    def _keep(self, data: bytes) -> None:
        room = LINE_LIMIT_BYTES - len(self._begun)
        self._begun += data[:room]
        self._dropped_bytes += max(0, len(data) - room)

    def _take(self, *, line_end_bytes: int) -> tuple[int, Line]:
        offset = self.consumed_bytes
        self.consumed_bytes += len(self._begun) + self._dropped_bytes + line_end_bytes
        content = bytes(self._begun)
        if not self._dropped_bytes:
            content = content.removesuffix(b"\r")
        line = Line(content=content, total_bytes=len(content) + self._dropped_bytes)
        self._begun.clear()
        self._dropped_bytes = 0
        return offset, line


class PipeSource:
    """Lines of a pipe, a terminal or any other descriptor that is read once, from its beginning to its end."""

    def __init__(self, fd: int, interruption: Interruption) -> None:
        self._fd = fd
        self._interruption = interruption
        self._splitter = LineSplitter()
        self.ended = False
        self.trouble = ""

    def read(self, *, wait_seconds: float) -> list[Line]:
        if self.ended or not self._interruption.wait(wait_seconds, readable_fd=self._fd):
            return []
        # A pipe that is taken away (a terminal that hangs up) has ended as well as one that was closed.
        data = b""
        with contextlib.suppress(OSError):
            data = os.read(self._fd, CHUNK_BYTES)
        if data:
            return [line for _, line in self._splitter.feed(data)]
        self.ended = True
        return [line for _, line in self._splitter.flush()]

    def finish(self) -> list[Line]:
        lines: list[Line] = []
        for _ in range(DRAIN_LIMIT_BYTES // CHUNK_BYTES):
            if self.ended or not self._interruption.wait(0, readable_fd=self._fd):
                break
            lines += self.read(wait_seconds=0)
        return lines + [line for _, line in self._splitter.flush()]

    def notice(self) -> None:
        """A pipe waits by itself."""

    def close(self) -> None:
        """The caller that opened the descriptor closes it."""
