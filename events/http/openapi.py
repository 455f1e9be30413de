"""The OpenAPI document's part on events and streams, in JSON Schema. Nothing here runs in a request."""

from events import log, search
from events.http import polling
from events.http.parameters import ALIASES_TOO, CURSOR_OR_EMPTY, FILTERS, QUERY, QUERY_MEANS
from events.stream import sse
from events.stream.stream_request import ALLOW, FLAGS
from gateway.filters import SEVERITIES, SEVERITY_ALIASES
from gateway.http.openapi import (
    COMMON_HEADERS,
    ID,
    MOMENT,
    Json,
    any_case,
    component,
    exactly,
    refuses,
    text,
)
from vx11_client.wire_names import MODULE_FORM

CURSOR = text(log.CURSOR_FORM)
_NAME = text(log.TYPE_FORM)
_SEARCHED: Json = exactly(cursor=CURSOR)
_SEARCHED_AT: Json = exactly(cursor=CURSOR, time={"anyOf": [MOMENT, {"type": "null"}]})
_COUNT: Json = {"type": "integer", "minimum": 0}
_SEQ: Json = {"type": "integer", "minimum": 1}
_RESERVED_WORDS = [text(word) for word in sorted(log.RESERVED_TYPES)]
_RESERVED_PREFIXES = [text(prefix.replace(".", "[.]") + ".*") for prefix in log.RESERVED_PREFIXES]


def _optional(schema: Json) -> Json:
    """The same, or null, which counts as left out."""
    return {**schema, "type": [schema["type"], "null"]}


_SUBMISSION: Json = {
    "type": "object",
    "description": f"At most {log.EVENT_LIMIT_BYTES} bytes of JSON. All other data goes into `payload`.",
    "required": ["event_type", "summary"],
    "additionalProperties": False,
    "properties": {
        "event_type": {**_NAME, "not": {"anyOf": _RESERVED_WORDS + _RESERVED_PREFIXES}},
        "summary": {"type": "string", "minLength": 1, "maxLength": log.SUMMARY_LIMIT},
        "severity": {"enum": [*SEVERITIES, *SEVERITY_ALIASES, None], "description": "info unless given."},
        "module": {**_optional(text(MODULE_FORM)), "description": "The token's unless given."},
        "payload": _optional({"type": "object", "additionalProperties": component("Value")}),
        "correlation_id": {**_optional(ID), "description": "The request's unless given."},
        "event_id": {**_optional(ID), "description": "The publisher's own; makes a retry safe."},
        "occurred_at": {**_optional(MOMENT), "description": "UTC unless it says otherwise."},
    },
}
_PLACE = {"event_id": ID, "seq": _SEQ}
SCHEMAS: dict[str, Json] = {
    "Value": {
        "description": "Any JSON without NUL and lone surrogates, at most 32 levels deep.",
        "anyOf": [
            {"type": ["string", "boolean", "null"]},
            # JSON Schema takes 1e30 for a whole number; we do not, so no bounds can be given here.
            {"type": "number", "description": "Kept as written: a double, or a whole number of 64 bits."},
            {"type": "array", "items": component("Value")},
            {"type": "object", "additionalProperties": component("Value")},
        ],
    },
    "Submission": _SUBMISSION,
    "SubmissionBatch": {
        **exactly(
            events={
                "type": "array",
                "description": "All or none of them. Without an Idempotency-Key: here, event_ids make a retry safe.",
                "items": component("Submission"),
                "minItems": 1,
                "maxItems": log.BATCH_LIMIT_EVENTS,
            }
        ),
        "additionalProperties": False,
    },
    "Publication": {"anyOf": [component("Submission"), component("SubmissionBatch")]},
    "Place": exactly(**_PLACE),
    "Published": exactly(**_PLACE, cursor=CURSOR),
    "PublishedBatch": exactly(
        events={"type": "array", "items": component("Place"), "minItems": 1},
        cursor=CURSOR,
        new={"type": "integer", "minimum": 0, "description": "How many of them were not in the log before."},
    ),
    "Event": exactly(
        type={"const": "event"},
        event_id=ID,
        seq=_SEQ,
        event_type=_NAME,
        summary={"type": "string", "maxLength": log.SUMMARY_LIMIT},
        module={"type": "string"},
        severity={"enum": list(SEVERITIES)},
        correlation_id=ID,
        payload={"type": "object"},
        created_at=MOMENT,
        occurred_at=_optional(MOMENT),
    ),
    "EventPage": exactly(
        events={"type": "array", "items": component("Event"), "maxItems": polling.LIMIT_MAX},
        total={
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": search.COUNT_LIMIT,
            "description": "Matching retained events, counted so far; null where counting would take long.",
        },
        limit={"type": "integer", "minimum": 1, "maximum": polling.LIMIT_MAX},
        cursor={**CURSOR, "description": "What to send as `since` to go on."},
        first_cursor={**CURSOR, "description": "What to send as `before` to page backwards."},
        has_more={"type": "boolean", "description": "There is more to be read, or to be looked at, in this direction."},
        searched_from={**_SEARCHED_AT, "description": "Everything after this"},
        searched_to={**_SEARCHED_AT, "description": "and up to this was looked at."},
        complete={
            "type": "boolean",
            "description": "False: the search was ended early. It goes on from `cursor`, or `first_cursor` backwards.",
        },
    ),
    "Stats": exactly(
        seconds=_COUNT,
        bucket=_COUNT,
        buckets={
            "type": "array",
            "description": "Oldest first, without holes.",
            "items": exactly(start=MOMENT, **dict.fromkeys(SEVERITIES, _COUNT)),
        },
        cursor={**CURSOR, "description": "What comes after it is not counted yet."},
        searched_from={**_SEARCHED, "description": "Everything after this is counted."},
        complete={"type": "boolean", "description": "False: what is older than `searched_from` is not counted."},
    ),
    "Facets": exactly(
        facets={
            "type": "object",
            "description": "By field: its most frequent values.",
            "additionalProperties": exactly(
                values={"type": "array", "items": exactly(value={"type": "string"}, count=_COUNT)},
                distinct={**_COUNT, "description": "How many values were found."},
                sample={"type": "boolean", "description": "True: counted in the newest events that match, not in all."},
            ),
        },
        searched_from={**_SEARCHED, "description": "Everything after this is counted."},
        complete={"type": "boolean", "description": "False: what is older than `searched_from` is not counted."},
    ),
    "Connected": exactly(
        type={"const": "connected"},
        message={"type": "string"},
        stream_id={"type": "string", "format": "uuid"},
        cursor=CURSOR,
        heartbeat_sec=_SEQ,
        time=MOMENT,
    ),
    "Heartbeat": exactly(cursor=CURSOR, time=MOMENT),
    "CaughtUp": exactly(cursor=CURSOR),
    "StreamReset": exactly(reason={"enum": ["expired", "epoch", "unknown"]}, oldest=CURSOR, newest=CURSOR),
    "StreamEnd": exactly(reason={"type": "string"}, retry_ms=_COUNT),
}


def _frame(event: str, data: Json) -> Json:
    """What an event stream parser gives: `data` is JSON as text."""
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"const": event},
            "id": {**CURSOR, "description": "Where the reader is with this; what to come back with."},
            "retry": {**_COUNT, "description": "Milliseconds to wait before coming back."},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
        },
    }


# A frame without a name is called `message` by every parser.
SCHEMAS["Frame"] = {
    "description": "One event of the stream. Comments keep proxies awake and mean nothing.",
    "anyOf": [
        _frame("message", {"anyOf": [component("Connected"), component("Event")]}),
        _frame("heartbeat", component("Heartbeat")),
        _frame("caught-up", component("CaughtUp")),
        _frame("stream-reset", component("StreamReset")),
        _frame("stream-end", component("StreamEnd")),
    ],
}


# Which answers lead on to which requests, by the operation that gives them.
LINKS: dict[str, Json] = {
    "issue_ticket": {"open": {"operationId": "stream", "parameters": {"token": "$response.body#/sse_token"}}},
    "poll": {
        "next": {"operationId": "poll", "parameters": {"since": "$response.body#/cursor"}},
        "previous": {"operationId": "poll", "parameters": {"before": "$response.body#/first_cursor"}},
        "live": {"operationId": "stream", "parameters": {"last_event_id": "$response.body#/cursor"}},
    },
}
PUBLISHED = {"oneOf": [component("Published"), component("PublishedBatch")]}


def stream_operations() -> dict[str, Json]:
    """The stream's methods. Written by hand, because a consumer answers it and no view."""
    own = [
        _stream_parameter("token", {"type": "string", "format": "uuid"}, "A ticket; it goes before tokens in headers."),
        _stream_parameter(
            "last_event_id", CURSOR_OR_EMPTY, "Cursor to go on from; without one, from now. " + ALIASES_TOO
        ),
        _stream_parameter("follow", text(any_case(tuple(FLAGS))), "false: replay what is there, then end."),
        {
            **_stream_parameter("Last-Event-ID", CURSOR_OR_EMPTY, "As last_event_id, and goes before it."),
            "in": "header",
        },
    ]
    filters = [
        *(_stream_parameter(name, schema, "May repeat or hold a comma list.") for name, schema in FILTERS.items()),
        _stream_parameter("q", QUERY, QUERY_MEANS),
    ]
    headers = {name: {"required": True, "schema": {"const": value}} for name, value in sse.HEADERS.items()}
    del headers["Content-Type"]
    content = {"text/event-stream": {"schema": component("Frame")}}
    common = {"tags": ["events"], "parameters": own + filters}
    refusals = refuses("cross_site", "not_acceptable", "rate_limited", "at_capacity", "validation_error")
    open_stream = {
        "operationId": "stream",
        "description": "Server-Sent Events: what is after the cursor, then what happens, as it happens. "
        "The schema is that of one frame. A ticket is used up by this, and by nothing else.",
        "responses": {"200": {"description": "The stream", "headers": headers, "content": content}},
    }
    probe = {
        "operationId": "stream_head",
        "description": "What GET would answer, without its body. Uses nothing up.",
        "responses": {"200": {"description": "A stream would open.", "headers": headers}},
    }
    allow = {"Allow": {"required": True, "schema": {"const": ALLOW}}}
    ask = {
        "operationId": "stream_options",
        "description": "Which methods there are.",
        "tags": ["events"],
        "responses": {"204": {"description": "In the Allow header.", "headers": COMMON_HEADERS | allow}},
    }
    return {"get": open_stream | common | refusals, "head": probe | common | refusals, "options": ask}


def _stream_parameter(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}
