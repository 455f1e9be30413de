"""Questions look at a bounded part of the log, say how far they came, and together look at all of it once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import log
from events.log import Page
from events.log.cursors import Cursor
from events.search import budget, count, count_by_time, counting, read_before, read_newest, spans, tallied
from gateway.filters import EVERYTHING, Selection
from tests.events.samples import append_events, seqs

pytestmark = pytest.mark.usefixtures("ledger")

RARE = Selection(modules=frozenset({"rare"}))
ABSENT = Selection(modules=frozenset({"absent"}))


@pytest.fixture(autouse=True)
def small_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question looks at two spans of five."""
    monkeypatch.setattr(spans, "SPAN_SEQS", 5)
    monkeypatch.setattr(budget, "ROWS_LIMIT", 10)


def log_with_rare(*positions: int, events: int) -> None:
    for number in range(1, events + 1):
        append_events(1, prefix=f"p{number}-", module="rare" if number in positions else "common")


def all_pages(selection: Selection, *, limit: int) -> list[Page]:
    pages = [read_newest(selection, limit=limit)]
    while pages[-1].has_more:
        pages.append(read_before(pages[-1].first_cursor, selection, limit=limit))
    return pages


@pytest.mark.parametrize("limit", [1, 2, 50])
@pytest.mark.parametrize("positions", [(), (1,), (42,), (3, 4, 5, 6, 7, 8), (1, 10, 11, 20, 21, 42)])
def test_n04_pages_backwards_hold_all_that_passes_once_however_rare(positions: tuple[int, ...], limit: int) -> None:
    log_with_rare(*positions, events=42)
    pages = all_pages(RARE, limit=limit)
    assert [seq for page in reversed(pages) for seq in seqs(page.entries)] == list(positions)
    assert all(len(page.entries) <= limit for page in pages)
    # Each goes on where the one before it was ended, down to the begin of the log.
    for newer, older in zip(pages, pages[1:], strict=False):
        assert newer.searched
        assert older.searched
        assert newer.searched[0] == older.searched[1]
    assert pages[-1].searched
    assert pages[-1].searched[0].seq == 0


def test_n04_a_question_that_finds_nothing_looks_no_further_than_it_may() -> None:
    append_events(42)
    page = read_newest(ABSENT, limit=10)
    assert (page.entries, page.has_more, page.complete) == ([], True, False)
    assert page.searched == (Cursor(page.head.epoch, 32), Cursor(page.head.epoch, 42))


def test_a_page_that_is_full_is_complete_and_says_truly_whether_there_is_more() -> None:
    append_events(4)
    full, last = read_newest(EVERYTHING, limit=3), read_newest(EVERYTHING, limit=4)
    assert (seqs(full.entries), full.complete, full.has_more) == ([2, 3, 4], True, True)
    assert (seqs(last.entries), last.complete, last.has_more) == ([1, 2, 3, 4], True, False)
    before = read_before(full.first_cursor, EVERYTHING, limit=1)
    assert (seqs(before.entries), before.has_more) == ([1], False)


def test_n04_what_is_rare_in_one_correlation_is_found_by_its_index_and_not_by_reading_all() -> None:
    append_events(30)
    append_events(2, prefix="old", correlation_id="c-1")
    append_events(30, prefix="new")
    page = read_newest(Selection(correlation_ids=frozenset({"c-1"})), limit=10)
    assert (seqs(page.entries), page.complete, page.has_more) == ([31, 32], True, False)


def test_n04_a_question_about_correlations_with_many_events_goes_through_the_log_in_spans() -> None:
    ids = ["c-1", "c-2", "c-3"]
    for number in range(21):
        append_events(1, prefix=f"{number}-", correlation_id=ids[number % 3])
    asked = Selection(correlation_ids=frozenset(ids))
    absent = Selection(correlation_ids=frozenset(ids), modules=frozenset({"absent"}))
    with CaptureQueriesContext(connection) as statements:
        found, nothing = all_pages(asked, limit=4), all_pages(absent, limit=4)
    assert [seq for page in reversed(found) for seq in seqs(page.entries)] == list(range(1, 22))
    # Two spans of five for each question.
    assert [(page.entries, page.searched and page.searched[1].seq) for page in nothing] == [([], 21), ([], 11), ([], 1)]
    # No statement reads more than it needs to know that there are many, or than a span.
    counting = [statement["sql"] for statement in statements if "COUNT" in statement["sql"]]
    assert counting
    assert all("LIMIT 6" in sql and "ORDER BY" not in sql for sql in counting)


def test_n04_counting_that_would_take_long_counts_nothing() -> None:
    append_events(10)
    assert count(ABSENT) == 0
    append_events(1, prefix="one-more")
    assert count(ABSENT) is None
    # What needs no filter is counted by the database up to its limit.
    assert count(EVERYTHING) == 11


def test_n04_counts_over_time_that_are_ended_hold_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallied, "COUNT_SPAN_SEQS", 4)
    monkeypatch.setattr(counting, "COUNT_SECONDS", 0.0)
    append_events(10)
    since = datetime.fromtimestamp(int(timezone.now().timestamp()) - 100, UTC)
    counted = count_by_time(EVERYTHING, since=since, bucket_seconds=3600)
    assert (sum(counted.counts.values()), counted.searched_from.seq, counted.complete) == (4, 6, False)


def test_a_moment_is_found_by_its_index() -> None:
    append_events(3)
    head = log.head()
    assert log.cursor_at(timezone.now() - timedelta(hours=1)) == Cursor(head.epoch, 0)
    assert log.cursor_at(timezone.now() + timedelta(hours=1)) == Cursor(head.epoch, 3)
