"""The index in PostgreSQL: one table for each segment of seqs, with our own terms as a tsvector under GIN.

The one that indexes makes the tables, and no migration does: they come and go with the log's seqs, nothing refers to
them, and deleting them loses nothing. They are UNLOGGED: no WAL is written for what can be made again, and after a
crash of PostgreSQL, or on a standby that took over, they are empty and the index begins anew.
"""

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from events.index import postgres_tables as tables
from events.index.store import (
    FORMAT,
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
from events.index.vocabulary import as_tsquery
from events.query import Condition
from ledger.faults import DATABASE_FAULTS

# The end of the range is searched in the order of seqs, row by row (1 ms), so that common terms end early. What
# is rarer is found by GIN, which has no order: there all matches of a segment are sorted.
ORDERED_SEQS = 5_000
# For a table that searches read just now: the one that indexes tries again later, and does not hold up other searches.
LOCK_WAIT_MS = 1_000
_QUERY_CANCELED = "57014"
# Internal errors: what is on the disk is not what PostgreSQL wrote.
_DAMAGE = ("XX000", "XX001", "XX002")
# Other tables, columns or types than expected: of another format, or deleted in part by hand.
_MISFITS = ("42P01", "42P07", "42703", "42804")


class PostgresStore:
    """Uses the connection of the calling thread."""

    def __init__(self, *, segment_seqs: int = SEGMENT_SEQS, ordered_seqs: int = ORDERED_SEQS) -> None:
        self._segment_seqs = segment_seqs
        self._ordered_seqs = ordered_seqs
        self._damage = FoundDamage()

    # For readers, in any thread

    def state(self) -> State | None:
        self._damage.check()
        with answered_in_time(), self._reader() as cursor:
            return tables.read_state(cursor)

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        ends_at = time.monotonic() + seconds
        with self._reader() as cursor, transaction.atomic():
            wanted = segments_between(low, high, self._segment_seqs)
            state, numbers = tables.open_search(cursor, ends_at, wanted)
            if state is None or low < state.low or high > state.high:
                raise IndexUnavailable("the range is not indexed")
            if condition is None:
                every = range(low, high + 1) if forwards else range(high, low - 1, -1)
                return list(every[:limit])
            query = as_tsquery(condition)
            found: list[int] = []
            for part in self._parts(numbers, low, high, forwards=forwards):
                if not part.is_ordered:
                    tables.search_by_gin(cursor, ends_at)
                found += part.search(cursor, query, limit - len(found), forwards=forwards)
                if len(found) >= limit:
                    break
            return found

    def tallies(self, epoch: str, *, low: int, high: int, wanted: Wanted, limit: int, seconds: float) -> list[Tally]:
        with self._reader() as cursor, transaction.atomic():
            return tables.tallies(cursor, epoch, low, high, wanted, limit, time.monotonic() + seconds)

    def _parts(self, numbers: list[int], low: int, high: int, *, forwards: bool) -> Iterator[tables.Part]:
        """In the direction of the search: what is read in order, and then what GIN finds."""
        size, ordered_left = self._segment_seqs, self._ordered_seqs
        for number in numbers if forwards else numbers[::-1]:
            first, last = max(low, number * size), min(high, (number + 1) * size - 1)
            length = min(ordered_left, last - first + 1)
            ordered_left -= length
            if length and forwards:
                yield tables.Part(number, first, first + length - 1, is_ordered=True)
                first += length
            elif length:
                yield tables.Part(number, last - length + 1, last, is_ordered=True)
                last -= length
            if first <= last:
                yield tables.Part(number, first, last, is_ordered=False)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[CursorWrapper]:
        try:
            with connection.cursor() as cursor:
                yield cursor
        except DATABASE_FAULTS as error:
            # Lanes open a new connection after a fault, and this one does not reach them.
            connection.close_if_unusable_or_obsolete()
            if (code := _sqlstate(error)) == _QUERY_CANCELED:
                raise TooSlow from None
            if code in _DAMAGE:
                self._damage.note()
            raise IndexUnavailable(_described(error)) from error

    # For the one that indexes

    def claim(self, holder: str, *, force: bool = False) -> bool:
        with self._writer() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [f"{tables.PREFIX}segments"])
            if cursor.fetchone() == (None,):
                cursor.execute(tables.CREATE)
            cursor.execute(tables.CLAIM, {"holder": holder, "force": force})
            row = cursor.fetchone()
            if row is not None and row != (FORMAT,):
                raise Damaged("of another format")
            return row is not None

    def begin(self, holder: str, epoch: str, *, after: int) -> State:
        state = State(epoch, after + 1, after, secrets.token_hex(8))
        with self._writer(holder) as cursor:
            cursor.execute(tables.LOCK_SEGMENTS)
            tables.drop_tables(cursor, tables.SEGMENT_PREFIX)
            cursor.execute(tables.FORGET_SEGMENTS)
            cursor.execute(tables.SET_STATE, state)
        return state

    def write(self, holder: str, rows: Iterable[Row], *, low: int, high: int, tallies: Sequence[Tally] = ()) -> None:
        with self._writer(holder) as cursor:
            for number, segment in groupby(rows, key=lambda row: row[0] // self._segment_seqs):
                tables.insert(cursor, number, segment)
            for tally in tallies:
                tables.add_tally(cursor, tally)
            cursor.execute(tables.SET_RANGE, [low, high])

    def forget_below(self, holder: str, seq: int) -> int:
        with self._writer(holder) as cursor:
            cursor.execute(tables.LOST_SEGMENTS)
            if lost := cursor.fetchall():
                raise Damaged(f"segment {lost[0][0]} is gone")
            cursor.execute(tables.SEGMENTS_BELOW, [seq // self._segment_seqs])
            old = [number for (number,) in cursor.fetchall()]
            tables.drop(cursor, old)
            cursor.execute(tables.FORGET_TALLIES_BELOW, [seq])
            return len(old)

    def release(self, holder: str) -> None:
        with self._writer() as cursor:
            cursor.execute(tables.RELEASE, [holder])

    def size_bytes(self) -> int:
        with answered_in_time(), self._reader() as cursor:
            cursor.execute(tables.SIZE)
            (size,) = cursor.fetchone()
            return int(size)

    def remove(self) -> None:
        with self._writer() as cursor:
            tables.drop_tables(cursor)
        self._damage.forget()

    def close(self) -> None:
        """The connection is the thread's."""

    @contextlib.contextmanager
    def _writer(self, holder: str | None = None) -> Iterator[CursorWrapper]:
        """A transaction; of the holder, whose lease is locked until it ends."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # What is lost in a crash is indexed again.
                cursor.execute(f"SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                if holder is not None:
                    cursor.execute(tables.LOCK_HOLDER)
                    if cursor.fetchone() != (holder,):
                        raise LeaseLost
                yield cursor
        except DATABASE_FAULTS as error:
            kind = Damaged if _sqlstate(error) in _DAMAGE + _MISFITS else IndexUnavailable
            raise kind(_described(error)) from error


def _sqlstate(error: Exception) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _described(error: Exception) -> str:
    """In one line, without what PostgreSQL adds: its details may quote what was written."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
