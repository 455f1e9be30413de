"""Rows that are read by plain statements are those that Django reads."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from events import log
from events.log import Cursor, CursorGone, columns
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


def test_rows_after_a_cursor_are_read_up_to_a_seq_and_no_further_than_the_log() -> None:
    append_events(9)
    Event.objects.filter(seq__in=[4, 5]).delete()
    epoch = log.head().epoch

    def read(after: int, until: int, limit: int) -> tuple[list[int], int]:
        rows, reached = log.read_columns(Cursor(epoch, after), until=until, limit=limit)
        return [row.seq for row in rows], reached.seq

    assert read(1, 7, 3) == ([2, 3, 6], 6)
    # The hole counts as read, and what lies behind the last row up to where was asked for.
    assert read(2, 5, 3) == ([3], 5)
    assert read(6, 77, 3) == ([7, 8, 9], 9)
    assert read(6, 77, 4) == ([7, 8, 9], 9)
    assert read(9, 77, 4) == ([], 9)


def test_rows_are_not_read_after_a_cursor_that_is_gone_or_goes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(9)
    cursor = Cursor(log.head().epoch, 1)
    with pytest.raises(CursorGone):
        log.read_columns(Cursor("other", 1), until=9, limit=9)
    read = columns.read

    def read_what_pruning_left(*arguments: Any, **options: Any) -> list[columns.Columns]:
        log.prune(keep_days=1, keep_rows=3)
        return read(*arguments, **options)

    monkeypatch.setattr(columns, "read", read_what_pruning_left)
    with pytest.raises(CursorGone):
        log.read_columns(cursor, until=9, limit=9)
