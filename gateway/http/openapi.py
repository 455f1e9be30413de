"""The OpenAPI document's part about errors and tickets, in JSON Schema. Nothing here runs in a request.

Each app has such a module; `SCHEMAS` are its components by name, and vx11_site/openapi.py puts them together.
"""

import re
from typing import Any

from gateway.filters import SEVERITIES, SEVERITY_ALIASES, VALUES_LIMIT
from gateway.http.errors import CONTENT_TYPE, DETAILS, REASONS, TYPE_PREFIX
from vx11_client.wire_names import ID_FORM

Json = dict[str, Any]

# Operations name the reasons of their own here; vx11_site/openapi.py turns them into responses.
REFUSALS = "x-refusals"


def component(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def body_of(name: str) -> Json:
    """A request body for extend_schema: this component, and JSON only."""
    return {"application/json": component(name)}


def text(pattern: str | re.Pattern[str]) -> Json:
    """A string all of which matches the pattern."""
    return {"type": "string", "pattern": f"^(?:{pattern if isinstance(pattern, str) else pattern.pattern})$"}


def exactly(**properties: Json) -> Json:
    """An object that has all of these members."""
    return {"type": "object", "required": list(properties), "properties": properties}


def refuses(*reasons: str) -> dict[str, list[str]]:
    """For extend_schema(extensions=...): reasons of this operation, beside those that all operations of its kind
    have.
    """
    for reason in reasons:
        assert reason in REASONS, reason  # noqa: S101 - a misspelt reason fails at import
    return {REFUSALS: list(reasons)}


def any_case(names: tuple[str, ...]) -> str:
    """A pattern for these names in any case; ECMA patterns have no flag for that."""
    return "|".join("".join(f"[{letter.upper()}{letter}]" for letter in name) for name in names)


def comma_list(pattern: str) -> Json:
    """A list whose items may be comma lists, as read_values accepts it."""
    value = f" *(?:{pattern})? *"
    return {
        "type": "array",
        "description": f"At most {VALUES_LIMIT} different values.",
        "items": text(f"{value}(?:,{value})*"),
    }


ID = text(ID_FORM)
MOMENT: Json = {"type": "string", "format": "date-time"}
SEVERITY_LIST = comma_list(any_case((*SEVERITIES, *SEVERITY_ALIASES)))
VALUE_LIST = comma_list(ID_FORM.pattern)

SCHEMAS: dict[str, Json] = {
    "Problem": {
        "type": "object",
        "description": "The one body of every refusal (RFC 9457). Beside the required six, some reasons bring others.",
        "required": ["type", "title", "status", "detail", "reason", "correlation_id"],
        "properties": {
            "type": text(f"{TYPE_PREFIX}[a-z_]+"),
            "title": {"type": "string", "minLength": 1, "description": "A sentence for a person."},
            "status": {"type": "integer"},
            "detail": {"enum": sorted({DETAILS.get(reason, reason) for reason in REASONS})},
            "reason": {"enum": sorted(REASONS)},
            "correlation_id": ID,
            "errors": {
                "type": "object",
                "description": "What is wrong, by field.",
                "additionalProperties": {
                    "type": "array",
                    "items": {"anyOf": [{"type": "string"}, component("QueryMistake")]},
                    "minItems": 1,
                },
            },
            "reset": {"enum": ["expired", "epoch", "unknown"], "description": "Why reading cannot go on."},
            "oldest": {"type": "string", "description": "The cursor from which all that is left can be read."},
            "newest": {"type": "string", "description": "The cursor of now."},
            "window": component("WindowStatus"),
            "unavailable": {
                "type": "array",
                "items": {"enum": ["database", "database_writes", "draining"]},
                "minItems": 1,
            },
        },
    },
    "QueryMistake": exactly(
        position={"type": "integer", "minimum": 0, "description": "In characters, from the beginning of the query."},
        length={"type": "integer", "minimum": 0, "description": "0: something is missing there."},
        message={"type": "string", "description": "What would be right."},
    ),
    "TicketRequest": {
        "type": "object",
        "description": "What narrows the ticket; everything may be left out.",
        "properties": {
            "modules": VALUE_LIST,
            "severities": SEVERITY_LIST,
            "event_types": VALUE_LIST,
            "q": {"type": "string", "description": "A query, which what is streamed must pass, too."},
        },
    },
    "Ticket": exactly(
        sse_token={"type": "string", "format": "uuid", "description": "Opens one stream."},
        ttl_sec={"type": "integer", "minimum": 1},
        expires_in_sec={"type": "integer", "minimum": 1},
        endpoint={"type": "string", "format": "uri-reference"},
        usage={"type": "string", "description": "The command that opens the stream."},
    ),
}

COMMON_HEADERS: dict[str, Json] = {
    "X-Correlation-Id": {
        "required": True,
        "description": "The caller's own, if it is harmless; else a new one.",
        "schema": ID,
    },
    "Cache-Control": {"required": True, "schema": {"const": "no-store"}},
}
_RETRY_AFTER: Json = {"Retry-After": {"required": True, "description": "Seconds.", "schema": text("[1-9][0-9]*")}}
_HEADERS_OF_STATUS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"enum": ["Bearer", 'Bearer error="invalid_token"']}}},
    405: {"Allow": {"required": True, "description": "What this address takes.", "schema": {"type": "string"}}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
# Members of the Problem that this status always has.
_REQUIRED_OF_STATUS = {410: ["reset", "oldest", "newest"], 422: ["errors"]}


def refusal_responses() -> dict[str, Json]:
    """Every status of REASONS as a response component: `Refusal401` and so on."""
    return {refusal_name(status): _refusal(status) for status in sorted({status for status, _ in REASONS.values()})}


def refusal_name(status: int) -> str:
    return f"ApiError{status}"


def _refusal(status: int) -> Json:
    reasons = {reason: sentence for reason, (of, sentence) in REASONS.items() if of == status}
    narrowed = {
        "properties": {"status": {"const": status}, "reason": {"enum": list(reasons)}},
        "required": _REQUIRED_OF_STATUS.get(status, []),
    }
    return {
        "description": "\n".join(f"- `{reason}`: {sentence}" for reason, sentence in reasons.items()),
        "headers": COMMON_HEADERS | _HEADERS_OF_STATUS.get(status, {}),
        "content": {CONTENT_TYPE: {"schema": {"allOf": [component("Problem"), narrowed]}}},
    }
