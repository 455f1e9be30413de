"""SQLite with an end for every statement, as PostgreSQL has one: what takes longer is given up (OperationalError).

SQLite runs in our own threads and knows no time limits. It asks a function of ours every so many of its steps whether
to go on; that is how each connection, of whichever thread, keeps its limit.
"""

import functools
import sqlite3
import time
from typing import Any, NoReturn

from django.db.backends.sqlite3 import base
from django_prometheus.db.common import DatabaseWrapperMixin, ExportingCursorWrapper

# As `statement_timeout` of PostgreSQL, see vx11_site/config/postgres.py. In OPTIONS a connection may be given another.
STATEMENT_LIMIT_SECONDS = 10.0
LIMIT_OPTION = "statement_limit_seconds"
# How often SQLite asks, in steps of its own: every few milliseconds. Python's lock is taken each time.
STEPS = 50_000
NEVER = float("inf")

monotonic = time.monotonic
_given_up_at = -NEVER


class Watch:
    """When the statement that runs now is to be given up. `no_later_than` holds for more than one statement."""

    __slots__ = ("began_at", "limit_seconds", "no_later_than")

    def __init__(self, limit_seconds: float) -> None:
        self.limit_seconds = limit_seconds
        self.no_later_than = self.began_at = NEVER

    def begin(self) -> None:
        self.began_at = monotonic()

    def end(self) -> None:
        # What is none of a cursor's doings, such as a commit, is never given up.
        self.began_at = NEVER

    def is_over(self) -> bool:
        now, began_at = monotonic(), self.began_at
        if began_at == NEVER:
            return False
        return now > min(began_at + self.limit_seconds, self.no_later_than) or began_at <= _given_up_at


def give_up_running() -> None:
    """Give up what runs now, in every thread: for a process that is about to end, which waits for its threads.

    What begins later runs. The writer tries once more what it was about to write.
    """
    global _given_up_at
    _given_up_at = monotonic()


class WatchedConnection(sqlite3.Connection):
    watch: Watch

    def start_watch(self, limit_seconds: float) -> None:
        self.watch = Watch(limit_seconds)
        self.set_progress_handler(self.watch.is_over, STEPS)


class WatchedCursor(base.SQLiteCursorWrapper):
    """Every call that lets SQLite work has the whole time to itself: a reader of many rows may take long over each."""

    connection: WatchedConnection

    def execute(self, query: str, params: Any = None) -> Any:
        watch = self.connection.watch
        watch.begin()
        try:
            return super().execute(query, params)
        finally:
            watch.end()

    def executemany(self, query: str, param_list: Any) -> Any:
        watch = self.connection.watch
        watch.begin()
        try:
            return super().executemany(query, param_list)
        finally:
            watch.end()

    def fetchone(self) -> Any:
        watch = self.connection.watch
        watch.begin()
        try:
            return super().fetchone()
        finally:
            watch.end()

    def fetchmany(self, size: int | None = 1) -> Any:
        watch = self.connection.watch
        watch.begin()
        try:
            return super().fetchmany(size)
        finally:
            watch.end()

    def fetchall(self) -> Any:
        watch = self.connection.watch
        watch.begin()
        try:
            return super().fetchall()
        finally:
            watch.end()

    def __next__(self) -> Any:
        watch = self.connection.watch
        watch.begin()
        try:
            return super().__next__()
        finally:
            watch.end()


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):  # type: ignore[misc]  # it has no types
    """With the metrics of django-prometheus: connections, statements, errors and durations."""

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        self._limit_seconds = params.pop(LIMIT_OPTION, STATEMENT_LIMIT_SECONDS)
        return {**params, "factory": WatchedConnection}

    def get_new_connection(self, conn_params: dict[str, Any]) -> WatchedConnection:
        connection: WatchedConnection = super().get_new_connection(conn_params)
        # Django's own runs Python's patterns, within one step of SQLite and with Python's lock held: one that
        # backtracks keeps the whole process, and no limit of ours is checked meanwhile.
        connection.create_function("regexp", 2, _no_patterns, deterministic=True)
        connection.start_watch(self._limit_seconds)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=_counting_cursor(self.alias, self.vendor))


@functools.cache
def _counting_cursor(alias: str, vendor: str) -> type[WatchedCursor]:
    """Made once: the mixin's own `create_cursor` makes a class for each cursor, which doubles the time of a read."""
    counting: type[WatchedCursor] = ExportingCursorWrapper(WatchedCursor, alias, vendor)
    return counting


def _no_patterns(pattern: Any, text: Any) -> NoReturn:
    raise NotImplementedError("no query of ours uses a pattern")
