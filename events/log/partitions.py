"""The partitions of the event table on PostgreSQL, each for one range of seqs. For events.log only.

On SQLite there are none. A range is made before it is needed, by the append that comes near it: that one holds the
head's lock, so no two processes make the same range, and it waits for no reader and no backup. A range whose events are
all pruned is dropped as a whole, in milliseconds however many they are. See docs/adr/0021-partitions-by-seq.md.
"""

import logging
import re
import time
from collections.abc import Collection, Iterable
from typing import NamedTuple

from django.db import DatabaseError, connection, transaction

from events.log.tables import Event

logger = logging.getLogger(__name__)

# A dropped partition is a tenth of what PostgreSQL keeps by default. Smaller ones would be more of them, and a
# publisher's own id is looked up in each.
PARTITION_SEQS = 10_000_000
# Made when the log comes so near: minutes before it is needed, at the highest rate.
AHEAD_SEQS = PARTITION_SEQS // 2
# How long an append waits for the lock that a range needs, and how long until the next try. Only vacuumdb, ANALYZE or a
# migration of the table as a whole have that lock.
CREATE_LOCK_MS = 50
RETRY_SECONDS = 10.0
# Dropping waits for all readers of the table, and all that come meanwhile wait for it: for no longer than this.
DROP_LOCK_MS = 50
DROP_TRIES = 20
DROP_PAUSE_SECONDS = 0.25
# lock_not_available, deadlock_detected.
LOCK_FAULTS = ("55P03", "40P01")

TABLE = Event._meta.db_table
_RANGES = """
    SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
    FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = %s::regclass
"""
_SET_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', %s, true)"
_BOUND = re.compile(r"FOR VALUES FROM \((?:'(-?\d+)'|MINVALUE)\) TO \('(-?\d+)'\)")
# Each range has the parent's indexes. Unique ones without the key cannot span ranges, so each has its own.
_CREATE = """
    CREATE TABLE "{name}" (LIKE "{table}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);
    CREATE UNIQUE INDEX "{name}_event_id" ON "{name}" ("event_id", "publisher");
    CREATE UNIQUE INDEX "{name}_key" ON "{name}" ("idempotency_key", "publisher") WHERE "idempotency_key" IS NOT NULL;
    ALTER TABLE "{table}" ATTACH PARTITION "{name}" FOR VALUES FROM ({start}) TO ({end})
"""


class Range(NamedTuple):
    """Rows with `start` <= seq < `end`. The first range begins before all seqs."""

    name: str
    start: int
    end: int


class _Known(NamedTuple):
    """What this process knows of a database: that it has ranges for all seqs from `start` on and before `end`."""

    incarnation: str = ""
    start: int = 0
    end: int = 0
    # The next range could not be made: not again before that moment.
    retry_at: float = 0.0


_known = _Known()


def ranges() -> list[Range]:
    """All of them, in order; empty on SQLite."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_RANGES, [TABLE])
        found = [(name, _BOUND.fullmatch(bound or "")) for name, bound in cursor.fetchall()]
    # A partition of another kind is none of ours, and no row of ours is in it.
    parsed = [Range(name, int(bound[1] or 0), int(bound[2])) for name, bound in found if bound]
    return sorted(parsed, key=lambda one: one.end)


def make_room(incarnation: str, first_seq: int, last_seq: int) -> None:
    """See that these new rows have ranges, and those that come soon; called with the head locked.

    Raises DatabaseError if one is needed now and cannot be made. One that is needed later is tried for again.
    """
    global _known
    if connection.vendor != "postgresql" or _is_known(incarnation, first_seq, last_seq):
        return
    there = ranges()
    missing = _missing(there, (*range(first_seq, last_seq, PARTITION_SEQS), last_seq))
    for start in missing:
        _create(start)
    # Ranges that are made here are not known before they are committed: the next append looks again.
    end, retry_at = 0 if missing else _covered(there, last_seq), 0.0
    if end and end <= last_seq + AHEAD_SEQS:
        try:
            with transaction.atomic():
                _create(end)
        except DatabaseError as error:
            logger.warning(
                "the events after %d have no partition yet: %s", end, type(error.__cause__ or error).__name__
            )
            retry_at = time.monotonic() + RETRY_SECONDS
        else:
            end = 0
    _known = _Known(incarnation, first_seq, end, retry_at)


def _is_known(incarnation: str, first_seq: int, last_seq: int) -> bool:
    """Whether there is room enough, or room for these rows while making more must wait."""
    if _known.incarnation != incarnation or not _known.start <= first_seq <= last_seq < _known.end:
        return False
    return last_seq < _known.end - AHEAD_SEQS or time.monotonic() < _known.retry_at


def cover(seqs: Collection[int]) -> None:
    """Make what is missing for rows that are copied here with their seqs, in the transaction that is open."""
    if connection.vendor == "postgresql":
        for start in _missing(ranges(), seqs):
            _create(start)


def room(last_seq: int) -> int | None:
    """For how many more events there are ranges; None where the next append makes one, or none are needed."""
    end = _covered(ranges(), last_seq)
    return end - last_seq - 1 if end else None


def floor_of(seq: int) -> int:
    """Where the range of this seq begins; the seq itself where there are none."""
    return next((one.start for one in ranges() if one.start <= seq < one.end), seq)


def drop(name: str) -> bool:
    """Drop a range with all its rows; whether that was possible without making others wait.

    A backup reads the table for as long as it takes, and so does a forgotten transaction. Then rows stay for now.
    """
    for number in range(DROP_TRIES):
        if number:
            time.sleep(DROP_PAUSE_SECONDS)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{DROP_LOCK_MS}ms'")
                cursor.execute(f'DROP TABLE "{name}"')
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) not in LOCK_FAULTS:
                raise
        else:
            return True
    return False


def _missing(there: list[Range], seqs: Iterable[int]) -> list[int]:
    """Where the ranges begin that these seqs need and that are not there."""
    starts = {seq // PARTITION_SEQS * PARTITION_SEQS for seq in seqs}
    return [start for start in sorted(starts) if not any(one.start <= start < one.end for one in there)]


def _covered(there: list[Range], seq: int) -> int:
    """The first seq after this one that has no range; 0 if this one has none itself, as far as is known."""
    end = 0
    for one in there:
        if one.start <= (end or seq) < one.end:
            end = one.end
    return end


def _create(start: int) -> None:
    """Raises DatabaseError, with the lock's time limit too."""
    script = _CREATE.format(name=f"{TABLE}_from_{start}", table=TABLE, start=start, end=start + PARTITION_SEQS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        (before,) = cursor.fetchone()
        cursor.execute(_SET_LOCK_TIMEOUT, [f"{CREATE_LOCK_MS}ms"])
        cursor.execute(script)
        cursor.execute(_SET_LOCK_TIMEOUT, [before])
    logger.info("the log has a partition for the events from %d on", start)
