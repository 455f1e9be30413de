"""Ends statements of SQLite when their time is over, from a thread of its own.

A progress handler is not asked within one step of FTS5, which may take seconds; an interruption is noticed with the
next page that is read. And a handler takes Python's lock each time, for which it waits while others have it.
"""

import contextlib
import functools
import heapq
import itertools
import sqlite3
import threading
import time
from collections.abc import Iterator

# An interruption between two statements has no effect on the second.
AGAIN_SECONDS = 0.01


class _Watched:
    def __init__(self, database: sqlite3.Connection) -> None:
        self.database: sqlite3.Connection | None = database


class Deadlines:
    """One thread for all searches of a process, started by the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, _Watched]] = []
        self._numbers = itertools.count()
        threading.Thread(target=self._run, name="search-deadlines", daemon=True).start()

    @contextlib.contextmanager
    def ends(self, database: sqlite3.Connection, at: float) -> Iterator[None]:
        """What runs on the connection in this block is interrupted at that moment of time.monotonic()."""
        watched = _Watched(database)
        with self._changed:
            heapq.heappush(self._waiting, (at, next(self._numbers), watched))
            if self._waiting[0][2] is watched:
                self._changed.notify()
        try:
            yield
        finally:
            # Under the lock: an interruption that comes later would end the next search.
            with self._changed:
                watched.database = None

    def _run(self) -> None:
        with self._changed:
            while True:
                if not self._waiting:
                    self._changed.wait()
                    continue
                left_seconds = self._waiting[0][0] - time.monotonic()
                if left_seconds > 0:
                    self._changed.wait(left_seconds)
                    continue
                _, _, watched = heapq.heappop(self._waiting)
                if watched.database is not None:
                    # Of a connection that is closed there is nothing to interrupt.
                    with contextlib.suppress(sqlite3.Error):
                        watched.database.interrupt()
                    again_at = time.monotonic() + AGAIN_SECONDS
                    heapq.heappush(self._waiting, (again_at, next(self._numbers), watched))


the_deadlines = functools.cache(Deadlines)
