"""The index in an SQLite file of its own: one contentless table of FTS5 for each segment of seqs.

FTS5 with detail=none keeps for each term the seqs only: phrases are the predicate's to check. Debian's SQLite 3.40
cannot delete rows of such a table, so pruning drops segments. rowid is seq: the newest matches come first unsorted.
"""

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from events.index import sqlite_tables as tables
from events.index.deadlines import the_deadlines
from events.index.store import (
    FORMAT,
    LEASE_SECONDS,
    SEGMENT_SEQS,
    Damaged,
    FoundDamage,
    IndexUnavailable,
    LeaseLost,
    Row,
    State,
    TooSlow,
    answered_in_time,
    segments_between,
)
from events.index.tallies import Tally, Wanted
from events.index.vocabulary import as_fts5
from events.query import Condition
from ledger.uptime import uptime_seconds

# How long a writer waits for `manage.py reindex`, or this for the server.
LOCK_WAIT_SECONDS = 5.0
# Each search asks for the state, which takes a fraction of a millisecond.
STATE_WAIT_SECONDS = 1.0
# One that fails so often, one time after the other, is made anew: a file that was harmed while readers have it open can
# stay locked or give errors for ever. Without room, or without its folder, a new one would fare no better.
FAILURES_LIMIT = 15


class SqliteStore:
    """`path` is the file; one that is missing is made by the first claim."""

    def __init__(self, path: Path, *, segment_seqs: int = SEGMENT_SEQS) -> None:
        self.path = path
        self._segment_seqs = segment_seqs
        self._reading = threading.local()
        self._writing: sqlite3.Connection | None = None
        self._writing_file: tuple[int, int] | None = None
        self._failures = 0
        self._damage = FoundDamage()

    # For readers, in any thread

    def state(self) -> State | None:
        self._damage.check()
        with answered_in_time(), self._reader(time.monotonic() + STATE_WAIT_SECONDS) as database:
            return tables.read_state(database)

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        ends_at = time.monotonic() + seconds
        with self._reader(ends_at) as database:
            # One transaction: the state and all segments are of the same moment.
            database.execute("BEGIN")
            state = tables.read_state(database)
            if state is None or low < state.low or high > state.high:
                raise IndexUnavailable("the range is not indexed")
            if condition is None:
                every = range(low, high + 1) if forwards else range(high, low - 1, -1)
                return list(every[:limit])
            query = as_fts5(condition)
            found: list[int] = []
            for number in self._segments(database, low, high, forwards=forwards):
                if time.monotonic() >= ends_at:
                    raise TooSlow
                found += tables.search(database, number, query, (low, high, limit - len(found)), forwards=forwards)
                if len(found) >= limit:
                    break
            return found

    def tallies(self, epoch: str, *, low: int, high: int, wanted: Wanted, limit: int, seconds: float) -> list[Tally]:
        with self._reader(time.monotonic() + seconds) as database:
            database.execute("BEGIN")
            state = tables.read_state(database)
            if state is None or state.epoch != epoch:
                raise IndexUnavailable("it is of another log")
            return tables.tallies(database, low, high, wanted, limit)

    def _segments(self, database: sqlite3.Connection, low: int, high: int, *, forwards: bool) -> list[int]:
        wanted = segments_between(low, high, self._segment_seqs)
        rows = database.execute(
            "SELECT number FROM segments WHERE number BETWEEN ? AND ? ORDER BY number", (wanted.start, wanted.stop - 1)
        )
        numbers = [number for (number,) in rows]
        return numbers if forwards else numbers[::-1]

    @contextlib.contextmanager
    def _reader(self, ends_at: float) -> Iterator[sqlite3.Connection]:
        try:
            database = self._reading_connection()
            try:
                with the_deadlines().ends(database, ends_at):
                    yield database
            finally:
                if database.in_transaction:
                    database.rollback()
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and tables.code_of(error) == sqlite3.SQLITE_INTERRUPT:
                raise TooSlow from None
            self.close_reading()
            # One transaction shows the list of segments and all of them.
            is_incomplete = str(error).startswith("no such table")
            if is_incomplete or isinstance(tables.as_fault(error, tables.DAMAGE), Damaged):
                self._damage.note()
            raise IndexUnavailable(str(error)) from error

    def _reading_connection(self) -> sqlite3.Connection:
        """This thread's, for the file that is there now: one that was deleted and made anew is another file."""
        file = tables.file_of(self.path)
        if getattr(self._reading, "file", None) != file:
            self.close_reading()
            database = tables.connect(self.path, mode="rw", wait_seconds=0)
            database.execute("PRAGMA query_only=ON")
            self._reading.file, self._reading.database = file, database
        found: sqlite3.Connection = self._reading.database
        return found

    def close_reading(self) -> None:
        """This thread's connection. One that is only forgotten lives until Python looks for cycles."""
        if (database := self._reading.__dict__.pop("database", None)) is not None:
            database.close()
        self._reading.__dict__.clear()

    # For the one that indexes

    def claim(self, holder: str, *, force: bool = False) -> bool:
        # All processes of one file are on one machine; after its restart, what is held seems to be held for too long.
        now = uptime_seconds()
        with self._writer() as database:
            if database.execute("SELECT format FROM state").fetchone() != (FORMAT,):
                raise Damaged("of another format")
            claimed = database.execute(
                "UPDATE state SET holder = :holder, held_until = :until "
                "WHERE :force OR holder = :holder OR held_until < :now OR held_until > :until",
                {"holder": holder, "until": now + LEASE_SECONDS, "now": now, "force": force},
            )
            return claimed.rowcount == 1

    def begin(self, holder: str, epoch: str, *, after: int) -> State:
        state = State(epoch, after + 1, after, secrets.token_hex(8))
        with self._writer(holder) as database:
            is_used = database.execute("SELECT 1 FROM segments").fetchone() is not None
        if is_used:
            # Dropping tables would read all of them, and leave a large file.
            self.remove()
            self.claim(holder)
        with self._writer(holder) as database:
            database.execute("DELETE FROM tallies")
            database.execute("UPDATE state SET epoch = ?, low = ?, high = ?, generation = ?", state)
        return state

    def write(self, holder: str, rows: Iterable[Row], *, low: int, high: int, tallies: Sequence[Tally] = ()) -> None:
        with self._writer(holder) as database:
            for number, segment in groupby(rows, key=lambda row: row[0] // self._segment_seqs):
                tables.insert(database, number, segment)
            for tally in tallies:
                tables.add_tally(database, tally)
            database.execute("UPDATE state SET low = ?, high = ?", (low, high))

    def forget_below(self, holder: str, seq: int) -> int:
        with self._writer(holder) as database:
            old = database.execute(
                "SELECT number FROM segments WHERE number < ?", (seq // self._segment_seqs,)
            ).fetchall()
            for (number,) in old:
                tables.drop(database, number)
            database.execute("DELETE FROM tallies WHERE last < ?", (seq,))
            return len(old)

    def release(self, holder: str) -> None:
        if self._writing is not None:
            with self._writer() as database:
                database.execute("UPDATE state SET holder = '', held_until = 0 WHERE holder = ?", (holder,))

    def size_bytes(self) -> int:
        sizes = 0
        for suffix in tables.FILES:
            with contextlib.suppress(FileNotFoundError):
                sizes += os.stat(f"{self.path}{suffix}").st_size
        return sizes

    def remove(self) -> None:
        self.close()
        try:
            tables.unlink(self.path, tables.FILES)
        except OSError as error:
            raise IndexUnavailable(f"it cannot be deleted: {error.strerror}") from error
        self._damage.forget()
        self._failures = 0

    def close(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    @contextlib.contextmanager
    def _writer(self, holder: str | None = None) -> Iterator[sqlite3.Connection]:
        """A transaction, in which no other process writes; of the holder, whose lease is checked first."""
        try:
            database = self._writing_connection()
            database.execute("BEGIN IMMEDIATE")
            try:
                if holder is not None and database.execute("SELECT holder FROM state").fetchone() != (holder,):
                    raise LeaseLost
                yield database
                database.execute("COMMIT")
                self._failures = 0
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            self.close()
            if isinstance(error, sqlite3.Error) and tables.code_of(error) not in tables.NO_FAULT_OF_THE_FILE:
                self._failures += 1
            if self._failures >= FAILURES_LIMIT:
                raise Damaged(f"it failed {self._failures} times, at last: {error}") from error
            raise tables.as_fault(error, tables.DAMAGE_FOR_WRITER) from error

    def _writing_connection(self) -> sqlite3.Connection:
        if self._writing is not None:
            with contextlib.suppress(FileNotFoundError):
                if tables.file_of(self.path) == self._writing_file:
                    return self._writing
            self.close()
        if not self.path.exists():
            # Of a file that was deleted while others have it open: SQLite would take them for those of the new one.
            tables.unlink(self.path, tables.FILES[1:])
            tables.make_file(self.path)
        database = self._writing = tables.connect(self.path, mode="rw", wait_seconds=LOCK_WAIT_SECONDS)
        # No sync at each commit: after a power cut the file is whole, and the last seconds are indexed again.
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(tables.CREATE)
        self._writing_file = tables.file_of(self.path)
        return database
