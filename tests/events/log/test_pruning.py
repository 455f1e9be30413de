"""What is not in the log any more: pruned events, other epochs. Readers get a reset, at every moment."""

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import log, search
from events.log import epochs, extent, reading
from events.log.cursors import Cursor, CursorGone
from events.log.dedup import Appended
from events.models import Event, LogHead
from gateway.filters import EVERYTHING
from gateway.jobs import retention
from tests.events.samples import append, append_events, delete_by, grow_older, new_event, seqs, submission

pytestmark = pytest.mark.usefixtures("ledger")


def gone(cursor: Cursor) -> str:
    """Why the log cannot be read on from there."""
    with pytest.raises(CursorGone) as raised:
        log.read_after(cursor, EVERYTHING)
    assert raised.value.head == log.head()
    return raised.value.reset


def test_readers_behind_what_was_pruned_get_a_reset_and_the_others_read_on() -> None:
    append_events(10)
    epoch = log.head().epoch
    assert log.prune(keep_days=1, keep_rows=4) == 6
    assert log.head().oldest_seq == 7
    assert gone(Cursor(epoch, 5)) == "expired"
    assert seqs(log.read_after(Cursor(epoch, 6), EVERYTHING).entries) == [7, 8, 9, 10]
    assert seqs(log.read_after(log.head().oldest, EVERYTHING).entries) == [7, 8, 9, 10]


def test_pruning_by_days_keeps_the_young_ones() -> None:
    append_events(5)
    grow_older(3, timedelta(days=8))
    assert log.prune(keep_days=7, keep_rows=1000) == 3
    assert log.head().oldest_seq == 4


def test_a_log_of_which_all_is_too_old_is_empty_and_goes_on() -> None:
    append_events(5)
    grow_older(5, timedelta(days=8))
    assert log.prune(keep_days=7, keep_rows=1000) == 5
    assert log.read_after(log.head().newest, EVERYTHING).caught_up
    assert append_events(1, prefix="n").ids == [("n0", 6)]


def test_pruning_twice_deletes_nothing_more() -> None:
    append_events(5)
    log.prune(keep_days=1, keep_rows=2)
    assert log.prune(keep_days=1, keep_rows=2) == 0


def test_the_head_moves_before_rows_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(10)
    cursor = log.head().oldest
    resets: list[str] = []
    # While rows are being deleted batch by batch, a reader must get the reset at every moment.
    delete_by(2, monkeypatch)
    delete = QuerySet.delete

    def look_and_delete(rows: QuerySet[Event]) -> tuple[int, dict[str, int]]:
        resets.append(gone(cursor))
        return delete(rows)

    monkeypatch.setattr(QuerySet, "delete", look_and_delete)
    log.prune(keep_days=1, keep_rows=4)
    assert resets == ["expired"] * 3


def test_a_page_of_which_rows_were_deleted_while_it_was_read_is_a_reset_and_not_a_hole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append_events(10)
    cursor = log.head().oldest
    read_rows = reading.read_rows

    def read_what_pruning_left(*arguments: Any, **options: Any) -> log.Rows:
        log.prune(keep_days=1, keep_rows=4)
        return read_rows(*arguments, **options)

    monkeypatch.setattr(reading, "read_rows", read_what_pruning_left)
    assert gone(cursor) == "expired"


def test_what_a_stopped_pruning_left_goes_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(10)
    delete_by(2, monkeypatch)

    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log.prune(keep_days=1, keep_rows=3, after_batch=stop)
    assert (log.head().oldest_seq, Event.objects.count()) == (8, 8)
    assert log.count_prunable(keep_days=1, keep_rows=3) == 5
    assert log.prune(keep_days=1, keep_rows=3) == 5


def test_a_retry_is_recognised_for_a_day_though_its_event_is_pruned() -> None:
    append(submission(new_event("mine", fingerprint="same"), key="key"))
    append_events(3)
    assert log.prune(keep_days=1, keep_rows=2) == 1
    (again,) = append(submission(new_event("other", fingerprint="same"), key="key"))
    assert again == Appended(log.head().epoch, [("mine", 1)], created=False, fresh=0)

    grow_older(1, timedelta(hours=25))
    assert log.prune(keep_days=30, keep_rows=2) == 1
    assert not Event.objects.filter(seq=1).exists()


def test_a_pruned_event_that_is_kept_for_retries_is_not_served() -> None:
    append(submission(new_event("mine", fingerprint="same"), key="key"))
    append_events(3)
    log.prune(keep_days=1, keep_rows=2)
    epoch = log.head().epoch
    assert Event.objects.filter(seq=1).exists()
    assert seqs(search.read_newest(EVERYTHING, limit=10).entries) == [3, 4]
    assert seqs(search.read_before(Cursor(epoch, 4), EVERYTHING, limit=10).entries) == [3]
    assert search.count(EVERYTHING) == 2


def test_a_moment_before_the_log_leads_to_its_begin_though_older_rows_are_kept_for_retries() -> None:
    append(submission(new_event("mine", fingerprint="same"), key="key"))
    append_events(3)
    log.prune(keep_days=1, keep_rows=2)
    assert Event.objects.filter(seq=1).exists()
    assert log.cursor_at(timezone.now() - timedelta(hours=1)) == log.head().oldest
    assert log.head().oldest.seq == 2


def test_a_new_epoch_makes_every_cursor_unknown_and_goes_on_counting() -> None:
    append_events(3)
    before = log.head()
    after = epochs.start_new_epoch()
    assert after.epoch != before.epoch
    assert gone(before.newest) == "epoch"
    assert append_events(1, prefix="n").ids == [("n0", 4)]


def test_a_cursor_ahead_of_the_log_is_unknown() -> None:
    append_events(3)
    assert gone(Cursor(log.head().epoch, 4)) == "unknown"


def test_a_log_that_went_back_gets_a_new_epoch_and_gives_no_seq_out_twice() -> None:
    append_events(3)
    seen = Cursor(log.head().epoch, 10)
    after = epochs.check_against(seen)
    assert after.epoch != seen.epoch
    assert append_events(1, prefix="n").ids == [("n0", 11)]


@pytest.mark.parametrize("seq", [0, 3])
def test_a_log_that_is_not_behind_keeps_its_epoch(seq: int) -> None:
    append_events(3)
    head = log.head()
    assert epochs.check_against(Cursor(head.epoch, seq)) == head
    assert epochs.check_against(Cursor("another", 99)) == head


def test_n09_rows_are_counted_and_not_seqs_so_a_restored_log_is_kept() -> None:
    append_events(200)
    # The mark had seen so much: the log goes on after it.
    LogHead.objects.update(last_seq=1200)
    assert log.count_prunable(keep_days=30, keep_rows=1000) == 0
    assert log.prune(keep_days=30, keep_rows=1000) == 0
    assert (log.head().oldest_seq, Event.objects.count()) == (1, 200)


@pytest.mark.parametrize(("keep_rows", "oldest_seq"), [(20, 1), (15, 6), (10, 1001), (3, 1008), (1, 1010)])
def test_n09_of_a_log_with_a_hole_as_many_rows_stay_as_were_asked_for(keep_rows: int, oldest_seq: int) -> None:
    append_events(10)
    LogHead.objects.update(last_seq=1000)
    append_events(10, prefix="n")
    assert log.prune(keep_days=1, keep_rows=keep_rows) == 20 - keep_rows
    assert log.head().oldest_seq == oldest_seq
    assert Event.objects.count() == keep_rows


def test_n09_rows_before_the_log_are_not_counted_as_rows_of_the_log() -> None:
    append(*(submission(new_event(f"mine{number}", fingerprint="same")) for number in range(10)))
    append_events(10)
    assert log.prune(keep_days=1, keep_rows=10) == 0
    LogHead.objects.update(last_seq=22)
    append_events(5, prefix="n")
    assert log.prune(keep_days=1, keep_rows=12) == 3
    assert log.head().oldest_seq == 14


def test_n09_nearly_all_events_go_only_when_that_is_meant() -> None:
    append_events(200)
    with pytest.raises(retention.NearlyAll, match="195 of 200 events"):
        log.prune(keep_days=30, keep_rows=5)
    assert (log.head().oldest_seq, Event.objects.count()) == (1, 200)
    assert log.prune(keep_days=30, keep_rows=5, even_nearly_all=True) == 195


def test_n09_what_a_stopped_pruning_left_is_not_taken_for_nearly_all(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(200)

    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    delete_by(20, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        log.prune(keep_days=30, keep_rows=5, even_nearly_all=True, after_batch=stop)
    assert log.prune(keep_days=30, keep_rows=5) == 175


def test_n05_a_process_whose_clock_is_a_hundred_days_ahead_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    append_events(200)
    later = timezone.now() + timedelta(days=100)
    monkeypatch.setattr(timezone, "now", lambda: later)
    # On PostgreSQL there is nothing to delete; SQLite has no other clock than this process's.
    with contextlib.nullcontext() if connection.vendor == "postgresql" else pytest.raises(retention.NearlyAll):
        log.prune(keep_days=30, keep_rows=1000)
    assert (log.head().oldest_seq, Event.objects.count()) == (1, 200)


def test_n05_events_are_dated_by_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no other clock than this process's")
    real = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: real - timedelta(days=100))
    append_events(1)
    assert Event.objects.get().created_at - real < timedelta(days=1)
    assert log.prune(keep_days=30, keep_rows=1000) == 0


def test_there_is_one_head_row() -> None:
    append_events(1)
    log.head()
    assert LogHead.objects.count() == 1


def test_a_log_that_is_one_row_too_long_loses_one() -> None:
    append_events(10)
    assert log.prune(keep_days=1, keep_rows=10) == 0
    assert log.prune(keep_days=1, keep_rows=9) == 1
    assert log.head().oldest_seq == 2


def test_a_log_that_is_no_longer_than_is_kept_is_not_even_counted() -> None:
    append_events(10)
    log.prune(keep_days=1, keep_rows=8)
    now = log.head()
    with CaptureQueriesContext(connection) as statements:
        assert extent.first_of_newest(8, now) == 3
    assert len(statements) == 0
    assert extent.first_of_newest(7, now) == 4


def test_what_is_kept_is_counted_by_rows_with_the_time_of_the_oldest() -> None:
    assert log.kept(log.head(), limit=100) == (0, None)
    append_events(10)
    grow_older(7, timedelta(hours=1))
    log.prune(keep_days=1, keep_rows=4)
    assert log.kept(log.head(), limit=100) == (4, Event.objects.get(seq=7).created_at)
