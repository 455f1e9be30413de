"""Fan-out in one process: who joins, what each reader gets, and what happens to one that cannot take it."""

import asyncio
import itertools

import pytest

from events.log.cursors import Cursor, Head
from events.log.records import Entry
from events.stream import hub as hub_module
from events.stream.hub import Hub
from events.stream.subscribers import Subscriber
from gateway.filters import EVERYTHING, Selection
from tests.events.stream.hub_samples import EPOCH, Inbox, entry, ids
from tests.events.waiting import until

WARNINGS = Selection(severities=frozenset({"warn"}))


def entries(first: int, last: int, *, size_bytes: int = 2) -> list[Entry]:
    return [entry(seq, size_bytes=size_bytes) for seq in range(first, last + 1)]


@pytest.fixture
def hub() -> Hub:
    # As if each look at the clock came an hour after the last: nothing need wait for its turn.
    clock = itertools.count(step=3600)
    hub = Hub(clock=lambda: float(next(clock)))
    hub.reset(Head(EPOCH, 0, 1))
    return hub


def joined(hub: Hub, selection: Selection = EVERYTHING, *, seq: int | None = None) -> tuple[Subscriber, Inbox]:
    inbox = Inbox()
    subscriber = Subscriber(selection, Cursor(EPOCH, hub.seq if seq is None else seq), inbox.write)
    assert hub.join(subscriber)
    return subscriber, inbox


def stranger(cursor: Cursor) -> Subscriber:
    return Subscriber(EVERYTHING, cursor, Inbox().write)


def test_what_is_missing_before_is_said_and_nothing_is_taken(hub: Hub) -> None:
    assert hub.accept(entries(1, 2))
    assert not hub.accept(entries(4, 5))
    assert hub.seq == 2
    assert hub.accept(entries(3, 5))
    assert hub.seq == 5


def test_what_is_known_already_is_left_out(hub: Hub) -> None:
    _, inbox = joined(hub)
    hub.accept(entries(1, 3))
    assert hub.accept(entries(1, 3))
    assert hub.accept(entries(2, 4))
    assert inbox.seqs == [1, 2, 3, 4]


def test_a_reader_gets_only_what_its_selection_admits_and_its_cursor_moves_all_the_same(hub: Hub) -> None:
    subscriber, inbox = joined(hub, WARNINGS)
    hub.accept([entry(1), entry(2, "warn"), entry(3)])
    assert inbox.seqs == [2]
    assert subscriber.cursor == Cursor(EPOCH, 3)


def test_a_reader_that_comes_back_gets_recent_events_without_the_log(hub: Hub) -> None:
    hub.accept(entries(1, 5))
    subscriber, inbox = joined(hub, seq=2)
    assert inbox.seqs == [3, 4, 5]
    assert (subscriber.events_sent, subscriber.bytes_sent) == (3, len(inbox.chunks[0]))


def test_a_hub_that_starts_in_the_middle_of_a_log_knows_its_end(hub: Hub) -> None:
    hub.reset(Head(EPOCH, 9, 1), entries(6, 9))
    assert joined(hub, seq=5)[1].seqs == [6, 7, 8, 9]
    assert not hub.join(stranger(Cursor(EPOCH, 4)))


def test_a_hole_is_never_taken_for_a_log(hub: Hub) -> None:
    assert not hub.accept([*entries(1, 2), *entries(4, 5)])
    hub.reset(Head(EPOCH, 9, 1), [*entries(1, 5), *entries(7, 9)])
    assert joined(hub, seq=6)[1].seqs == [7, 8, 9]
    assert not hub.join(stranger(Cursor(EPOCH, 5)))
    hub.reset(Head(EPOCH, 150, 1), entries(1, 100))
    assert hub.recall(Cursor(EPOCH, 60), EVERYTHING) == ([], None)


def test_a_reader_that_misses_more_than_is_remembered_must_read_the_log(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 6)
    hub.accept(entries(1, 5))
    assert hub.recall(Cursor(EPOCH, 1), EVERYTHING) == ([], None)
    assert not hub.join(stranger(Cursor(EPOCH, 1)))
    assert hub.join(stranger(Cursor(EPOCH, 2)))


@pytest.mark.parametrize("cursor", [Cursor("other", 0), Cursor(EPOCH, 1)])
def test_a_reader_of_another_log_or_ahead_of_this_one_cannot_join(hub: Hub, cursor: Cursor) -> None:
    assert not hub.join(stranger(cursor))
    assert hub.subscribers == []


def test_what_was_due_before_a_reader_joined_does_not_come_twice(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> tuple[list[int], list[int]]:
        _, first = joined(hub)
        hub.accept(entries(1, 1))
        hub.accept(entries(2, 3))
        _, late = joined(hub, seq=1)
        hub.flush()
        return first.seqs, late.seqs

    monkeypatch.setattr(hub_module, "TICK_SECONDS", 1e9)
    assert asyncio.run(play()) == ([1, 2, 3], [2, 3])


async def test_events_that_come_quickly_are_joined_into_one_chunk_that_is_shared() -> None:
    hub = Hub()
    hub.reset(Head(EPOCH, 0, 1))
    one, other = joined(hub)[1], joined(hub)[1]
    for seq in (1, 2, 3):
        hub.accept(entries(seq, seq))
    assert (one.seqs, other.seqs) == ([1], [1])
    await until(lambda: len(one.chunks) == 2)
    assert [ids(chunk) for chunk in one.chunks] == [[1], [2, 3]]
    assert one.chunks[1] is other.chunks[1]


@pytest.mark.parametrize(
    ("writing_seconds", "pause_seconds"),
    [(0.0, 0.02), (0.005, 0.02), (0.02, 0.06), (0.5, 0.1)],
    ids=["no time", "little time", "more than its share", "far too long"],
)
def test_the_longer_writing_takes_the_more_events_are_joined(writing_seconds: float, pause_seconds: float) -> None:
    now = worked = 0.0
    inbox = Inbox()

    def write(chunk: bytes) -> bool:
        nonlocal now, worked
        worked += writing_seconds
        # Other programs have the processor in between, so that by the clock it takes ever so much longer.
        now += writing_seconds + 5.0
        return inbox.write(chunk)

    hub = Hub(clock=lambda: now, work_clock=lambda: worked)
    hub.reset(Head(EPOCH, 0, 1))
    assert hub.join(Subscriber(EVERYTHING, hub.cursor, write))
    hub.accept(entries(1, 1))
    assert hub._quiet_until - now == pytest.approx(pause_seconds)


def test_what_is_written_is_counted_for_each_reader_from_when_it_came(hub: Hub) -> None:
    early, inbox = joined(hub)
    hub.accept(entries(1, 2))
    late, late_inbox = joined(hub)
    hub.accept(entries(3, 5))
    assert (early.events_sent, late.events_sent) == (5, 3)
    assert early.bytes_sent == sum(map(len, inbox.chunks))
    assert late.bytes_sent == sum(map(len, late_inbox.chunks))
    late.step_back()
    hub.accept(entries(6, 6))
    assert (early.events_sent, late.events_sent) == (6, 3)
    # Also when it comes again to a group that has gone on.
    assert hub.join(late)
    hub.accept(entries(7, 7))
    assert (early.events_sent, late.events_sent) == (7, 5)
    assert late.bytes_sent == sum(map(len, late_inbox.chunks))


# A reader that cannot take more


def test_a_reader_that_is_full_steps_back_to_its_cursor_and_no_other_is_late(hub: Hub) -> None:
    slow, slow_inbox = joined(hub)
    _, quick = joined(hub)
    slow_inbox.full = True
    for seq in range(1, 11):
        hub.accept(entries(seq, seq))
    assert quick.seqs == list(range(1, 11))
    assert not slow.live
    # What it was given when it turned out to be full it has; after that, nothing is held for it.
    assert (slow_inbox.seqs, slow.cursor) == ([1], Cursor(EPOCH, 1))

    slow_inbox.full = False
    assert hub.join(slow)
    assert slow_inbox.seqs == list(range(1, 11))
    assert slow.events_sent == 10


def test_a_reader_that_is_full_when_it_joins_is_not_live(hub: Hub) -> None:
    hub.accept(entries(1, 3))
    inbox = Inbox()
    inbox.full = True
    subscriber = Subscriber(EVERYTHING, Cursor(EPOCH, 0), inbox.write)
    assert not hub.join(subscriber)
    assert (inbox.seqs, subscriber.cursor, hub.subscribers) == ([1, 2, 3], Cursor(EPOCH, 3), [])


def test_what_a_returning_reader_is_given_at_once_is_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.accept(entries(1, 100, size_bytes=100))
    monkeypatch.setattr(hub_module, "CATCH_UP_LIMIT_BYTES", 1000)
    assert not hub.join(stranger(Cursor(EPOCH, 0)))
    given, reached = hub.recall(Cursor(EPOCH, 0), EVERYTHING)
    assert ([entry.seq for entry in given], reached) == (list(range(1, 11)), Cursor(EPOCH, 10))
    assert joined(hub, seq=98)[1].seqs == [99, 100]


def test_one_event_that_is_larger_than_the_bound_is_given_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.accept(entries(1, 3, size_bytes=100))
    monkeypatch.setattr(hub_module, "CATCH_UP_LIMIT_BYTES", 10)
    given, reached = hub.recall(Cursor(EPOCH, 1), EVERYTHING)
    assert ([entry.seq for entry in given], reached) == ([2], Cursor(EPOCH, 2))


async def test_who_waits_to_step_back_is_woken_when_it_is_full(hub: Hub) -> None:
    subscriber, inbox = joined(hub)
    waiting = asyncio.create_task(subscriber.stepped_back())
    await asyncio.sleep(0)
    hub.accept(entries(1, 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.full = True
    hub.accept(entries(2, 2))
    await asyncio.wait_for(waiting, 5)


def test_another_log_makes_live_readers_look_for_themselves(hub: Hub) -> None:
    subscriber, inbox = joined(hub)
    hub.accept(entries(1, 2))
    hub.reset(Head("other", 7, 1))
    assert not subscriber.live
    assert (inbox.seqs, subscriber.cursor) == ([1, 2], Cursor(EPOCH, 2))
    assert not hub.join(subscriber)


def test_what_was_due_when_another_log_came_is_not_written(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> tuple[list[int], Cursor]:
        subscriber, inbox = joined(hub)
        hub.accept(entries(1, 1))
        hub.accept(entries(2, 2))
        hub.reset(Head("other", 7, 1))
        hub.flush()
        return inbox.seqs, subscriber.cursor

    monkeypatch.setattr(hub_module, "TICK_SECONDS", 1e9)
    assert asyncio.run(play()) == ([1], Cursor(EPOCH, 1))


def test_the_first_reason_to_end_stands_and_nothing_comes_after_it(hub: Hub) -> None:
    subscriber, inbox = joined(hub)
    subscriber.end("revoked")
    subscriber.end("max_age")
    hub.accept(entries(1, 1))
    assert (subscriber.end_reason, inbox.chunks) == ("revoked", [])


def test_who_left_gets_nothing_more(hub: Hub) -> None:
    subscriber, inbox = joined(hub)
    subscriber.step_back()
    subscriber.step_back()
    hub.accept(entries(1, 1))
    assert inbox.chunks == []
    assert hub.subscribers == []


def test_selections_without_a_subscriber_are_forgotten(hub: Hub) -> None:
    for number in range(50):
        subscriber, _ = joined(hub, Selection(modules=frozenset({f"m{number}"})))
        subscriber.step_back()
    joined(hub)
    assert len(hub._groups) == 1


def test_a_transport_that_fails_takes_nothing_from_others_of_its_group(hub: Hub) -> None:
    def fail(_chunk: bytes) -> bool:
        raise OSError("no such socket")

    groups = [EVERYTHING, EVERYTHING, WARNINGS, Selection(modules=frozenset({"madre"}))]
    around = [joined(hub, selection) for selection in groups]
    failing = [Subscriber(selection, hub.cursor, fail) for selection in groups]
    assert all(hub.join(subscriber) for subscriber in failing)
    around += [joined(hub, selection) for selection in groups]
    hub.accept([entry(1, "warn")])
    hub.accept([entry(2, "warn")])
    assert [inbox.seqs for _, inbox in around] == [[1, 2]] * len(around)
    assert {(subscriber.end_reason, subscriber.live, subscriber.cursor.seq) for subscriber in failing} == {
        ("error", False, 0)
    }


def test_only_the_hub_moves_a_live_subscriber(hub: Hub) -> None:
    subscriber, _ = joined(hub)
    with pytest.raises(RuntimeError):
        subscriber.move_to(Cursor(EPOCH, 0))
    subscriber.step_back()
    subscriber.move_to(Cursor(EPOCH, 0))
    assert (subscriber.cursor, subscriber.bytes_sent, subscriber.events_sent) == (Cursor(EPOCH, 0), 0, 0)


def test_the_position_is_one_object_for_the_thread_that_appends(hub: Hub) -> None:
    # Two values could be read with another log's epoch between them.
    assert hub.cursor is hub.cursor
    hub.reset(Head("other", 7, 1))
    assert hub.cursor == Cursor("other", 7) == (hub.epoch, hub.seq)
