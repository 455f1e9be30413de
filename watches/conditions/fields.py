"""The fields by which a watch groups events, or looks for new values: names, and the values an event has. Pure."""

import itertools
from collections.abc import Callable

from events import query
from events.query import BadQuery, RecordView
from events.query.record_view import as_text, is_scalar

# Fields of every event; all others are paths into the payload.
FIELDS = ("module", "event_type", "severity", "correlation_id")
# Longer values are cut: those that begin alike are one group.
VALUE_LENGTH = 200
# Values of one event that count: where a list is on the way, there may be any number of them.
VALUES_LIMIT = 10

ValuesOf = Callable[[RecordView], tuple[str, ...]]


def is_field(name: str) -> bool:
    try:
        return name in FIELDS or bool(query.read_path(name))
    except BadQuery:
        return False


def values_of(name: str) -> ValuesOf:
    """Reads the different values that an event has there, in their order; none if it has none."""
    if name in FIELDS:
        return lambda record: (record.field(name),)
    path = query.read_path(name)

    def of_payload(record: RecordView) -> tuple[str, ...]:
        found = (_storable(as_text(value)) for value in record.at(path) if is_scalar(value))
        return tuple(dict.fromkeys(itertools.islice(found, VALUES_LIMIT)))

    return of_payload


def _storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor half a surrogate pair."""
    return text[:VALUE_LENGTH].replace("\0", "").encode(errors="replace").decode()
