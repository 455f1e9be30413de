"""Events for unit tests, and the short way to put them into the log."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from events import log
from events.log import deletion
from events.log.dedup import Appended
from events.log.records import Entry
from events.log.submissions import NewEvent, Submission
from events.models import Event

PUBLISHER = "s-publisher"


def new_event(event_id: str, **fields: Any) -> NewEvent:
    """An event as read_event would make it, with `fields` put over plain defaults."""
    values: dict[str, Any] = {
        "event_type": "test.happened",
        "summary": f"event {event_id}",
        "module": "hormiguero",
        "severity": "info",
        "correlation_id": "test",
        "payload": "{}",
        **fields,
    }
    return NewEvent(event_id=event_id, **values)


def submission(*events: NewEvent, publisher: str = PUBLISHER, key: str | None = None) -> Submission:
    return Submission(publisher, list(events), key)


def append(*submissions: Submission) -> list[Appended | Exception]:
    """Append in one transaction, as the ledger's writer does with what waits together."""
    with transaction.atomic():
        return list(log.append_many(list(submissions)))


def append_events(count: int, *, prefix: str = "e", **fields: str) -> Appended:
    """Append that many events at once; their ids are the prefix and a number."""
    appended = append(submission(*(new_event(f"{prefix}{number}", **fields) for number in range(count))))[0]
    assert isinstance(appended, Appended)
    return appended


def seqs(entries: Iterable[Entry]) -> list[int]:
    return [entry.seq for entry in entries]


def grow_older(seq_most: int, age: timedelta) -> None:
    """Make the events up to that seq as old as that."""
    Event.objects.filter(seq__lte=seq_most).update(created_at=timezone.now() - age)


def delete_by(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pruning delete so many rows in each transaction."""
    for name in ("ROWS_FIRST", "ROWS_LEAST", "ROWS_MOST"):
        monkeypatch.setattr(deletion, name, rows)
