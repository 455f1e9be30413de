"""Lines in: bytes from a pipe become whole lines, whatever they hold. No Django, no network.

A source is polled, not iterated: the caller has batches to send in time while nothing arrives.
"""

import contextlib
import os
from typing import Protocol

from vx11_client.lines.line import Line, LineSplitter
from vx11_client.stop_signal import Interruption

CHUNK_BYTES = 64 * 1024
# So much is still read from a pipe after the first signal: the most that a pipe can hold without special rights. The
# program that wrote these lines takes them for delivered, and no other program will read them.
DRAIN_LIMIT_BYTES = 1024 * 1024


class LineSource(Protocol):
    """Where lines come from."""

    @property
    def ended(self) -> bool:
        """No line will come any more."""

    @property
    def trouble(self) -> str:
        """Why the source cannot read, as a text for a person; empty when it can."""

    def read(self, *, wait_seconds: float) -> list[Line]:
        """Lines that are there, else the first that come within the time; empty when none came."""

    def finish(self) -> list[Line]:
        """The lines that were begun and would otherwise be lost; the source is not read again."""

    def notice(self) -> None:
        """Check the source for changes (a rotated file) without reading; called while the server is away."""

    def settled(self, line: Line, position: int) -> None:
        """Everything up to this position in the source of the line was delivered or left out."""

    def remarks(self) -> list[str]:
        """What a person has to know about lines that cannot be read any more, each once."""

    def close(self) -> None: ...


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

    def settled(self, line: Line, position: int) -> None:
        """A pipe has no places."""

    def remarks(self) -> list[str]:
        return []

    def close(self) -> None:
        """The caller that opened the descriptor closes it."""
