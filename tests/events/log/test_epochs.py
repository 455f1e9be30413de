"""The epoch is a fact of the database: whichever process appends first, another database begins a new one.

What PostgreSQL says of itself is put in its place here; tests/faults/test_failover.py has the real one.
"""

from collections.abc import Callable, Sequence

import pytest
from asgiref.sync import sync_to_async

from events import log
from events.log import appending, epochs, incarnation, watermark
from events.log.changes import change
from events.log.cursors import Cursor, generation
from events.models import Event, LogHead
from events.stream import relay as relay_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from ledger.writer import runs_last
from tests.events.samples import append_events
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")

# Timeline and table.
HERE, PROMOTED, RESTORED = "00000001-16500", "00000002-16500", "00000001-16900"

Moves = Callable[..., None]


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Moves:
    """From now on the database says this of itself."""

    def move(to: str, *, synchronous: bool = False) -> None:
        monkeypatch.setattr(incarnation, "columns", lambda: f"'{to}', {int(synchronous)} = 1, NULL")

    return move


def test_a_log_of_an_older_version_keeps_its_epoch(moves: Moves) -> None:
    append_events(2)
    LogHead.objects.update(epoch="k7f3zz", incarnation="")
    moves(HERE)
    append_events(1, prefix="n")
    head = log.head()
    assert (head.epoch, head.incarnation) == ("k7f3zz", HERE)
    assert generation(head.epoch) == 0
    assert generation(epochs.start_new_epoch().epoch) == 1


@runs_last
def note_start(_units: list[None]) -> Sequence[Cursor]:
    """Change nothing; where the log ended before that."""
    with change() as changing:
        return [changing.before]


@pytest.mark.parametrize("first", ["append", "change", "prune"])
def test_n08_a_standby_that_may_lack_events_begins_a_new_epoch_with_the_first_that_locks_it(
    moves: Moves, first: str
) -> None:
    moves(HERE)
    append_events(3)
    before = log.head()
    moves(PROMOTED)
    if first == "append":
        assert append_events(1, prefix="n").epoch != before.epoch
    elif first == "change":
        (start,) = note_start([None])
        assert start.epoch != before.epoch
        assert start == log.head().newest
    else:
        log.prune(keep_days=1, keep_rows=2)
    after = log.head()
    assert generation(after.epoch) == generation(before.epoch) + 1
    # Once.
    append_events(1, prefix="m")
    assert log.head().epoch == after.epoch


def test_a_standby_that_every_commit_waited_for_keeps_the_epoch(moves: Moves) -> None:
    moves(HERE, synchronous=True)
    append_events(3)
    before = log.head()
    moves(PROMOTED, synchronous=True)
    assert append_events(1, prefix="n").epoch == before.epoch
    assert log.head().incarnation == PROMOTED


@pytest.mark.parametrize("now", [PROMOTED, RESTORED])
def test_n08_commits_that_did_not_wait_any_more_may_be_missing(moves: Moves, now: str) -> None:
    moves(HERE, synchronous=True)
    append_events(3)
    moves(HERE)
    before = append_events(1, prefix="n").epoch
    moves(now, synchronous=True)
    assert append_events(1, prefix="m").epoch != before


def test_n08_a_table_that_a_dump_made_anew_is_another_log(moves: Moves) -> None:
    moves(HERE, synchronous=True)
    before = append_events(3).epoch
    moves(RESTORED, synchronous=True)
    assert append_events(1, prefix="n").epoch != before


def test_n08_seqs_that_the_mark_knows_are_not_given_out_by_a_new_primary(moves: Moves) -> None:
    moves(HERE, synchronous=True)
    append_events(3)
    watermark.advance(Cursor(log.head().epoch, 9))
    moves(PROMOTED, synchronous=True)
    assert append_events(1, prefix="n").ids == [("n0", 10)]


async def test_n08_what_a_process_has_seen_of_commits_whose_wait_was_broken_off_is_missed_by_it(
    moves: Moves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 0.02)
    append = sync_to_async(append_events)
    moves(HERE, synchronous=True)
    await append(3)
    relay = Relay(Hub())
    await relay.start()
    await append(2, prefix="lost")
    await until(lambda: relay.hub.seq == 5)
    seen = relay.hub.cursor
    # This process is stopped, as a machine may be; another one appends as many to the new primary.
    for task in relay._tasks:
        task.cancel()
    appending._listeners.remove(relay.committed)
    epochs._witnesses.remove(relay._seen)
    await sync_to_async(_lose_two)()
    moves(PROMOTED, synchronous=True)
    await append(4, prefix="n")
    assert (await sync_to_async(log.head)()).epoch == seen.epoch

    await relay._compare_head(relay.hub.cursor)

    head = await sync_to_async(log.head)()
    assert generation(head.epoch) == generation(seen.epoch) + 1
    assert head.last_seq == 7
    await relay.stop()


def _lose_two() -> None:
    LogHead.objects.update(last_seq=3)
    Event.objects.filter(seq__gt=3).delete()


def test_the_first_epoch_of_an_installation_is_the_first_generation() -> None:
    LogHead.objects.all().delete()
    assert generation(log.head().epoch) == 1


def test_a_log_that_holds_other_events_than_were_seen_is_given_up_once() -> None:
    append_events(3)
    seen = log.head().newest
    first = log.give_up(seen)
    assert generation(first.epoch) == generation(seen.epoch) + 1
    assert first.last_seq == seen.seq
    # Another process finds the same out a moment later.
    assert log.give_up(seen) == first == log.head()


def test_a_log_that_is_given_up_goes_on_after_all_that_was_seen_of_it() -> None:
    append_events(3)
    assert log.give_up(Cursor(log.head().epoch, 9)).last_seq == 9
    assert append_events(1, prefix="n").ids == [("n0", 10)]


def test_a_witness_is_asked_once_however_often_it_offers_itself() -> None:
    asked: list[int] = []

    def witness() -> Cursor:
        asked.append(1)
        return Cursor("", 0)

    for _ in range(3):
        log.ask_before_append(witness)
    append_events(1)
    assert asked == [1]
