"""The log: events in order, without holes, and pages that add up."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import log, search
from events.log import appending, reading
from events.log.cursors import Cursor
from events.log.records import Entry
from events.search import counting
from gateway.filters import EVERYTHING, SEVERITIES, Selection
from tests.events.samples import append, append_events, grow_older, new_event, seqs, submission

pytestmark = pytest.mark.usefixtures("ledger")

WARNINGS = Selection(severities=frozenset({"warn"}))


def append_and_roll_back() -> None:
    with transaction.atomic():
        log.append_many([submission(new_event("lost"))])
        transaction.set_rollback(True)


def test_an_empty_log_has_a_head_to_begin_from() -> None:
    head = log.head()
    assert (head.last_seq, head.oldest_seq) == (0, 1)
    assert log.head() == log.peek() == head
    assert log.read_after(head.newest, EVERYTHING).caught_up


def test_events_are_numbered_without_holes_in_the_order_they_came() -> None:
    first = append_events(3, prefix="a")
    second = append_events(2, prefix="b")
    assert first.ids + second.ids == [("a0", 1), ("a1", 2), ("a2", 3), ("b0", 4), ("b1", 5)]
    assert log.head().last_seq == 5


def test_what_was_rolled_back_is_never_seen_and_leaves_no_hole() -> None:
    append_and_roll_back()
    assert append_events(1).ids == [("e0", 1)]
    assert seqs(log.read_after(Cursor(log.head().epoch, 0), EVERYTHING).entries) == [1]


def test_listeners_are_called_after_the_commit_and_not_of_what_was_rolled_back() -> None:
    noted: list[tuple[str, list[int]]] = []

    def listen(epoch: str, entries: list[Entry]) -> None:
        noted.append((epoch, seqs(entries)))

    log.on_append(listen)
    try:
        append_and_roll_back()
        with transaction.atomic():
            log.append_many([submission(new_event("one"), new_event("two"))])
            assert noted == []
    finally:
        appending._listeners.remove(listen)
    assert noted == [(log.head().epoch, [1, 2])]


def test_a_listener_that_is_added_twice_is_called_once() -> None:
    called: list[str] = []

    def listen(epoch: str, entries: list[Entry]) -> None:
        called.append(epoch)

    for _ in range(2):
        log.on_append(listen)
    try:
        append_events(2)
    finally:
        appending._listeners.remove(listen)
    assert called == [log.head().epoch]


def test_a_listener_that_fails_does_not_make_the_commit_look_failed() -> None:
    def fails(epoch: str, entries: list[Entry]) -> None:
        raise ZeroDivisionError

    log.on_append(fails)
    try:
        assert append_events(1).created
    finally:
        appending._listeners.remove(fails)
    assert log.head().last_seq == 1


published = st.lists(st.sampled_from(SEVERITIES), min_size=4, max_size=40)
wanted = st.one_of(st.none(), st.frozensets(st.sampled_from(SEVERITIES), min_size=1))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(severities=published, wanted=wanted, limit=st.integers(1, 7), span=st.integers(1, 30), skip=st.integers(0, 4))
def test_pages_put_together_are_the_filtered_log_whatever_their_size(
    severities: list[str], wanted: frozenset[str] | None, limit: int, span: int, skip: int
) -> None:
    start = log.head().newest
    append(submission(*(new_event(f"{start.seq}-{n}", severity=severity) for n, severity in enumerate(severities))))
    cursor = Cursor(start.epoch, start.seq + skip)
    expected = [
        cursor.seq + 1 + number
        for number, severity in enumerate(severities[skip:])
        if wanted is None or severity in wanted
    ]

    found: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "PAGE_SPAN_SEQS", span)
        while True:
            page = log.read_after(cursor, Selection(severities=wanted), limit=limit)
            assert len(page.entries) <= limit
            assert page.caught_up or page.cursor.seq > cursor.seq
            found += seqs(page.entries)
            cursor = page.cursor
            if page.caught_up:
                break

    assert found == expected
    assert cursor == log.head().newest


def test_paging_backwards_from_the_newest_page_gives_everything_once() -> None:
    append_events(10, prefix="i")
    append_events(3, prefix="w", severity="warn")
    append_events(10, prefix="j")
    append_events(3, prefix="x", severity="warn")

    page = search.read_newest(WARNINGS, limit=2)
    assert page.cursor == log.head().newest
    found = [seqs(page.entries)]
    cursor = Cursor(page.head.epoch, page.entries[0].seq)
    while page.entries:
        page = search.read_before(cursor, WARNINGS, limit=2)
        found.append(seqs(page.entries))
        cursor = page.cursor
    assert found == [[25, 26], [13, 24], [11, 12], []]


def test_reading_before_the_end_of_the_log_gives_its_last_events() -> None:
    append_events(3)
    epoch = log.head().epoch
    assert seqs(search.read_before(Cursor(epoch, 4), EVERYTHING, limit=2).entries) == [2, 3]


def test_the_cursor_at_a_time_is_before_the_first_event_since() -> None:
    append_events(4)
    now = timezone.now()
    grow_older(2, timedelta(hours=2))
    epoch = log.head().epoch
    assert log.cursor_at(now - timedelta(hours=1)) == Cursor(epoch, 2)
    assert log.cursor_at(now - timedelta(days=1)) == Cursor(epoch, 0)
    assert log.cursor_at(now + timedelta(hours=1)) == Cursor(epoch, 4)


def test_counting_ends_at_its_limit_and_leaves_out_what_is_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(5)
    append_events(3, prefix="w", severity="warn")
    assert (search.count(EVERYTHING), search.count(WARNINGS)) == (8, 3)
    log.prune(keep_days=1, keep_rows=2)
    assert (search.count(EVERYTHING), search.count(WARNINGS)) == (2, 2)
    monkeypatch.setattr(counting, "COUNT_LIMIT", 1)
    assert search.count(EVERYTHING) == 1


def test_counts_by_time_are_by_bucket_and_severity() -> None:
    append_events(2)
    append_events(3, prefix="w", severity="warn")
    since = timezone.now() - timedelta(seconds=59)
    grow_older(1, timedelta(seconds=45))
    counts, *_ = search.count_by_time(EVERYTHING, since=since, bucket_seconds=30)
    assert counts == {(0, "info"): 1, (1, "info"): 1, (1, "warn"): 3}
