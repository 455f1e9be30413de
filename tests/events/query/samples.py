"""Events to ask about."""

import json
from datetime import UTC, datetime
from typing import Any

from events.log.records import Record, encode
from events.query.parser import parse
from events.query.record_view import RecordView

DEFAULTS = {
    "event_id": "e-1",
    "event_type": "http.access",
    "summary": "Connection refused by upstream",
    "module": "gateway",
    "severity": "error",
    "correlation_id": "req-9f3a",
}


def view(payload: Any = None, **fields: str) -> RecordView:
    """`payload` is an object, or JSON text."""
    text = payload if isinstance(payload, str) else json.dumps(payload or {})
    record = Record(seq=1, payload=text, created_at=datetime.now(UTC), occurred_at=None, **{**DEFAULTS, **fields})
    return RecordView(encode(record).body)


def passes(query: str, payload: Any = None, **fields: str) -> bool:
    return parse(query).matches(view(payload, **fields))
