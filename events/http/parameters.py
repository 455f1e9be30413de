"""Parameters of the operations on events, in JSON Schema: filters, queries, times and places in the log."""

from typing import Literal

from drf_spectacular.utils import OpenApiParameter

from events import log, search
from events.http import polling
from events.stream.stream_request import CURSOR_ALIASES, FLAGS
from gateway.http.openapi import ID, MOMENT, SEVERITY_LIST, VALUE_LIST, Json, any_case, text

BUCKET_MAX_SECONDS = 3600
ALIASES_TOO = f"Also read by the names {', '.join(CURSOR_ALIASES)}."
CURSOR_OR_EMPTY = text(f"(?:{log.CURSOR_FORM.pattern})?")


def _parameter(
    name: str, schema: Json, description: str, *, location: Literal["query", "header", "path"] = "query"
) -> OpenApiParameter:
    return OpenApiParameter(name, schema, location, description=description)


def _number(name: str, *, minimum: int, maximum: int, default: int, description: str) -> OpenApiParameter:
    return _parameter(
        name, {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}, description
    )


FILTERS = {
    "severity": SEVERITY_LIST,
    "module": VALUE_LIST,
    "event_type": VALUE_LIST,
    "correlation_id": VALUE_LIST,
}
QUERY: Json = {"type": "string"}
QUERY_MEANS = (
    'A query, such as `severity>=warn module:gateway "connection refused"`; what passes it passes the filters, too.'
)
FILTER_PARAMETERS = [
    *(_parameter(name, schema, "May repeat or hold a comma list.") for name, schema in FILTERS.items()),
    _parameter("q", QUERY, QUERY_MEANS),
]
_TIME: Json = {"anyOf": [MOMENT, {"type": "string", "pattern": "^-[0-9]{1,6}[smhd]$"}, {"const": ""}]}
_WINDOW_PARAMETERS = [
    _parameter("from", _TIME, "Events stored at this time or later; `-15m` is a quarter of an hour ago."),
    _parameter("to", _TIME, "Events stored before this time."),
]
LIMIT_PARAMETER = _number(
    "limit", minimum=1, maximum=polling.LIMIT_MAX, default=polling.LIMIT_DEFAULT, description="Events in a page."
)
NAME_PARAMETERS = [_parameter("name", ID, "The event's `event_id`, or its cursor.", location="path")]
POLL_PARAMETERS = [
    *FILTER_PARAMETERS,
    _parameter("since", CURSOR_OR_EMPTY, "Cursor: events after it."),
    _parameter("last_event_id", CURSOR_OR_EMPTY, f"As `since`, which goes before it. {ALIASES_TOO}"),
    _parameter("before", CURSOR_OR_EMPTY, "Cursor: events before it, to page backwards."),
    _parameter("at", {"anyOf": [MOMENT, {"const": ""}]}, "The page around this time."),
    _parameter("from", _TIME, "Events stored at this time or later; `-15m` is a quarter of an hour ago."),
    _parameter("to", _TIME, "Events stored before this time."),
    _parameter("total", text(any_case(tuple(FLAGS))), "true: count what matches, also with `q`, `from` or `to`."),
    LIMIT_PARAMETER,
    _number(
        "wait",
        minimum=0,
        maximum=polling.WAIT_MAX_SECONDS,
        default=0,
        description="With `since`: the seconds to wait for something to happen.",
    ),
]
EXPORT_PARAMETERS = [
    *FILTER_PARAMETERS,
    *_WINDOW_PARAMETERS,
    _parameter("since", CURSOR_OR_EMPTY, "Cursor: events after it; the last line of an export has one to go on from."),
    _parameter("format", {"enum": ["ndjson", "csv", ""]}, "ndjson unless given."),
    OpenApiParameter(
        "Content-Disposition", {"type": "string"}, "header", description="A name for the file.", response=[200]
    ),
]
KEY_PARAMETER = _parameter(
    "Idempotency-Key",
    text(f"(?:{log.KEY_FORM.pattern})?"),
    "Makes the retry of a single event safe.",
    location="header",
)


def stats_parameters(*, max_seconds: int, most_buckets: int, buckets: tuple[int, int]) -> list[OpenApiParameter]:
    default, most = buckets
    return [
        *FILTER_PARAMETERS,
        *_WINDOW_PARAMETERS,
        _number("seconds", minimum=1, maximum=max_seconds, default=900, description="How far back, without `from`."),
        _number(
            "bucket",
            minimum=1,
            maximum=BUCKET_MAX_SECONDS,
            default=5,
            description=f"Seconds in a bucket. There may be {most_buckets} of them.",
        ),
        _number(
            "buckets",
            minimum=1,
            maximum=most,
            default=default,
            description="With `from`, `to` or `by=occurred_at`: about how many buckets there are to be.",
        ),
        _parameter(
            "by",
            {"enum": ["created_at", "occurred_at", ""]},
            "The time by which events are counted: when they were stored, or when they happened.",
        ),
        _parameter("occurred_from", _TIME, "With `by=occurred_at`: events that happened at this time or later."),
        _parameter("occurred_to", _TIME, "With `by=occurred_at`: events that happened before this time."),
    ]


def facets_parameters(*, most_fields: int, values_default: int, most_values: int) -> list[OpenApiParameter]:
    return [
        *FILTER_PARAMETERS,
        *_WINDOW_PARAMETERS,
        _parameter(
            "fields",
            {"type": "string"},
            f"At most {most_fields}, with commas: {', '.join(search.FIELDS)}, or payload.<path>.",
        ),
        _number("limit", minimum=1, maximum=most_values, default=values_default, description="Values for each field."),
    ]
