"""Which database a log lives in: distinguishes a standby that took over, and a restored dump, from the one before.

On PostgreSQL that is its timeline, which every promotion and every restore to a point in time raises, and the table's
own id, which is new when a dump makes the table anew. SQLite has nothing of the kind, and an incarnation of "".
"""

from django.db import connection

# Both are read from shared memory, which costs nothing beside the lock that the same query takes. On a server that is
# read-only the first raises an error, but there the head cannot be locked either.
_TIMELINE = "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
_POSTGRESQL = f"{_TIMELINE} || '-' || tableoid::text"
# True: a commit that readers have seen is on a standby too.
_WAITS_FOR_STANDBY = (
    "current_setting('synchronous_standby_names') <> '' AND "
    "current_setting('synchronous_commit') IN ('on', 'remote_apply')"
)


def columns() -> str:
    """SQL, for a query of the head's table: the incarnation, whether commits wait for a standby, and the time."""
    if connection.vendor != "postgresql":
        # SQLite's clock is this process's.
        return "'', 0, NULL"
    return f"{_POSTGRESQL}, {_WAITS_FOR_STANDBY}, clock_timestamp()"


def is_promotion(before: str, now: str) -> bool:
    """Whether only the timeline differs: a standby has taken over, or the log was restored to a point in time."""
    return before.partition("-")[2] == now.partition("-")[2]
