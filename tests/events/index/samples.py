"""Records to index, without a log."""

from datetime import UTC, datetime

from events.log.records import Record
from tests.events.query.samples import DEFAULTS


def record(seq: int, *, payload: str = "{}", **fields: str) -> Record:
    return Record(seq=seq, payload=payload, created_at=datetime.now(UTC), occurred_at=None, **{**DEFAULTS, **fields})
