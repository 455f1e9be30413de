"""Pages of large events are short, and still lose nothing; counting by time is left to the database."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import log, search
from events.log import Page, reading
from events.log.cursors import Cursor, CursorGone
from events.models import Event
from gateway.filters import EVERYTHING, Selection
from tests.events.samples import append, append_events, new_event, seqs, submission

pytestmark = pytest.mark.usefixtures("ledger")
LARGE = json.dumps({"text": "x" * 60_000})


def test_a_page_of_large_events_is_cut_and_the_next_one_goes_on_behind_it() -> None:
    append(submission(*(new_event(f"e{number}", payload=LARGE) for number in range(120))))
    cursor = Cursor(log.head().epoch, 0)
    pages: list[Page] = []
    while not pages or pages[-1].has_more:
        pages.append(log.read_after(cursor, EVERYTHING))
        cursor = pages[-1].cursor
    assert [seq for page in pages for seq in seqs(page.entries)] == list(range(1, 121))
    largest = max(sum(len(entry.body) for entry in page.entries) for page in pages)
    assert largest <= reading.PAGE_LIMIT_BYTES
    assert len(pages) > 1


@pytest.mark.parametrize("backwards", [False, True])
def test_a_page_that_begins_with_small_events_is_cut_all_the_same(*, backwards: bool) -> None:
    sizes = ["{}"] * 20 + [LARGE] * 100 + ["{}"] * 20
    append(submission(*(new_event(f"e{number}", payload=payload) for number, payload in enumerate(sizes))))
    epoch = log.head().epoch
    if backwards:
        page = search.read_before(Cursor(epoch, len(sizes) + 1), EVERYTHING, limit=500)
    else:
        page = log.read_after(Cursor(epoch, 0), EVERYTHING, size_limit_bytes=reading.PAGE_LIMIT_BYTES)
    assert sum(len(entry.body) for entry in page.entries) <= reading.PAGE_LIMIT_BYTES
    assert 20 < len(page.entries) < 60
    assert page.has_more


def test_a_page_backwards_of_large_events_says_that_there_is_more() -> None:
    append(submission(*(new_event(f"e{number}", payload=LARGE) for number in range(120))))
    page = search.read_before(Cursor(log.head().epoch, 121), EVERYTHING, limit=500)
    assert page.has_more
    assert seqs(page.entries) == list(range(page.entries[0].seq, 121))
    assert search.read_before(page.first_cursor, EVERYTHING, limit=500).entries[-1].seq == page.entries[0].seq - 1


@pytest.mark.parametrize(("limit", "has_more"), [(4, True), (5, False), (6, False)])
@pytest.mark.parametrize("selection", [EVERYTHING, Selection(severities=frozenset({"warn"}))])
def test_a_page_says_whether_there_is_more_in_its_direction(
    selection: Selection, limit: int, *, has_more: bool
) -> None:
    if selection != EVERYTHING:
        append_events(3, prefix="before")
    append_events(5, prefix="found", severity="warn")
    epoch = log.head().epoch
    pages = [
        search.read_newest(selection, limit=limit),
        search.read_before(Cursor(epoch, log.head().last_seq + 1), selection, limit=limit),
        log.read_after(Cursor(epoch, log.head().last_seq - 5), selection, limit=limit),
    ]
    assert [(len(page.entries), page.has_more) for page in pages] == [(min(limit, 5), has_more)] * 3


def test_small_events_fill_a_page_to_its_limit() -> None:
    append_events(600)
    page = log.read_after(Cursor(log.head().epoch, 0), EVERYTHING, limit=500)
    assert (len(page.entries), page.has_more) == (500, True)


def test_events_are_counted_by_bucket_and_severity() -> None:
    append_events(5, severity="warn")
    append_events(3, prefix="f", severity="error")
    since = datetime.fromtimestamp(int(timezone.now().timestamp()) - 100, UTC)
    Event.objects.filter(seq__lte=2).update(created_at=since + timedelta(seconds=9, microseconds=999_999))
    Event.objects.filter(seq__gt=2).update(created_at=since + timedelta(seconds=10))
    counts, cursor, _, complete = search.count_by_time(EVERYTHING, since=since, bucket_seconds=10)
    assert counts == {(0, "warn"): 2, (1, "warn"): 3, (1, "error"): 3}
    only = Selection(severities=frozenset({"error"}))
    assert (cursor, complete) == (log.head().newest, True)
    assert search.count_by_time(only, since=since, bucket_seconds=1)[0] == {(10, "error"): 3}


def limits_of(statements: CaptureQueriesContext) -> list[int]:
    """How many rows each statement asked for that reads events."""
    found = [re.search(r"payload.* LIMIT (\d+)", statement["sql"]) for statement in statements]
    return [int(one[1]) for one in found if one]


def test_small_events_are_read_by_few_statements_and_large_ones_only_as_far_as_the_page_takes_them() -> None:
    append_events(500)
    start = Cursor(log.head().epoch, 0)
    with CaptureQueriesContext(connection) as statements:
        page = log.read_after(start, EVERYTHING, limit=500)
    assert (len(page.entries), limits_of(statements)) == (500, [8, 64, 428])

    size_bytes = len(page.entries[100].body)
    start = log.head().newest
    append(submission(*(new_event(f"e{number}") for number in range(100, 200)), publisher="s-other"))
    with CaptureQueriesContext(connection) as statements:
        page = log.read_after(start, EVERYTHING, size_limit_bytes=50 * size_bytes)
    # After 8 there is room for 42, and whether there is room for one more shows when it is read.
    assert (len(page.entries), limits_of(statements)) == (50, [8, 42, 1])


@pytest.mark.parametrize(("more_bytes", "events"), [(-1, 2), (0, 3), (1, 3)])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_page_may_be_as_large_as_its_limit_and_no_larger(more_bytes: int, events: int, *, backwards: bool) -> None:
    append_events(4)
    everything = reading.read_rows(EVERYTHING, after=0, until=4, limit=4, backwards=backwards).entries
    size_bytes = sum(len(entry.body) for entry in everything[:3]) + more_bytes
    found = reading.read_rows(EVERYTHING, after=0, until=4, limit=4, backwards=backwards, size_limit_bytes=size_bytes)
    assert (found.entries, found.full) == (everything[:events], True)


def test_an_event_that_is_larger_than_a_page_is_a_page_by_itself() -> None:
    append_events(2)
    page = log.read_after(Cursor(log.head().epoch, 0), EVERYTHING, size_limit_bytes=1)
    assert (seqs(page.entries), page.has_more, page.complete) == ([1], True, True)


def test_a_page_is_complete_unless_its_search_was_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(8, severity="warn")
    append_events(2, prefix="f")
    start, infos = Cursor(log.head().epoch, 0), Selection(severities=frozenset({"info"}))
    monkeypatch.setattr(reading, "PAGE_SPAN_SEQS", 9)
    pages = [log.read_after(start, EVERYTHING, limit=3), log.read_after(start, infos)]
    pages.append(log.read_after(pages[1].cursor, infos))
    # Full; ended in the middle of the log; at the end of the log.
    assert [(seqs(page.entries), page.cursor.seq, page.complete, page.caught_up) for page in pages] == [
        ([1, 2, 3], 3, True, False),
        ([9], 9, False, False),
        ([10], 10, True, True),
    ]
    assert [page.searched for page in pages] == [
        (start, pages[0].cursor),
        (start, pages[1].cursor),
        (pages[1].cursor, pages[2].cursor),
    ]


def test_no_row_is_read_after_a_cursor_that_is_gone() -> None:
    append_events(3)
    with CaptureQueriesContext(connection) as statements, pytest.raises(CursorGone):
        log.read_after(Cursor(log.head().epoch, 4), EVERYTHING)
    assert limits_of(statements) == []
