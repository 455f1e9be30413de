"""An event as it is stored (Record), and as readers get it (Entry): what filters compare, and its JSON. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from events import query
from events.query import RecordView
from gateway.filters import Selection


class Record(NamedTuple):
    """A row of the event table, by the names of its columns. `payload` is JSON text.

    Those without a default are what readers see. By the others a publisher's retry is recognised.
    """

    seq: int
    event_id: str
    event_type: str
    summary: str
    module: str
    severity: str
    correlation_id: str
    payload: str
    created_at: datetime
    occurred_at: datetime | None
    publisher: str = ""
    idempotency_key: str | None = None
    fingerprint: str = ""


READ_FIELDS = tuple(name for name in Record._fields if name not in Record._field_defaults)


class Entry(NamedTuple):
    """An event of the log. `body` is its JSON as in the stream's data line and in polling answers."""

    seq: int
    severity: str
    module: str
    event_type: str
    correlation_id: str
    body: bytes
    # Seconds since 1970, by the database's clock when it was appended.
    created_at: float = 0.0

    def passes(self, selection: Selection, view: RecordView | None = None) -> bool:
        """`view` is that of this event: queries share what they read of it."""
        return selection.admits(
            severity=self.severity,
            module=self.module,
            event_type=self.event_type,
            correlation_id=self.correlation_id,
        ) and (selection.queries is None or query.all_match(selection.queries, view or self.view()))

    @property
    def happened_at(self) -> float:
        """When it occurred, in seconds since 1970, as its publisher says; else when it was appended."""
        # The last field: what the payload holds of that name comes before it.
        occurred_at = self.body.rpartition(b'"occurred_at":')[2].removesuffix(b"}")
        if occurred_at in (b"", b"null"):
            return self.created_at
        return datetime.fromisoformat(occurred_at.decode().strip('"')).timestamp()

    def view(self) -> RecordView:
        """For queries. It may take many times the memory of the event, so it is not kept."""
        return RecordView(self.body, self)


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z: 2026-01-04T01:34:28.123456Z."""
    # Not strftime, whose %Y writes the year 999 with three digits.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def encode(record: Record) -> Entry:
    body = orjson.dumps(
        {
            "type": "event",
            "event_id": record.event_id,
            "seq": record.seq,
            "event_type": record.event_type,
            "summary": record.summary,
            "module": record.module,
            "severity": record.severity,
            "correlation_id": record.correlation_id,
            "payload": orjson.Fragment(record.payload),
            "created_at": timestamp(record.created_at),
            "occurred_at": record.occurred_at and timestamp(record.occurred_at),
        }
    )
    # orjson's bytes take 4 KiB of memory also when they are short, and entries are kept. A copy takes what it needs.
    kept = bytes(memoryview(body))
    created_at = record.created_at.timestamp()
    return Entry(record.seq, record.severity, record.module, record.event_type, record.correlation_id, kept, created_at)
