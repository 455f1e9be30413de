"""The head's row and new rows of the event table, written as fast as each database takes them. For events.log only.

Django's bulk_create prepares every cell by itself, which was a third of the cost of publishing in batches; putting
together two queries for the head was half the cost of publishing one event.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple

from django.db import connection

from events.log import incarnation
from events.log.records import Record
from events.log.tables import Event, LogHead
from ledger import clock

# Record._replace() would take as long as all the rest of a row.
_CREATED_AT, _OCCURRED_AT = (Record._fields.index(name) for name in ("created_at", "occurred_at"))
_TABLE = Event._meta.db_table
# A record is written as it is, so the columns are named in its order.
_COLUMNS = ", ".join(f'"{name}"' for name in Record._fields)
# Names of our own, and no values: there is nothing in them to inject.
_INSERT = f'INSERT INTO "{_TABLE}" ({_COLUMNS}) VALUES ({", ".join(["%s"] * len(Record._fields))})'  # noqa: S608 - as said
_HEAD_FIELDS = ("epoch", "last_seq", "oldest_seq", "incarnation", "synchronous")
_HEAD_COLUMNS = ", ".join(f'"{name}"' for name in _HEAD_FIELDS)
_HEAD = f'SELECT {_HEAD_COLUMNS}, %s FROM "{LogHead._meta.db_table}" WHERE "id" = 1'  # noqa: S608 - as said
_MOVE = f'UPDATE "{LogHead._meta.db_table}" SET "last_seq" = %s WHERE "id" = 1'  # noqa: S608 - as said
_FOUND_FIELDS = ("publisher", "event_id", "idempotency_key", "seq", "fingerprint")
_FOUND_COLUMNS = ", ".join(f'"{name}"' for name in _FOUND_FIELDS)
_FIND = {
    column: f'SELECT {_FOUND_COLUMNS} FROM "{_TABLE}" WHERE "{column}" = ANY(%s)'  # noqa: S608 - as said
    for column in ("event_id", "idempotency_key")
}
_COPY = f'COPY "{_TABLE}" ({_COLUMNS}) FROM STDIN'


class LockedHead(NamedTuple):
    """The head's row, and of the database that it is locked in: its incarnation, if commits wait for a standby, and
    its time."""

    row: LogHead
    incarnation: str
    synchronous: bool
    now: datetime


def lock_head() -> LockedHead | None:
    """The head of the log, locked until the transaction ends; None before there is one."""
    locking = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD % incarnation.columns() + locking)
        found = cursor.fetchone()
    if found is None:
        return None
    *values, here, synchronous, now = found
    row = LogHead.from_db(connection.alias, ("id", *_HEAD_FIELDS), (1, *values))
    return LockedHead(row, here, bool(synchronous), now or clock.now())  # SQLite has no clock of its own


def move_head(last_seq: int) -> None:
    """Note the seq of the newest event, in the transaction that has locked the head."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [last_seq])


def insert(records: list[Record]) -> None:
    """Write the records in the transaction that is open. Raises Django's database errors."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.cursor.copy(_COPY) as copy:
                for record in records:
                    copy.write_row(record)
        else:
            cursor.executemany(_INSERT, list(_adapted(records)))


def find_by(column: Literal["event_id", "idempotency_key"], values: list[str]) -> list[tuple[Any, ...]]:
    """The rows with one of these values, as (publisher, event_id, idempotency_key, seq, fingerprint)."""
    found: list[tuple[Any, ...]] = []
    if not values:
        return found
    if connection.vendor == "postgresql":
        # One array and not a list of values, which PostgreSQL would plan with for each partition.
        with connection.cursor() as cursor:
            cursor.execute(_FIND[column], [values])
            return list(cursor.fetchall())
    limit = connection.features.max_query_params or len(values)
    for start in range(0, len(values), limit):
        rows = Event.objects.filter(**{f"{column}__in": values[start : start + limit]})
        found += rows.values_list(*_FOUND_FIELDS)
    return found


def _adapted(records: list[Record]) -> Iterator[list[Any]]:
    """The values of records, with times as Django stores them where the database has no type for them."""
    adapt: Callable[[datetime], Any] = connection.ops.adapt_datetimefield_value
    # All records of one commit were created at the same moment.
    moment, created_at = None, None
    for record in records:
        if record.created_at is not moment:
            moment, created_at = record.created_at, adapt(record.created_at)
        values = list(record)
        values[_CREATED_AT] = created_at
        if record.occurred_at is not None:
            values[_OCCURRED_AT] = adapt(record.occurred_at)
        yield values
