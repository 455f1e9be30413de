"""Partitions on PostgreSQL: made before they are needed, dropped as a whole, and otherwise not to be noticed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from events import log, search
from events.log import partitions
from events.log.dedup import Appended, IdempotencyConflict
from events.models import Event, LogHead
from gateway.filters import EVERYTHING
from tests.events.samples import append, append_events, delete_by, grow_older, new_event, seqs, submission

pytestmark = [pytest.mark.usefixtures("ledger"), pytest.mark.skipif("connection.vendor != 'postgresql'")]

# Where the partition that the migration makes ends in a new database.
FIRST_END = 10_000_000
SIZE = 100


@pytest.fixture(autouse=True)
def small_partitions(ledger: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log is at the end of the first partition, and all others are small."""
    monkeypatch.setattr(partitions, "PARTITION_SEQS", SIZE)
    monkeypatch.setattr(partitions, "AHEAD_SEQS", SIZE // 2)
    monkeypatch.setattr(partitions, "DROP_TRIES", 2)
    monkeypatch.setattr(partitions, "DROP_PAUSE_SECONDS", 0.01)
    drop_all_but_the_first()
    append_events(1, prefix="before")
    go_on_after(FIRST_END - 1 - SIZE)
    yield
    drop_all_but_the_first()
    # A test may have dropped it.
    monkeypatch.setattr(partitions, "PARTITION_SEQS", FIRST_END)
    log.cover([0])


def drop_all_but_the_first() -> None:
    for one in partitions.ranges():
        if one.end != FIRST_END:
            assert partitions.drop(one.name)
    forget()


def forget() -> None:
    """As a process that has just started."""
    partitions._known = partitions._Known()


def go_on_after(last_seq: int) -> None:
    LogHead.objects.update(last_seq=last_seq)


def append_many(count: int, prefix: str) -> None:
    """In several commits."""
    for start in range(0, count, 30):
        append_events(min(30, count - start), prefix=f"{prefix}{start}-")


def starts() -> list[int]:
    """Where the partitions begin, but for the first, counted from its end."""
    return [one.start - FIRST_END for one in partitions.ranges() if one.end > FIRST_END]


@contextmanager
def lock_elsewhere(mode: str) -> Iterator[None]:
    """Another session has a lock on the whole table."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {partitions.TABLE} IN {mode} MODE")
        yield
    finally:
        other.close()


def test_a_partition_is_there_before_the_log_has_reached_it() -> None:
    append_events(SIZE // 2)
    assert starts() == []
    append_events(1, prefix="n")
    assert starts() == [0]
    append_many(SIZE // 2, "o")
    append_many(SIZE, "p")
    assert starts() == [0, SIZE]
    assert Event.objects.filter(seq__gte=FIRST_END - SIZE).count() == 2 * SIZE + 1
    assert log.room(log.head().last_seq) == SIZE - 1


def test_one_commit_may_reach_over_several_partitions(caplog: pytest.LogCaptureFixture) -> None:
    append_events(3 * SIZE, prefix="n")
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
    assert starts() == [0, SIZE]
    read = log.read_after(log.Cursor(log.head().epoch, FIRST_END - 2), EVERYTHING, limit=3)
    assert seqs(read.entries) == [FIRST_END - 1, FIRST_END, FIRST_END + 1]


def test_a_log_that_goes_on_far_behind_its_end_gets_the_partition_it_needs_and_none_between() -> None:
    go_on_after(10**12)
    append_events(2, prefix="n")
    assert starts() == [10**12 - FIRST_END]
    append_many(SIZE, "o")
    assert starts() == [10**12 - FIRST_END, 10**12 - FIRST_END + SIZE]


def test_a_partition_that_was_rolled_back_is_made_again() -> None:
    with transaction.atomic():
        log.append_many([submission(*(new_event(f"n{number}") for number in range(SIZE)))])
        assert starts() == [0]
        transaction.set_rollback(True)
    assert starts() == []
    append_many(2 * SIZE, "n")
    assert starts()[0] == 0


def test_a_log_that_goes_back_gets_the_partition_that_was_dropped() -> None:
    append_many(4 * SIZE, "n")
    assert log.prune(keep_days=1, keep_rows=150) == 2 * SIZE + 1
    go_on_after(FIRST_END + 10)
    append_events(1, prefix="o")
    assert starts()[0] == 0


def test_a_process_finds_the_partitions_that_another_has_made() -> None:
    append_events(SIZE // 2 + 1)
    assert starts() == [0]
    forget()
    append_many(SIZE // 2 + 10, "n")
    assert starts() == [0]


def test_while_a_partition_cannot_be_made_events_are_taken_as_long_as_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with lock_elsewhere("SHARE UPDATE EXCLUSIVE"):
        append_many(SIZE, "n")
        # One line, and not one for each commit.
        assert caplog.text.count("have no partition yet: LockNotAvailable") == 1
        before = log.head()
        with pytest.raises(OperationalError):
            append_events(1, prefix="o")
        assert (log.head(), starts()) == (before, [])
        assert log.room(before.last_seq) == 0
    append_events(1, prefix="o")
    assert starts() == [0]


def test_a_backup_that_reads_the_whole_table_keeps_no_partition_from_being_made() -> None:
    with lock_elsewhere("ACCESS SHARE"):
        append_many(2 * SIZE, "n")
    assert starts() == [0, SIZE]


def test_a_retry_is_recognised_in_whichever_partition_its_event_is() -> None:
    append(submission(new_event("mine", fingerprint="same"), key="key"))
    append_many(3 * SIZE, "n")
    (by_id,) = append(submission(new_event("mine", fingerprint="same")))
    (by_key,) = append(submission(new_event("else", fingerprint="same"), key="key"))
    assert isinstance(by_id, Appended)
    assert by_id.ids == [("mine", FIRST_END - SIZE)]
    assert by_key == by_id
    (other,) = append(submission(new_event("mine", fingerprint="other")))
    assert isinstance(other, IdempotencyConflict)


def test_every_partition_has_the_indexes_of_the_first() -> None:
    append_many(2 * SIZE, "n")
    columns = """
        SELECT indrelid::regclass::text, indisunique, indkey::text, pg_get_expr(indpred, indrelid)
        FROM pg_index WHERE indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass)
    """
    by_name: dict[str, list[tuple[object, ...]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(columns, [partitions.TABLE])
        for name, *index in cursor.fetchall():
            by_name.setdefault(name, []).append(tuple(map(str, index)))
    first, *others = (sorted(by_name[one.name]) for one in partitions.ranges())
    assert len(first) == 5
    assert others == [first] * len(others) != []


def test_a_partition_refuses_an_id_that_it_has() -> None:
    append_many(SIZE + 10, "n")
    last = Event.objects.order_by("-seq")[0]
    last.seq += 1
    with pytest.raises(IntegrityError), transaction.atomic():
        last.save(force_insert=True)


def test_what_is_pruned_goes_by_whole_partitions() -> None:
    append_many(4 * SIZE, "n")
    reports: list[int] = []
    deleted = log.prune(keep_days=1, keep_rows=150, after_batch=reports.append)
    # Rows at the begin of the partition that has the oldest event wait for the others there.
    assert (deleted, [rows for rows in reports if rows]) == (2 * SIZE + 1, [SIZE + 1, SIZE])
    assert log.head().oldest_seq == FIRST_END + 150
    assert starts()[0] == SIZE
    assert log.count_prunable(keep_days=1, keep_rows=150) == 0
    assert Event.objects.count() == 200
    assert len(search.read_newest(EVERYTHING, limit=500).entries) == 150
    append_many(60, "o")
    assert log.prune(keep_days=1, keep_rows=150) == SIZE


def test_rows_of_a_partition_that_are_many_beside_what_is_kept_do_not_wait() -> None:
    append_many(4 * SIZE, "n")
    assert log.prune(keep_days=1, keep_rows=10, even_nearly_all=True) == 4 * SIZE + 1 - 10
    assert Event.objects.count() == 10


def test_a_partition_of_which_retries_are_recognised_stays_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    delete_by(1000, monkeypatch)
    append_many(SIZE, "n")
    append(submission(new_event("mine", fingerprint="same"), key="key"))
    append_many(3 * SIZE, "o")
    assert log.prune(keep_days=1, keep_rows=150) == SIZE + 1 + SIZE - 1
    assert starts()[0] == 0
    (again,) = append(submission(new_event("mine", fingerprint="same"), key="key"))
    assert isinstance(again, Appended)
    assert again.ids == [("mine", FIRST_END)]
    grow_older(FIRST_END, timedelta(hours=25))
    assert log.prune(keep_days=30, keep_rows=150) == 1
    assert starts()[0] == SIZE


def test_while_another_transaction_reads_the_table_pruned_rows_stay_and_nothing_else_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    append_many(4 * SIZE, "n")
    with lock_elsewhere("ACCESS SHARE"):
        assert log.prune(keep_days=1, keep_rows=150) == 0
        assert "another transaction uses their partition" in caplog.text
        assert log.head().oldest_seq == FIRST_END + 150
        append_events(1, prefix="o")
    assert log.prune(keep_days=1, keep_rows=150) == 2 * SIZE + 1


def test_rows_that_are_copied_get_the_partitions_of_their_seqs() -> None:
    with transaction.atomic():
        log.cover([5, FIRST_END + 7, FIRST_END + 8, 10**12])
    assert starts() == [0, 10**12 - FIRST_END]


def test_a_partition_that_cannot_be_dropped_for_another_reason_is_an_error() -> None:
    with pytest.raises(DatabaseError):
        partitions.drop("no_such_partition")
