"""New rows of the event table, written as fast as each database takes them. Only events.log calls this.

Django's bulk_create prepares every cell by itself, which was a third of the cost of publishing.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection

from events.entries import Record
from events.models import Event


class Row(NamedTuple):
    """A row to be: what readers see, and by what a retry is recognised."""

    record: Record
    publisher: str
    idempotency_key: str | None
    fingerprint: str


_FIELDS = (*Record._fields, *Row._fields[1:])
_TABLE = Event._meta.db_table
# Fields of Event, which has no column of another name.
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
# Names of our own, and no values: there is nothing in them to inject.
_INSERT = f'INSERT INTO "{_TABLE}" ({_COLUMNS}) VALUES ({", ".join(["%s"] * len(_FIELDS))})'  # noqa: S608 - as said
_COPY = f'COPY "{_TABLE}" ({_COLUMNS}) FROM STDIN'


def insert(rows: list[Row]) -> None:
    """Write the rows in the transaction that is open. Raises Django's database errors."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.cursor.copy(_COPY) as copy:
                for record, *rest in rows:
                    copy.write_row((*record, *rest))
        else:
            cursor.executemany(_INSERT, list(_adapted(rows)))


def _adapted(rows: list[Row]) -> Iterator[tuple[Any, ...]]:
    """Rows with times as Django stores them where the database has no type for them."""
    adapt = connection.ops.adapt_datetimefield_value
    # All rows of one commit were created at the same moment.
    moment, created_at = None, None
    for record, *rest in rows:
        if record.created_at is not moment:
            moment, created_at = record.created_at, adapt(record.created_at)
        occurred_at = None if record.occurred_at is None else adapt(record.occurred_at)
        yield (*record[:-2], created_at, occurred_at, *rest)
