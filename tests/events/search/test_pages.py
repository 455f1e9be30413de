"""Questions look at a bounded part of the log, say how far they came, and together look at all of it once."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import log
from events.log import Page
from events.log.cursors import Cursor, CursorGone
from events.search import budget, count, count_by_time, counting, read_before, read_newest, spans, tallied
from gateway.filters import EVERYTHING, Selection
from tests.events.samples import append, append_events, grow_older, new_event, seqs, submission

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
    # Also when only the oldest is left.
    monkeypatch.setattr(tallied, "COUNT_SPAN_SEQS", 9)
    counted = count_by_time(EVERYTHING, since=since, bucket_seconds=3600)
    assert (sum(counted.counts.values()), counted.searched_from.seq, counted.complete) == (9, 1, False)


def test_a_moment_is_found_by_its_index() -> None:
    append_events(3)
    head = log.head()
    assert log.cursor_at(timezone.now() - timedelta(hours=1)) == Cursor(head.epoch, 0)
    assert log.cursor_at(timezone.now() + timedelta(hours=1)) == Cursor(head.epoch, 3)


@pytest.mark.parametrize("positions", [(), (3,), (42,), (3, 4, 5, 6, 7, 8), (3, 10, 11, 20, 21, 42)])
def test_n04_who_goes_on_from_the_cursor_of_each_page_before_gets_all_that_passes(positions: tuple[int, ...]) -> None:
    log_with_rare(*positions, events=42)
    pages = [read_before(Cursor(log.head().epoch, 43), RARE, limit=2)]
    while pages[-1].has_more:
        pages.append(read_before(pages[-1].cursor, RARE, limit=2))
    assert [seq for page in reversed(pages) for seq in seqs(page.entries)] == list(positions)
    # The last one ends at the oldest that passes, or at the begin of the log.
    assert pages[-1].cursor.seq == (pages[-1].entries[0].seq if pages[-1].entries else 1)


@pytest.mark.parametrize(
    ("epoch", "seq", "reset"), [("", 5, "expired"), ("", 12, "unknown"), ("zzzz", 8, "epoch"), ("zzzz", 11, "epoch")]
)
def test_a_question_before_a_cursor_that_is_gone_is_refused(epoch: str, seq: int, reset: str) -> None:
    append_events(10)
    log.prune(keep_days=1, keep_rows=4)
    with pytest.raises(CursorGone) as raised:
        read_before(Cursor(epoch or log.head().epoch, seq), EVERYTHING, limit=1)
    assert (raised.value.reset, raised.value.head) == (reset, log.head())


def test_before_the_first_event_there_is_nothing_and_nothing_was_searched() -> None:
    append_events(3)
    start = Cursor(log.head().epoch, 0)
    page = read_before(start._replace(seq=1), EVERYTHING, limit=1)
    assert (page.entries, page.has_more, page.complete) == ([], False, True)
    assert page.searched == (start, start)


def test_a_question_may_use_up_its_last_row_and_begins_no_span_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(42)
    for rows, searched_spans in ((10, 2), (11, 3), (15, 3), (16, 4)):
        monkeypatch.setattr(budget, "ROWS_LIMIT", rows)
        searched = read_newest(ABSENT, limit=10).searched
        assert searched
        assert searched[0].seq == 42 - searched_spans * spans.SPAN_SEQS
    # The first span is always searched.
    monkeypatch.setattr(budget, "QUESTION_SECONDS", 0.0)
    searched = read_newest(ABSENT, limit=10).searched
    assert searched
    assert searched[0].seq == 37


@pytest.mark.parametrize(("events", "complete"), [(5, True), (6, False)])
def test_n04_a_correlation_with_no_more_events_than_a_span_is_searched_by_one_statement(
    events: int, *, complete: bool
) -> None:
    append_events(events, prefix="c", correlation_id="c-1")
    append_events(30, prefix="n")
    page = read_newest(Selection(correlation_ids=frozenset({"c-1"}), modules=frozenset({"absent"})), limit=1)
    assert (page.entries, page.complete, page.has_more) == ([], complete, not complete)


@pytest.mark.parametrize(("more_bytes", "found"), [(-1, [12, 17]), (0, [12, 17]), (1, [7, 12, 17])])
def test_a_page_of_large_events_ends_with_its_size_however_many_spans_that_takes(
    monkeypatch: pytest.MonkeyPatch, more_bytes: int, found: list[int]
) -> None:
    monkeypatch.setattr(budget, "ROWS_LIMIT", 1_000)
    log_with_rare(2, 7, 12, 17, events=20)
    sizes = {entry.seq: len(entry.body) for entry in read_newest(RARE, limit=10).entries}
    monkeypatch.setattr(log, "PAGE_LIMIT_BYTES", sizes[12] + sizes[17] + more_bytes)
    page = read_newest(RARE, limit=10)
    # One event may go beyond it: its size is known when it has been read.
    assert (seqs(page.entries), page.has_more, page.complete) == (found, True, True)


def test_a_page_that_its_last_event_fills_to_the_byte_has_nothing_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    log_with_rare(2, 7, events=10)
    size_bytes = sum(len(entry.body) for entry in read_newest(RARE, limit=10).entries)
    monkeypatch.setattr(log, "PAGE_LIMIT_BYTES", size_bytes)
    page = read_newest(RARE, limit=10)
    assert (seqs(page.entries), page.has_more, page.complete) == ([2, 7], False, True)


def test_counting_reads_no_further_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "COUNT_LIMIT", 7)
    append_events(20)
    with CaptureQueriesContext(connection) as statements:
        assert count(Selection(modules=frozenset({"hormiguero"}))) == 7
    counted = [statement["sql"] for statement in statements if "COUNT" in statement["sql"]]
    assert [int(sql.partition("LIMIT ")[2].split(")")[0]) for sql in counted] == [7, 2]


def test_counts_over_time_go_back_to_their_begin_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallied, "COUNT_SPAN_SEQS", 2)
    append_events(9)
    grow_older(4, timedelta(hours=2))
    since = datetime.fromtimestamp(int(timezone.now().timestamp()) - 3600, UTC)
    counted = count_by_time(EVERYTHING, since=since, bucket_seconds=7200)
    assert (counted.counts, counted.searched_from.seq, counted.complete) == ({(0, "info"): 5}, 4, True)


def test_counts_over_time_leave_out_what_is_pruned_and_kept_for_retries_only() -> None:
    append(submission(new_event("mine", fingerprint="same"), key="key"))
    append_events(3)
    log.prune(keep_days=1, keep_rows=2)
    since = datetime.fromtimestamp(int(timezone.now().timestamp()) - 3600, UTC)
    counted = count_by_time(EVERYTHING, since=since, bucket_seconds=7200)
    assert (counted.counts, counted.searched_from.seq) == ({(0, "info"): 2}, 2)


def test_events_between_two_moments_are_counted_by_their_numbers() -> None:
    append_events(9)
    now = timezone.now()
    grow_older(6, timedelta(hours=1))
    grow_older(2, timedelta(hours=3))

    def between(start_hours: int, end_hours: int) -> int:
        return log.count_between(now + timedelta(hours=start_hours), now + timedelta(hours=end_hours))

    assert [between(-2, 1), between(-2, -1), between(-4, -2), between(-9, 9)] == [7, 0, 2, 9]
    assert (between(1, 2), between(1, -4)) == (0, 0)


def test_a_span_is_read_only_as_far_as_the_page_has_room() -> None:
    log_with_rare(2, 4, 7, 9, events=10)
    with CaptureQueriesContext(connection) as statements:
        page = read_newest(RARE, limit=3)
    assert (seqs(page.entries), page.has_more) == ([4, 7, 9], True)
    found = [re.search(r"payload.* LIMIT (\d+)", statement["sql"]) for statement in statements]
    # One more than the page takes shows whether there is more.
    assert [int(one[1]) for one in found if one] == [4, 2]
