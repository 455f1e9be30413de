"""The OpenAPI document's part about watches, in JSON Schema. Nothing here runs in a request."""

from drf_spectacular.utils import OpenApiParameter

from events import query
from events.http.openapi import CURSOR
from gateway.http.openapi import MOMENT, Json, component, exactly, text
from watches.conditions import rules
from watches.definitions import TARGETS_LIMIT
from watches.http.firings import FIRINGS_DEFAULT, FIRINGS_MAX, PLACE_FORM
from watches.models import FIELD_LENGTH, NAME_LENGTH

_TEXT: Json = {"type": "string"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_MOMENT_OR_NULL: Json = {**MOMENT, "type": ["string", "null"]}
_CURSOR_OR_NULL: Json = {"anyOf": [CURSOR, {"type": "null"}]}
_FLAG: Json = {"type": "boolean"}
_COUNT: Json = {"type": "integer", "minimum": 0}


def _number(minimum: int, maximum: int) -> Json:
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def _closed(schema: Json) -> Json:
    return {**schema, "additionalProperties": False}


_CONDITION: Json = {
    "oneOf": [
        _closed(
            exactly(
                kind={"const": rules.COUNT},
                at_least=_number(1, rules.AT_LEAST_LIMIT),
                within_sec=_number(rules.WITHIN_SECONDS_MIN, rules.WITHIN_SECONDS_MAX),
            )
        ),
        _closed(
            exactly(kind={"const": rules.ABSENCE}, for_sec=_number(rules.ABSENT_SECONDS_MIN, rules.ABSENT_SECONDS_MAX))
        ),
        _closed(
            exactly(
                kind={"const": rules.NEW_VALUE},
                field={**_TEXT, "maxLength": FIELD_LENGTH, "description": "A field of events, or payload.<path>."},
                days=_number(rules.DAYS_MIN, rules.DAYS_MAX),
            )
        ),
        _closed(exactly(kind={"const": rules.EVERY})),
    ]
}
_QUIET: Json = exactly(**{"from": _TEXT, "to": _TEXT, "zone": _TEXT})
_FIELDS: dict[str, Json] = {
    "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH},
    "query": {
        "type": ["string", "null"],
        "maxLength": query.LENGTH_LIMIT_CHARACTERS,
        "description": "In the language of queries; empty: all events.",
    },
    "condition": _CONDITION,
    "group_by": {
        "type": ["string", "null"],
        "maxLength": FIELD_LENGTH,
        "description": "A field of events, or payload.<path>: one state for each of its values.",
    },
    "cooldown_sec": {
        **_number(rules.COOLDOWN_SECONDS_MIN, rules.COOLDOWN_SECONDS_MAX),
        "type": ["integer", "null"],
        "default": rules.COOLDOWN_SECONDS_DEFAULT,
    },
    "notify": {
        "type": ["array", "null"],
        "items": _TEXT,
        "maxItems": TARGETS_LIMIT,
        "description": "Names of targets.",
    },
    "shared": {"type": ["boolean", "null"], "description": "Others may see it, who may see what its owner sees."},
    "muted_until": _MOMENT_OR_NULL,
    "quiet": {"anyOf": [_QUIET, {"type": "null"}], "description": "Hours whose notices wait for their end."},
}
_SHOWN: dict[str, Json] = {
    "id": _COUNT,
    "name": _TEXT,
    "query": _TEXT,
    "condition": _CONDITION,
    "group_by": _TEXT_OR_NULL,
    "cooldown_sec": _COUNT,
    "notify": {"type": "array", "items": _TEXT},
    "shared": _FLAG,
    "muted_until": _MOMENT_OR_NULL,
    "quiet": _FIELDS["quiet"],
    "owner": _TEXT,
    "owner_id": _TEXT,
    "mine": _FLAG,
    "state": {"enum": ["active", "learning", "stopped"]},
    "stopped_because": _TEXT_OR_NULL,
    "stopped_at": _MOMENT_OR_NULL,
    "groups_full_at": {**_MOMENT_OR_NULL, "description": "When it last had more groups than are told apart."},
    "created_at": MOMENT,
    "begins_at": MOMENT,
}

SCHEMAS: dict[str, Json] = {
    "WatchDefinition": _closed({"type": "object", "required": ["name", "condition"], "properties": _FIELDS}),
    "WatchChange": _closed({"type": "object", "properties": _FIELDS}),
    "WatchMute": _closed({"type": "object", "properties": {"muted_until": _MOMENT_OR_NULL}}),
    "Watch": exactly(**_SHOWN),
    "Watches": exactly(watches={"type": "array", "items": component("Watch")}),
    "WatchPreview": exactly(
        would_fire=_COUNT,
        at={"type": "array", "items": MOMENT, "description": "The newest of the times."},
        events={**_COUNT, "description": "Events that pass."},
        searched_from={**MOMENT, "description": "From when on this is all."},
        complete={**_FLAG, "description": "All of the last seven days."},
    ),
    "Firing": exactly(
        firing_id={"type": "string", "format": "uuid"},
        watch_id=_COUNT,
        name=_TEXT,
        query=_TEXT,
        group_by=_TEXT_OR_NULL,
        owner=_TEXT,
        mine=_FLAG,
        muted_until={**_MOMENT_OR_NULL, "description": "Of the watch, as it is now."},
        group=_TEXT,
        fired_at=MOMENT,
        resolved_at=_MOMENT_OR_NULL,
        count=_COUNT,
        values={"type": "array", "items": _TEXT},
        first=_CURSOR_OR_NULL,
        last=_CURSOR_OR_NULL,
        first_at={**_MOMENT_OR_NULL, "description": "When the event `first` was stored; null if it is pruned."},
        last_at={**_MOMENT_OR_NULL, "description": "The same of `last`."},
        cursor={**CURSOR, "description": "Of its event `watch.fired`."},
        muted=_FLAG,
    ),
    "Firings": exactly(
        firings={"type": "array", "items": component("Firing"), "maxItems": FIRINGS_MAX},
        next={**_TEXT_OR_NULL, "description": "What to send as `before` for the next page; null on the last."},
    ),
    "WatchTargets": exactly(targets={"type": "array", "items": exactly(name=_TEXT, failing=_FLAG)}),
}

ID_PARAMETERS = [
    OpenApiParameter("watch_id", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH, description="Its id.")
]
FIRED_PARAMETERS = [
    OpenApiParameter("before", text(f"(?:{PLACE_FORM.pattern})?"), description="`next` of the page before."),
    OpenApiParameter("watch", {"type": "string", "pattern": "^[0-9]{0,18}$"}, description="Of this watch only."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": FIRINGS_MAX, "default": FIRINGS_DEFAULT},
        description="How many.",
    ),
    OpenApiParameter(
        "mine",
        {"type": "boolean", "default": False},
        description="Of own and shared watches only; administrators get those of others, too, without it.",
    ),
]
