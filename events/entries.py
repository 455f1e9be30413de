"""One event as readers get it: what filters look at, and its JSON, encoded once. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from gateway.filters import Selection


class Entry(NamedTuple):
    """An event of the log. `body` is its JSON as in the stream's data line and in polling answers."""

    seq: int
    severity: str
    module: str
    event_type: str
    correlation_id: str
    body: bytes

    def passes(self, selection: Selection) -> bool:
        return selection.admits(
            severity=self.severity,
            module=self.module,
            event_type=self.event_type,
            correlation_id=self.correlation_id,
        )


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z: 2026-01-04T01:34:28.123456Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode(
    *,
    seq: int,
    event_id: str,
    event_type: str,
    summary: str,
    module: str,
    severity: str,
    correlation_id: str,
    payload: str | bytes,
    created_at: datetime,
    occurred_at: datetime | None,
) -> Entry:
    """`payload` is JSON text already; it is put in as it is."""
    body = orjson.dumps(
        {
            "type": "event",
            "event_id": event_id,
            "seq": seq,
            "event_type": event_type,
            "summary": summary,
            "module": module,
            "severity": severity,
            "correlation_id": correlation_id,
            "payload": orjson.Fragment(payload),
            "created_at": timestamp(created_at),
            "occurred_at": occurred_at and timestamp(occurred_at),
        }
    )
    return Entry(seq, severity, module, event_type, correlation_id, body)
