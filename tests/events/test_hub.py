"""Fan-out in one process: who joins, what each reader gets, and what is held for it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from events import hub as hub_module
from events.cursors import Cursor, Head
from events.entries import Entry
from events.hub import Hub, Subscriber
from gateway.filters import EVERYTHING, Selection
from tests.events.hub_samples import EPOCH, entry, ids

WARNINGS = Selection(severities=frozenset({"warn"}))


def entries(first: int, last: int, *, size_bytes: int = 2) -> list[Entry]:
    return [entry(seq, size_bytes=size_bytes) for seq in range(first, last + 1)]


@pytest.fixture
def hub() -> Hub:
    hub = Hub()
    hub.reset(Head(EPOCH, 0, 1))
    return hub


@pytest.fixture(autouse=True)
def _no_joining_of_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events go out at once, unless a test says otherwise."""
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 0.0)


def joined(hub: Hub, selection: Selection = EVERYTHING, *, seq: int | None = None) -> Subscriber:
    subscriber = Subscriber(selection, Cursor(EPOCH, hub.seq if seq is None else seq))
    assert hub.join(subscriber)
    return subscriber


def test_what_is_missing_before_is_said_and_nothing_is_taken(hub: Hub) -> None:
    assert hub.accept(entries(1, 2))
    assert not hub.accept(entries(4, 5))
    assert hub.seq == 2
    assert hub.accept(entries(3, 5))
    assert hub.seq == 5


def test_what_is_known_already_is_left_out(hub: Hub) -> None:
    subscriber = joined(hub)
    hub.accept(entries(1, 3))
    assert hub.accept(entries(1, 3))
    assert hub.accept(entries(2, 4))
    assert ids(subscriber.take()) == [1, 2, 3, 4]


def test_a_reader_gets_only_what_its_selection_admits(hub: Hub) -> None:
    subscriber = joined(hub, WARNINGS)
    hub.accept([entry(1), entry(2, "warn"), entry(3)])
    assert ids(subscriber.take()) == [2]


def test_a_reader_that_comes_back_gets_recent_events_without_the_log(hub: Hub) -> None:
    hub.accept(entries(1, 5))
    assert ids(joined(hub, seq=2).take()) == [3, 4, 5]


def test_a_reader_that_misses_more_than_is_remembered_must_read_the_log(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 6)
    hub.accept(entries(1, 5))
    assert not hub.join(Subscriber(EVERYTHING, Cursor(EPOCH, 1)))
    assert hub.join(Subscriber(EVERYTHING, Cursor(EPOCH, 2)))


@pytest.mark.parametrize("cursor", [Cursor("other", 0), Cursor(EPOCH, 1)])
def test_a_reader_of_another_log_or_ahead_of_this_one_cannot_join(hub: Hub, cursor: Cursor) -> None:
    subscriber = Subscriber(EVERYTHING, cursor)
    assert not hub.join(subscriber)
    hub.accept(entries(1, 1))
    assert subscriber.take() == b""


def test_what_was_due_before_a_reader_joined_does_not_come_twice(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> list[int]:
        first = joined(hub)
        hub.accept(entries(1, 1))
        hub.accept(entries(2, 3))
        late = joined(hub, seq=1)
        hub.flush()
        assert ids(first.take()) == [1, 2, 3]
        return ids(late.take())

    monkeypatch.setattr(hub_module, "TICK_SECONDS", 3600.0)
    assert asyncio.run(play()) == [2, 3]


def test_events_that_come_quickly_are_joined_into_one_chunk_that_is_shared(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 0.01)

    async def play() -> tuple[bytes, bytes]:
        one, other = joined(hub), joined(hub)
        hub.accept(entries(1, 1))
        assert (ids(one.take()), ids(other.take())) == ([1], [1])
        hub.accept(entries(2, 2))
        hub.accept(entries(3, 3))
        await asyncio.wait_for(one.wait(), 5)
        return one.take(), other.take()

    one, other = asyncio.run(play())
    assert ids(one) == [2, 3]
    assert one is other


def test_a_reader_beyond_its_limit_falls_back_to_its_cursor_and_nobody_else_is_late(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PENDING_LIMIT_BYTES", 300)
    slow, quick = joined(hub), joined(hub)
    got: list[int] = []
    for seq in range(1, 11):
        hub.accept([entry(seq, size_bytes=100)])
        got += ids(quick.take())
    assert got == list(range(1, 11))
    assert not slow.live
    assert slow.take() == b""
    assert slow.cursor == Cursor(EPOCH, 0)


def test_what_waits_for_a_reader_is_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "PENDING_LIMIT_BYTES", 1000)
    subscriber = joined(hub)
    for seq in range(1, 100):
        hub.accept([entry(seq, size_bytes=100)])
        assert subscriber._pending_bytes <= 1000


def test_what_a_returning_reader_is_given_at_once_is_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.accept(entries(1, 100, size_bytes=100))
    monkeypatch.setattr(hub_module, "PENDING_LIMIT_BYTES", 1000)
    assert not hub.join(Subscriber(EVERYTHING, Cursor(EPOCH, 0)))
    assert ids(joined(hub, seq=98).take()) == [99, 100]


def test_another_log_makes_live_readers_look_for_themselves(hub: Hub) -> None:
    subscriber = joined(hub)
    hub.accept(entries(1, 2))
    hub.reset(Head("other", 7, 1))
    assert not subscriber.live
    assert (subscriber.take(), subscriber.cursor) == (b"", Cursor(EPOCH, 0))
    assert not hub.join(subscriber)


def test_the_first_reason_to_end_stands(hub: Hub) -> None:
    subscriber = joined(hub)
    subscriber.end("revoked")
    subscriber.end("max_age")
    assert subscriber.end_reason == "revoked"


def test_who_left_gets_nothing_more(hub: Hub) -> None:
    subscriber = joined(hub)
    hub.leave(subscriber)
    hub.leave(subscriber)
    hub.accept(entries(1, 1))
    assert subscriber.take() == b""
    assert hub.subscribers == []


@pytest.fixture
def polling(hub: Hub) -> Iterator[None]:
    yield
    assert not hub._advanced


@pytest.mark.usefixtures("polling")
@pytest.mark.parametrize("change", [lambda hub: hub.accept(entries(1, 1)), lambda hub: hub.reset(Head("o", 0, 1))])
async def test_long_polls_wake_when_the_position_moves(hub: Hub, change: Any) -> None:
    waiting = [asyncio.create_task(hub.advanced()) for _ in range(3)]
    await asyncio.sleep(0)
    change(hub)
    await asyncio.wait_for(asyncio.gather(*waiting), 5)


@pytest.mark.usefixtures("polling")
async def test_a_long_poll_that_goes_away_leaves_nothing_behind(hub: Hub) -> None:
    waiting = asyncio.create_task(hub.advanced())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
