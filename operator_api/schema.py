"""What the OpenAPI document says of window, health and readiness, in JSON Schema. Nothing here runs in a request."""

from events.schema import CURSOR
from gateway.schema import MOMENT, Json, exactly
from operator_api.windows import DEGRADED, SOLO_MADRE, WINDOW_ACTIVE

SCHEMAS: dict[str, Json] = {
    "WindowStatus": exactly(
        mode={"enum": [SOLO_MADRE, WINDOW_ACTIVE, DEGRADED]},
        ttl_seconds={"type": ["integer", "null"], "minimum": 0},
        window_id={"type": ["string", "null"], "format": "uuid"},
        services={
            "type": "array",
            "items": {"type": "string"},
            "description": "Core modules that are up, then its own.",
        },
        degraded={"type": "boolean", "description": "A core module is down."},
        reason={"type": ["string", "null"]},
        opened_by={"type": ["string", "null"]},
        created_at={**MOMENT, "type": ["string", "null"]},
        deadline={**MOMENT, "type": ["string", "null"]},
        chat_enabled={"type": "boolean"},
        cursor={
            "anyOf": [CURSOR, {"const": ""}],
            "description": "The position in the log at which this is true; empty while nobody can know.",
        },
    ),
    "Health": exactly(status={"const": "ok"}, module={"type": "string"}, version={"type": "string"}),
    "Ready": exactly(
        status={"const": "ok"},
        degraded={"type": "array", "items": {"const": "cache"}, "description": "What is away and can be done without."},
    ),
}
