"""The tables of the index in PostgreSQL, and the statements that make, fill, search and drop them."""

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.db.backends.utils import CursorWrapper

from events.index.store import FORMAT, LEASE_SECONDS, Damaged, Row, State, TooSlow
from events.index.tallies import Tally, Wanted

# All tables begin so.
PREFIX = "vx11_search_"
SEGMENT_PREFIX = f"{PREFIX}terms_"
INSERT_ROWS = 500
# GIN collects new terms in a list, and every search reads it: 512 KiB cost half a millisecond.
PENDING_KIB = 512
# An arbitrary constant: two processes must not make the same tables at once.
ADVISORY_LOCK = 0x76783132

CREATE = f"""
SELECT pg_advisory_xact_lock({ADVISORY_LOCK});
CREATE UNLOGGED TABLE IF NOT EXISTS {PREFIX}state (
    id integer PRIMARY KEY, format integer NOT NULL, epoch text NOT NULL, low bigint NOT NULL, high bigint NOT NULL,
    generation text NOT NULL, holder text NOT NULL, held_until timestamptz NOT NULL
);
CREATE UNLOGGED TABLE IF NOT EXISTS {PREFIX}segments (number bigint PRIMARY KEY);
CREATE UNLOGGED TABLE IF NOT EXISTS {PREFIX}tallies (
    first bigint PRIMARY KEY, last bigint NOT NULL UNIQUE, first_minute bigint NOT NULL, last_minute bigint NOT NULL,
    severities bytea NOT NULL, sources bytea NOT NULL, minutes bytea NOT NULL
);
"""
# Numbers and names in these texts are ours.
_SEGMENT = """
CREATE UNLOGGED TABLE {table} (seq bigint PRIMARY KEY, terms tsvector NOT NULL);
CREATE INDEX ON {table} USING gin (terms) WITH (gin_pending_list_limit = {pending});
"""
_UNTIL = f"clock_timestamp() + interval '{LEASE_SECONDS} seconds'"
CLAIM = f"""
INSERT INTO {PREFIX}state AS mine VALUES (1, {FORMAT}, '', 1, 0, '', %(holder)s, {_UNTIL})
ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE %(force)s OR mine.holder = excluded.holder OR mine.held_until < clock_timestamp()
RETURNING format
"""  # noqa: S608
RELEASE = f"UPDATE {PREFIX}state SET holder = '', held_until = 'epoch' WHERE holder = %s"  # noqa: S608
LOCK_HOLDER = f"SELECT holder FROM {PREFIX}state FOR UPDATE"  # noqa: S608
SET_STATE = f"UPDATE {PREFIX}state SET epoch = %s, low = %s, high = %s, generation = %s"  # noqa: S608
SET_RANGE = f"UPDATE {PREFIX}state SET low = %s, high = %s"  # noqa: S608
ADD_SEGMENT = f"INSERT INTO {PREFIX}segments VALUES (%s) ON CONFLICT DO NOTHING"  # noqa: S608
# Searches read the list of segments in their transaction, so this waits until they have ended: none of them loses a
# segment that its state promised.
LOCK_SEGMENTS = f"LOCK TABLE {PREFIX}segments IN ACCESS EXCLUSIVE MODE"
# A segment that was deleted by hand: searches fail, which cannot be told from one that was pruned meanwhile.
LOST_SEGMENTS = f"SELECT number FROM {PREFIX}segments WHERE to_regclass('{SEGMENT_PREFIX}' || number) IS NULL"  # noqa: S608
SEGMENTS_BELOW = f"SELECT number FROM {PREFIX}segments WHERE number < %s"  # noqa: S608
_STATE = f"SELECT format, epoch, low, high, generation FROM {PREFIX}state"  # noqa: S608
_OURS = f"FROM pg_class WHERE relkind = 'r' AND starts_with(relname, '{PREFIX}') AND pg_table_is_visible(oid)"
# The list of segments first: it is what a search locks first.
TABLES = f"SELECT relname {_OURS} ORDER BY relname"
FORGET_SEGMENTS = f"DELETE FROM {PREFIX}segments; DELETE FROM {PREFIX}tallies"  # noqa: S608
FORGET_TALLIES_BELOW = f"DELETE FROM {PREFIX}tallies WHERE last < %s"  # noqa: S608
# One statement, so the tallies are of the log that the state names.
_TALLIES = f"""
SELECT first, last, first_minute, last_minute,
    CASE WHEN %(enough)s THEN severities END, CASE WHEN NOT %(enough)s THEN sources END,
    CASE WHEN NOT %(enough)s AND (first_minute - %(start)s) / %(minutes)s <> (last_minute - %(start)s) / %(minutes)s
    THEN minutes END
FROM {PREFIX}tallies WHERE first BETWEEN %(low)s AND %(high)s AND last <= %(high)s
    AND EXISTS (SELECT FROM {PREFIX}state WHERE format = {FORMAT} AND epoch = %(epoch)s)
ORDER BY first DESC LIMIT %(limit)s
"""  # noqa: S608
_BESIDE = f"SELECT * FROM {PREFIX}tallies WHERE first = %s OR last = %s"  # noqa: S608
_FORGET_TALLIES = f"DELETE FROM {PREFIX}tallies WHERE first = ANY(%s)"  # noqa: S608
_INSERT_TALLY = f"INSERT INTO {PREFIX}tallies VALUES (%s, %s, %s, %s, %s, %s, %s)"  # noqa: S608
SIZE = f"SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint {_OURS}"
# Terms hold no spaces.
_INSERT = """
INSERT INTO {table} SELECT seq, array_to_tsvector(string_to_array(terms, ' '))
FROM unnest(%s::bigint[], %s::text[]) AS rows(seq, terms)
"""
# One way of each search is left to the planner, which knows little of tables that have just been filled: in the order
# of the primary key, or GIN alone (the key is hidden from it by an addition).
_LIMITS = (
    "set_config('statement_timeout', %s, true), set_config('enable_seqscan', 'off', true), "
    "set_config('enable_indexscan', %s, true), set_config('enable_bitmapscan', %s, true)"
)
_OPEN = (
    f"SELECT format, epoch, low, high, generation, ARRAY(SELECT number FROM {PREFIX}segments "  # noqa: S608
    f"WHERE number BETWEEN %s AND %s ORDER BY number), {_LIMITS} FROM {PREFIX}state"
)
_SEARCH = "SELECT seq FROM {table} WHERE terms @@ %s::tsquery AND {seq} BETWEEN %s AND %s ORDER BY seq {order} LIMIT %s"


class Part(NamedTuple):
    """A part of one segment, and how it is searched: in the order of seqs, or by GIN."""

    number: int
    low: int
    high: int
    is_ordered: bool

    def search(self, cursor: CursorWrapper, query: str, limit: int, *, forwards: bool) -> list[int]:
        seq, order = "seq" if self.is_ordered else "seq + 0", "ASC" if forwards else "DESC"
        statement = _SEARCH.format(table=segment_table(self.number), seq=seq, order=order)
        cursor.execute(statement, [query, self.low, self.high, limit])
        return [seq for (seq,) in cursor.fetchall()]


def open_search(cursor: CursorWrapper, ends_at: float, segments: range) -> tuple[State | None, list[int]]:
    """The state, and which of these segments there are; ready for parts that are ordered. Raises TooSlow."""
    cursor.execute(_OPEN, [segments.start, segments.stop - 1, *_limits(ends_at, is_ordered=True)])
    row: Any = cursor.fetchone()
    return (None, []) if row is None else (_as_state(row), row[5])


def search_by_gin(cursor: CursorWrapper, ends_at: float) -> None:
    """Of this transaction, what comes next. Raises TooSlow."""
    cursor.execute(f"SELECT {_LIMITS}", _limits(ends_at, is_ordered=False))


def _limits(ends_at: float, *, is_ordered: bool) -> list[str]:
    left_ms = int((ends_at - time.monotonic()) * 1000)
    if left_ms < 1:
        raise TooSlow
    return [str(left_ms), "on" if is_ordered else "off", "off" if is_ordered else "on"]


def drop_tables(cursor: CursorWrapper, beginning: str = PREFIX) -> None:
    """All whose names begin so, also those that are in no list."""
    cursor.execute(TABLES)
    for (name,) in cursor.fetchall():
        if name.startswith(beginning):
            cursor.execute(f'DROP TABLE "{name}"')


def segment_table(number: int) -> str:
    return f"{SEGMENT_PREFIX}{number:d}"


def read_state(cursor: CursorWrapper) -> State | None:
    cursor.execute(_STATE)
    row: Any = cursor.fetchone()
    return None if row is None else _as_state(row)


def _as_state(row: Any) -> State | None:
    if row[0] != FORMAT:
        raise Damaged("of another format")
    return State(*row[1:5]) if row[1] else None


def insert(cursor: CursorWrapper, number: int, rows: Iterable[Row]) -> None:
    """Into a segment, which is made if it is not there."""
    cursor.execute(ADD_SEGMENT, [number])
    if cursor.rowcount:
        cursor.execute(_SEGMENT.format(table=segment_table(number), pending=PENDING_KIB))
    statement = _INSERT.format(table=segment_table(number))
    for batch in _batches(rows):
        cursor.execute(statement, [[seq for seq, _ in batch], [" ".join(terms) for _, terms in batch]])


def tallies(
    cursor: CursorWrapper, epoch: str, low: int, high: int, wanted: Wanted, limit: int, ends_at: float
) -> list[Tally]:
    """The newest first. The columns that are not needed are not read from the disk. Raises TooSlow."""
    cursor.execute("SELECT set_config('statement_timeout', %s, true)", _limits(ends_at, is_ordered=True)[:1])
    cursor.execute(_TALLIES, {"epoch": epoch, "low": low, "high": high, "limit": limit, **wanted.columns})
    return _as_tallies(cursor)


def add_tally(cursor: CursorWrapper, tally: Tally) -> None:
    """As one with those beside it that it takes in."""
    while True:
        cursor.execute(_BESIDE, [tally.last + 1, tally.first - 1])
        beside = [found for found in _as_tallies(cursor) if tally.takes_in(found)]
        if not beside:
            break
        cursor.execute(_FORGET_TALLIES, [[found.first for found in beside]])
        tally = tally.together(beside)
    cursor.execute(_INSERT_TALLY, tally)


def _as_tallies(cursor: CursorWrapper) -> list[Tally]:
    return [Tally(*row) for row in cursor.fetchall()]


def drop(cursor: CursorWrapper, numbers: Iterable[int]) -> None:
    for number in numbers:
        cursor.execute(f"DROP TABLE IF EXISTS {segment_table(number)}")
        cursor.execute(f"DELETE FROM {PREFIX}segments WHERE number = %s", [number])  # noqa: S608


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(itertools.islice(left, INSERT_ROWS)):
        yield batch
