"""Writes log lines to standard error, which may be a full disk, a closed pipe, or a pipe without a reader.

A log line must never delay or fail a request. A line that cannot be written at once waits in a bounded backlog for the
next line; one that does not fit there is dropped and counted. Nothing here waits or raises.
"""

import contextlib
import logging
import math
import os
import select
import time
from collections import deque

from prometheus_client import Counter

STANDARD_ERROR = 2
# A pipe or socket that is ready accepts so much without blocking (PIPE_BUF on Linux).
PIECE_BYTES = 4096
BACKLOG_LIMIT_BYTES = 256 * 1024
# How long an ending process waits for a reader of its last lines.
LAST_LINES_MS = 500

DROPPED = Counter(
    "vx11_log_lines_dropped_total", "Log lines that could not be written: the disk is full, or the pipe has no reader."
)


class LogOutput(logging.Handler):
    """Writes to one file descriptor. Lines stay complete, except when an error occurs in the middle of one."""

    def __init__(self, descriptor: int = STANDARD_ERROR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:  # noqa: BLE001 - a line with the wrong arguments is a bug, and no reason to fail a request
            DROPPED.inc()
            return
        self._write()
        if self._waiting_bytes + len(line) > BACKLOG_LIMIT_BYTES:
            DROPPED.inc()
            return
        self._keep(line)
        self._write()

    def flush(self) -> None:
        """At the end of the process: a last attempt, for a bounded time."""
        deadline = time.monotonic() + LAST_LINES_MS / 1000
        with self.lock or contextlib.nullcontext():
            while self._lines and (left := deadline - time.monotonic()) > 0:
                self._write(wait_ms=math.ceil(left * 1000))

    def _keep(self, line: bytes, *, first: bool = False) -> None:
        self._waiting_bytes += len(line)
        if first:
            self._lines.appendleft(line)
        else:
            self._lines.append(line)

    def _write(self, *, wait_ms: int = 0) -> None:
        """Write as much of the backlog as possible now; waits for the first piece only."""
        while self._lines and self._takes(wait_ms):
            wait_ms = 0
            line = self._lines.popleft()
            self._waiting_bytes -= len(line)
            try:
                written = os.write(self._descriptor, line[:PIECE_BYTES])
            except BlockingIOError:
                # Another process that shares the descriptor has made it non-blocking.
                self._keep(line, first=True)
                return
            except OSError:
                DROPPED.inc()
                continue
            if rest := line[written:]:
                self._keep(rest, first=True)

    def _takes(self, wait_ms: int) -> bool:
        """Whether a write will not block. True also if it will fail, because that takes no time."""
        watch = select.poll()
        watch.register(self._descriptor, select.POLLOUT)
        return bool(watch.poll(wait_ms))
