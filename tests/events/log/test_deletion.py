"""Deleting rows range by range: how much at a time, and what stays."""

import pytest
from django.db import connection, models

from events import log
from events.log import deletion
from events.models import Event, LogHead
from tests.events.samples import append, append_events, delete_by, new_event, submission

pytestmark = pytest.mark.usefixtures("ledger")

ALL = models.Q()


def delete_before(oldest_seq: int, needless: models.Q = ALL) -> list[int]:
    """How many rows each transaction deleted."""
    batches: list[int] = []
    assert deletion.delete_before(oldest_seq, needless=needless, after_batch=batches.append) == sum(batches)
    return batches


@pytest.mark.parametrize(
    ("rows", "held_ms", "then"),
    [
        pytest.param(500, 15, 500, id="as planned"),
        pytest.param(500, 20, 375, id="a little slow"),
        pytest.param(500, 400, 250, id="one slow commit does not make all that follow tiny"),
        pytest.param(500, 0, 1000, id="nor a quick one all that follow huge"),
        pytest.param(10_000, 1, 10_000, id="no more than at most"),
        pytest.param(25, 900, 20, id="no fewer than at least"),
    ],
)
def test_the_next_transaction_is_as_large_as_the_time_for_the_lock_allows(rows: int, held_ms: int, then: int) -> None:
    assert deletion.rows_for_next(rows, held_ms / 1000) == then


def test_rows_go_in_short_transactions_and_those_that_are_needed_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    delete_by(4, monkeypatch)
    append_events(3)
    append(submission(new_event("mine", fingerprint="same")))
    append_events(6, prefix="n")
    assert delete_before(10, models.Q(fingerprint="")) == [3, 4, 1]
    assert list(Event.objects.values_list("seq", flat=True)) == [4, 10]


def test_rows_that_stay_are_passed_over_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "LOOK_SEQS", 3)
    append(*(submission(new_event(f"mine{number}", fingerprint="same")) for number in range(7)))
    append_events(2)
    # Each piece is reported, so that the claim of a chore is renewed.
    assert delete_before(10, models.Q(fingerprint="")) == [0, 0, 2]
    assert Event.objects.count() == 7


def test_a_long_hole_is_passed_over_at_once() -> None:
    append_events(2)
    LogHead.objects.update(last_seq=10**12)
    append_events(2, prefix="n")
    assert delete_before(10**12 + 2) == [2, 1]
    assert log.head().last_seq == 10**12 + 2


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_commits_of_this_connection_write_back_to_the_file_again_when_the_deletion_has_ended() -> None:
    append_events(5)

    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deletion.delete_before(5, needless=ALL, after_batch=stop)
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA wal_autocheckpoint").fetchone() == (deletion.AUTOCHECKPOINT,)
