"""May operators act now? The window's state as clients see it."""

import math
from typing import Any

from django.utils import timezone

from events import log
from events.entries import timestamp
from operator_api.models import Window

SOLO_MADRE = "solo_madre"
WINDOW_ACTIVE = "window_active"
DEGRADED = "degraded"


def snapshot() -> dict[str, Any]:
    """The window's part of the status, and the position in the log at which it is true. Reads the database.

    The position is read first: an event after it may be in the snapshot already, but none is left out.
    """
    cursor = str(log.head().newest)
    window = Window.objects.open().first()
    if window is None:
        return {**closed(SOLO_MADRE), "cursor": cursor}
    remaining = window.deadline and max(0, math.ceil((window.deadline - timezone.now()).total_seconds()))
    return {
        "mode": WINDOW_ACTIVE,
        "ttl_seconds": remaining,
        "window_id": str(window.id),
        "services": list(window.services),
        "reason": window.reason or None,
        "opened_by": window.opened_by or None,
        "created_at": timestamp(window.created_at),
        "deadline": window.deadline and timestamp(window.deadline),
        "chat_enabled": True,
        "cursor": cursor,
    }


def closed(mode: str, *, reason: str | None = None) -> dict[str, Any]:
    """The same fields when no window is open, or nobody can know."""
    return {
        "mode": mode,
        "ttl_seconds": None,
        "window_id": None,
        "services": [],
        "reason": reason,
        "opened_by": None,
        "created_at": None,
        "deadline": None,
        "chat_enabled": False,
        "cursor": "",
    }
