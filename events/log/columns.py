"""Rows of the log as the database gives them, by plain statements: for those that read many rows and keep few of them.

Django's way takes two milliseconds for a statement that names 500 rows, and more for the times of rows that are
compared and left out. For events.log only.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection

from events.log.records import READ_FIELDS, Record
from events.log.tables import Event
from gateway.filters import Selection

_TABLE = Event._meta.db_table
# An expression has no declared type on SQLite: its times stay texts, which are read only where they are needed.
_TIMES = {"sqlite": "{name} || ''", "postgresql": "{name}"}
_ONE_OF_SEQS = {
    "sqlite": "seq IN (SELECT value FROM json_each(%s))",
    "postgresql": "seq = ANY(%s::bigint[])",
}
# Columns by the sets of a selection.
_SETS = {
    "severity": "severities",
    "module": "modules",
    "event_type": "event_types",
    "correlation_id": "correlation_ids",
}


class Columns(NamedTuple):
    """What readers see of an event, as it is stored. The times are texts on SQLite."""

    seq: int
    event_id: str
    event_type: str
    summary: str
    module: str
    severity: str
    correlation_id: str
    payload: str
    created_at: Any
    occurred_at: Any

    @property
    def created(self) -> datetime:
        return _moment(self.created_at)

    def record(self) -> Record:
        occurred_at = None if self.occurred_at is None else _moment(self.occurred_at)
        return Record(*self[:8], self.created, occurred_at)


def _moment(stored: Any) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC) if isinstance(stored, str) else stored


def read(selection: Selection, *, after: int, until: int, limit: int, backwards: bool = False) -> list[Columns]:
    """Rows with `after` < seq <= `until` whose fields pass, in order; queries are not looked at."""
    return _read(selection, "seq > %s AND seq <= %s", [after, until], limit, backwards=backwards)


def read_at(selection: Selection, seqs: Sequence[int], *, backwards: bool = False) -> list[Columns]:
    """The same of these rows, which need not be there."""
    # A list is a parameter of its own kind on each database.
    asked = json.dumps(list(seqs)) if connection.vendor == "sqlite" else list(seqs)
    return _read(selection, _ONE_OF_SEQS[connection.vendor], [asked], len(seqs), backwards=backwards)


def _read(selection: Selection, condition: str, parameters: list[Any], limit: int, *, backwards: bool) -> list[Columns]:
    for name, of in _SETS.items():
        values = getattr(selection, of)
        if values is not None:
            if not values:
                return []
            condition += f" AND {name} IN ({', '.join(['%s'] * len(values))})"
            parameters += sorted(values)
    statement = (
        f"SELECT {_selected(connection.vendor)} FROM {_TABLE} WHERE {condition} "  # noqa: S608 - names of ours
        f"ORDER BY seq {'DESC' if backwards else 'ASC'} LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, limit])
        return list(map(Columns._make, cursor.fetchall()))


def _selected(vendor: str) -> str:
    times = {name: _TIMES[vendor].format(name=name) for name in ("created_at", "occurred_at")}
    return ", ".join(times.get(name, name) for name in READ_FIELDS)
