"""The OpenAPI document's part about webhooks, in JSON Schema. Nothing here runs in a request."""

from drf_spectacular.utils import OpenApiParameter

from events import query
from events.http.openapi import CURSOR
from gateway.http.openapi import MOMENT, Json, component, exactly
from watches.delivery import webhooks
from watches.delivery.addresses import ADDRESS_LIMIT_CHARACTERS
from watches.http.webhook_bodies import SECRET_LIMIT_CHARACTERS
from watches.models import NAME_LENGTH, Subscription
from watches.subscriptions import NEWEST, OLDEST

_TEXT: Json = {"type": "string"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_MOMENT_OR_NULL: Json = {**MOMENT, "type": ["string", "null"]}
_COUNT: Json = {"type": "integer", "minimum": 0}
_CHANGED: dict[str, Json] = {
    "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH},
    "query": {
        "type": ["string", "null"],
        "maxLength": query.LENGTH_LIMIT_CHARACTERS,
        "description": "In the language of queries; empty: all events.",
    },
    "address": {
        "type": "string",
        "pattern": r"^https?://[A-Za-z0-9][A-Za-z0-9.-]{0,250}(:[1-9][0-9]{0,3})?(/[!-~]*)?$",
        "maxLength": ADDRESS_LIMIT_CHARACTERS,
        "description": "https://host/path, without a name and password.",
    },
    "secret": {
        "type": ["string", "null"],
        "pattern": "^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        "maxLength": SECRET_LIMIT_CHARACTERS,
        "description": "whsec_ and base64 of 24 to 64 bytes; a new webhook without one gets one.",
    },
}
_FROM: dict[str, Json] = {
    "from": {
        "anyOf": [{"enum": [NEWEST, OLDEST, None]}, CURSOR],
        "description": "Send what comes after this.",
    }
}
_SHOWN: dict[str, Json] = {
    "id": _COUNT,
    "name": _TEXT,
    "query": _TEXT,
    "address": {**_TEXT, "description": "Masked: its host, and no path."},
    "owner": _TEXT,
    "owner_id": _TEXT,
    "mine": {"type": "boolean"},
    "state": {"enum": list(Subscription.State.values)},
    "cursor": {**CURSOR, "description": "Everything up to here was taken, or does not pass."},
    "reset": {**_TEXT_OR_NULL, "description": "Why events may be missing, until the receiver was told."},
    "failures": _COUNT,
    "problem": _TEXT_OR_NULL,
    "delivered_at": _MOMENT_OR_NULL,
    "failing_since": _MOMENT_OR_NULL,
    "next_try_at": _MOMENT_OR_NULL,
    "created_at": MOMENT,
}


def _closed(properties: dict[str, Json], *required: str) -> Json:
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


# null stands for what is not given, so it changes nothing.
_CHANGES = {**_CHANGED, **{name: {**_CHANGED[name], "type": ["string", "null"]} for name in ("name", "address")}}
SCHEMAS: dict[str, Json] = {
    "WebhookDefinition": _closed({**_CHANGED, **_FROM}, "name", "address"),
    "WebhookChange": _closed(_CHANGES),
    "WebhookStart": _closed(_FROM),
    "Webhook": exactly(**_SHOWN),
    "NewWebhook": exactly(**_SHOWN, secret={**_TEXT, "description": "Shown in this answer only."}),
    "Webhooks": exactly(
        webhooks={"type": "array", "items": component("Webhook"), "maxItems": webhooks.SUBSCRIPTIONS_LIMIT}
    ),
}
ID_PARAMETERS = [
    OpenApiParameter("webhook_id", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH, description="Its id.")
]
