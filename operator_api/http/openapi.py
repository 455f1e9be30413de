"""The OpenAPI document's part about windows, chat, modules, status and settings, in JSON Schema.

Nothing here runs in a request.
"""

from drf_spectacular.utils import OpenApiParameter

from events.http.openapi import CURSOR
from events.log import ID_FORM, KEY_FORM
from gateway.filters import VALUES_LIMIT
from gateway.http.openapi import ID, MOMENT, Json, component, exactly, text
from operator_api.chat import exchange
from operator_api.models import (
    VIEW_NAME_LENGTH,
    VIEW_PATHS_LENGTH,
    VIEW_QUERY_LENGTH,
    VIEW_TIME_LENGTH,
    ChatMessage,
    Module,
)
from operator_api.modules import BUILT_IN, DOWN, OFF_BY_POLICY, UNKNOWN, UP
from operator_api.operator_settings import LIMIT_BYTES
from operator_api.saved_views import OWN_LIMIT, SHARED_LIMIT
from operator_api.windows import (
    DEGRADED,
    MODES,
    REASON_LIMIT,
    SERVICES_DEFAULT,
    SOLO_MADRE,
    TTL_DEFAULT_SECONDS,
    TTL_MAX_SECONDS,
    WINDOW_ACTIVE,
)
from vx11_client.wire_names import MODULE_FORM

UUID_FORM = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_UUID: Json = {"type": "string", "format": "uuid"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_MOMENT_OR_NULL: Json = {**MOMENT, "type": ["string", "null"]}
_SECONDS_OR_NULL: Json = {"type": ["integer", "null"], "minimum": 0}
_NAMES: Json = {"type": "array", "items": {"type": "string"}}
_MODE: Json = {"enum": [SOLO_MADRE, WINDOW_ACTIVE, DEGRADED]}
_STATUS: Json = {"enum": [UP, DOWN, OFF_BY_POLICY, UNKNOWN]}
_STATUSES: Json = {"type": "object", "additionalProperties": exactly(status=_STATUS)}
_DONE: Json = {"const": "ok"}
_TTL: Json = {"type": ["integer", "null"], "minimum": 1, "maximum": TTL_MAX_SECONDS, "default": TTL_DEFAULT_SECONDS}
_OBJECT: Json = {"type": "object", "additionalProperties": component("Value")}

_WINDOW: dict[str, Json] = {
    "mode": _MODE,
    "ttl_seconds": {**_SECONDS_OR_NULL, "description": "null: no deadline, or no window."},
    "window_id": {**_UUID, "type": ["string", "null"]},
    "services": {**_NAMES, "description": "Core modules that are up, then its own."},
    "degraded": {"type": "boolean", "description": "A core module is down."},
    "reason": _TEXT_OR_NULL,
    "opened_by": _TEXT_OR_NULL,
    "created_at": _MOMENT_OR_NULL,
    "deadline": _MOMENT_OR_NULL,
    "chat_enabled": {"type": "boolean"},
    "cursor": {
        "anyOf": [CURSOR, {"const": ""}],
        "description": "The position in the log at which this is true; empty while it cannot be read.",
    },
}
_MODULE: dict[str, Json] = {
    "status": _STATUS,
    "reason": {**_TEXT_OR_NULL, "description": "Why it is not up; in_process: the cache is this process's memory."},
    "category": {"enum": list(Module.Category.values)},
    "last_seen": {**_MOMENT_OR_NULL, "description": "When it last published or answered."},
    "publishing": {"type": "boolean", "description": "It published lately, also if it is off by policy."},
    "configured": {"type": "boolean", "description": "It was added here, or its port or its probe was noted."},
}
_PORT: Json = {"port": {"type": "integer", "minimum": 0}}


# A shared view of another person may be one's start, too.
_START: Json = {"type": "boolean", "description": "The caller's console begins with it."}
_VIEW: dict[str, Json] = {
    "name": {"type": "string", "minLength": 1, "maxLength": VIEW_NAME_LENGTH},
    "query": {"type": "string", "maxLength": VIEW_QUERY_LENGTH},
    "from": {"type": "string", "maxLength": VIEW_TIME_LENGTH, "description": "An ISO time, or -15m; empty: no limit."},
    "to": {"type": "string", "maxLength": VIEW_TIME_LENGTH},
    "columns": {"type": "string", "maxLength": VIEW_PATHS_LENGTH, "description": "As in the console's address."},
    "facets": {"type": "string", "maxLength": VIEW_PATHS_LENGTH, "description": "As in the console's address."},
    "shared": {"type": "boolean", "description": "All who may read events see it; needs views:share."},
    "start": _START,
}
# In a request, null stands for the empty value; a name is needed.
_VIEW_GIVEN = {name: {**form, "type": [form["type"], "null"]} for name, form in _VIEW.items() if name != "name"}
_VIEW_TO_KEEP: Json = {
    "type": "object",
    "properties": {"name": _VIEW["name"], **_VIEW_GIVEN},
    "additionalProperties": False,
}


def _module(**more: Json) -> Json:
    whole = exactly(**more, **_MODULE)
    return {**whole, "properties": whole["properties"] | _PORT}


SCHEMAS: dict[str, Json] = {
    "WindowStatus": exactly(**_WINDOW),
    "WindowOpening": {
        "type": "object",
        "description": "Everything may be left out.",
        "properties": {
            "services": {
                "type": ["array", "null"],
                "description": "Modules that it opens; others than these may be there too.",
                "items": {"enum": sorted(BUILT_IN)},
                "maxItems": VALUES_LIMIT,
                "default": list(SERVICES_DEFAULT),
            },
            "ttl_sec": _TTL,
            "mode": {"enum": [*MODES, None], "description": "hold: until it is closed, whatever ttl_sec says."},
            "reason": {**_TEXT_OR_NULL, "maxLength": REASON_LIMIT},
        },
    },
    "WindowExtension": {"type": "object", "properties": {"ttl_sec": {**_TTL, "description": "From now."}}},
    "Nothing": {"type": "object", "description": "Whatever is in it counts for nothing.", "properties": {}},
    "WindowOpened": exactly(**_WINDOW, status=_DONE, ttl_remaining_sec=_SECONDS_OR_NULL, services_started=_NAMES),
    "WindowExtended": exactly(**_WINDOW, status=_DONE, ttl_remaining_sec=_SECONDS_OR_NULL),
    "WindowClosed": exactly(
        **{**_WINDOW, "window_id": {**_UUID, "description": "Of the window that was closed."}},
        status=_DONE,
        closed_at=MOMENT,
        services_stopped=_NAMES,
    ),
    "OffByPolicy": exactly(
        status={"const": OFF_BY_POLICY},
        service={"type": "string"},
        message={"type": "string"},
        recommended_action={"type": "string"},
        correlation_id=ID,
        detail={"const": "window_closed"},
        reason={"const": "window_closed"},
    ),
    "ChatQuestion": {
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": {"type": "string", "minLength": 1, "maxLength": exchange.MESSAGE_LIMIT},
            "session_id": {**ID, "type": ["string", "null"], "description": "A new one unless given."},
            "metadata": {
                **_OBJECT,
                "type": ["object", "null"],
                "description": f"For the assistant; at most {exchange.METADATA_LIMIT_BYTES} bytes of JSON.",
            },
        },
    },
    "ChatReply": exactly(
        response={"type": "string"},
        message_id=_UUID,
        response_id={**_UUID, "type": ["string", "null"], "description": "null: it is not stored."},
        session_id=ID,
        correlation_id=ID,
        degraded={"type": "boolean", "description": "The assistant was late or away, and this is said in its place."},
        fallback_source={"enum": ["local", None]},
        provider={"type": ["string", "null"], "description": "As the assistant says, if it does."},
        model_used={"type": ["string", "null"], "description": "As the assistant says, if it does."},
    ),
    "ChatMessage": exactly(
        message_id=_UUID,
        role={"enum": list(ChatMessage.Role.values)},
        content={"type": "string"},
        created_at=MOMENT,
        correlation_id=ID,
        session_id=ID,
        in_reply_to={**_UUID, "type": ["string", "null"]},
    ),
    "ChatHistory": exactly(
        messages={"type": "array", "items": component("ChatMessage"), "maxItems": exchange.PAGE_MAX},
        has_more={"type": "boolean", "description": "There are others before these."},
    ),
    "Module": _module(),
    "NamedModule": _module(name=text(MODULE_FORM)),
    "Modules": exactly(modules={"type": "object", "additionalProperties": component("Module")}),
    "SystemStatus": exactly(
        status=_DONE,
        policy=_MODE,
        core_services=_STATUSES,
        optional_services=_STATUSES,
        operator_services=_STATUSES,
        degraded={"type": "boolean", "description": "A core module is down."},
        window=component("WindowStatus"),
        timestamp=MOMENT,
    ),
    "OperatorSettings": exactly(
        settings={"type": "object"},
        read_only={"type": "boolean", "description": "No window is open."},
        policy=_MODE,
    ),
    "SettingsToKeep": {
        "type": "object",
        "minProperties": 1,
        "description": "Without `settings`, the whole object is what is stored.",
        "properties": {"settings": {**_OBJECT, "description": f"At most {LIMIT_BYTES} bytes of JSON."}},
    },
    "SavedView": exactly(
        **_VIEW,
        id=_UUID,
        mine={"type": "boolean", "description": "The caller is the owner."},
        owner={"type": "string", "description": "The owner's name."},
        created_at=MOMENT,
        updated_at=MOMENT,
    ),
    "SavedViews": exactly(
        views={"type": "array", "items": component("SavedView"), "maxItems": OWN_LIMIT + SHARED_LIMIT}
    ),
    "SavedViewToKeep": {**_VIEW_TO_KEEP, "required": ["name"]},
    "SavedViewChange": {**_VIEW_TO_KEEP, "description": "What is left out stays."},
    "SavedViewDeleted": exactly(id=_UUID, status=_DONE),
    "Health": exactly(status={"const": "ok"}, module={"type": "string"}, version={"type": "string"}),
    "Ready": exactly(
        status={"const": "ok"},
        degraded={"type": "array", "items": {"enum": ["cache", "backend"]}, "description": "Away, and not needed."},
    ),
}

_ID_OR_EMPTY = text(f"(?:{ID_FORM.pattern})?")
CHAT_PARAMETERS = [
    OpenApiParameter("session_id", _ID_OR_EMPTY, description="Messages of this session only."),
    OpenApiParameter("principal", _ID_OR_EMPTY, description="Whose; one's own unless given."),
    OpenApiParameter("before", text(f"(?:{UUID_FORM})?"), description="A message's id: those before it."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": exchange.PAGE_MAX, "default": exchange.PAGE_DEFAULT},
        description="Messages in a page.",
    ),
]
KEY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    text(f"(?:{KEY_FORM.pattern})?"),
    OpenApiParameter.HEADER,
    description="Makes a retry safe: the same again is the same message.",
)
MODULE_PARAMETER = OpenApiParameter("name", text(MODULE_FORM), OpenApiParameter.PATH, description="A module's name.")
VIEW_PARAMETER = OpenApiParameter("view_id", _UUID, OpenApiParameter.PATH, description="A view's id.")
