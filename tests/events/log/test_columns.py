"""Rows that are read by plain statements are those that Django reads."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from events.log import columns
from events.log.records import READ_FIELDS
from events.models import Event
from gateway.filters import EVERYTHING, Selection
from tests.events.samples import append_events

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_read_is_what_is_stored_in_order(*, backwards: bool) -> None:
    append_events(6)
    Event.objects.filter(seq=3).update(occurred_at=timezone.now())
    Event.objects.filter(seq=4).update(created_at=datetime(2026, 1, 4, 1, 34, 28, tzinfo=UTC))
    rows = columns.read(EVERYTHING, after=1, until=5, limit=3, backwards=backwards)
    stored = Event.objects.filter(seq__in=[3, 4, 5] if backwards else [2, 3, 4]).values_list(*READ_FIELDS)
    assert [tuple(row.record())[: len(READ_FIELDS)] for row in rows] == sorted(stored, reverse=backwards)


def test_rows_that_are_named_are_read_where_they_are_there_and_pass() -> None:
    append_events(3, severity="warn")
    append_events(3, prefix="f", severity="error", module="spawner")
    warnings = Selection(severities=frozenset({"warn", "critical"}))

    def read(selection: Selection) -> list[int]:
        return [row.seq for row in columns.read_at(selection, [2, 3, 5, 77], backwards=True)]

    assert read(EVERYTHING) == [5, 3, 2]
    assert read(warnings) == [3, 2]
    assert read(warnings & Selection(modules=frozenset({"spawner"}))) == []
    assert read(Selection(modules=frozenset())) == []
    assert columns.read_at(EVERYTHING, []) == []
