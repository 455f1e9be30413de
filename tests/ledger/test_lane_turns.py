"""Whose turn it is in a lane, what becomes of calls that are given up, and places of requests."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from ledger import lanes
from ledger.faults import LedgerBusy, LedgerUnavailable
from ledger.lanes import Lane
from ledger.reader import reader, replays
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")

# Never ends by itself, in either database.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def lane() -> Iterator[Lane]:
    own = Lane("test", threads=1, guest_places=1)
    yield own
    own.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LANE_WAIT_SECONDS", 0.2)


class Held:
    """A call that keeps a lane's thread until it is released."""

    def __init__(self, lane: Lane) -> None:
        self.begun, self.released = threading.Event(), threading.Event()
        self.call = asyncio.create_task(lane.run_for("holder", self._hold))

    def _hold(self) -> None:
        self.begun.set()
        assert self.released.wait(10)

    async def begins(self) -> None:
        await asyncio.to_thread(self.begun.wait, 10)

    async def release(self) -> None:
        self.released.set()
        await self.call


async def test_n04_turns_go_round_by_who_asks_and_not_by_who_asks_most(lane: Lane) -> None:
    held = Held(lane)
    await held.begins()
    served: list[str] = []
    calls = [asyncio.create_task(lane.run_for("many", served.append, "many")) for _ in range(16)]
    await asyncio.sleep(0)
    calls.append(asyncio.create_task(lane.run_for("one", served.append, "one")))
    await asyncio.sleep(0)
    await held.release()
    await asyncio.gather(*calls)
    assert served.index("one") <= 1


async def test_n04_one_caller_cannot_fill_the_queue_for_others(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "_limit_each", 2)
    held = Held(lane)
    await held.begins()
    waiting = [asyncio.create_task(lane.run_for("many", int)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LedgerBusy):
        await lane.run_for("many", int)
    other = asyncio.create_task(lane.run_for("one", int))
    await asyncio.sleep(0)
    await held.release()
    assert await asyncio.gather(other, *waiting) == [0, 0, 0]


def _endless(seen: list[int]) -> None:
    seen.append(1)
    with connection.cursor() as cursor:
        cursor.execute(ENDLESS)


@pytest.mark.usefixtures("impatient")
async def test_n04_a_statement_whose_caller_was_told_503_is_broken_off_and_not_tried_again(lane: Lane) -> None:
    tries: list[int] = []
    with pytest.raises(LedgerUnavailable) as raised:
        await lane.run(_endless, tries)
    assert not isinstance(raised.value, LedgerBusy)
    # The only thread is free again: without the interruption it would be for as long as the machine runs.
    assert await _answered(lane) == 1
    assert tries == [1]


async def test_n13_a_statement_whose_caller_hung_up_is_broken_off(lane: Lane) -> None:
    tries: list[int] = []
    call = asyncio.create_task(lane.run(_endless, tries))
    await asyncio.to_thread(wait_until, lambda: tries, "the statement is under way")
    call.cancel()
    assert await _answered(lane) == 1


async def _answered(lane: Lane) -> int:
    """A thread of its own asks PostgreSQL to break off, so the first calls may still come too early."""
    while True:
        try:
            return await lane.run(_one)
        except LedgerBusy:
            continue


def _one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


@pytest.mark.usefixtures("impatient")
async def test_n04_a_call_that_was_given_up_makes_no_further_statement(lane: Lane) -> None:
    begun, released, made = threading.Event(), threading.Event(), list[int]()

    def goes_on() -> None:
        begun.set()
        released.wait(10)
        made.append(_one())

    with pytest.raises(LedgerUnavailable):
        await lane.run(goes_on)
    released.set()
    assert await lane.run(_one) == 1
    assert made == []


@pytest.mark.usefixtures("impatient")
async def test_a_caller_whose_turn_does_not_come_is_told_that_it_is_full_and_is_not_served_later(lane: Lane) -> None:
    held, served = Held(lane), list[int]()
    await held.begins()
    with pytest.raises(LedgerBusy):
        await lane.run_for("late", served.append, 1)
    assert lane.waiting == 0
    held.released.set()
    with pytest.raises(LedgerUnavailable):
        await held.call
    assert await lane.run(_one) == 1
    assert served == []


async def test_n06_a_place_is_one_requests_alone_until_it_is_released(lane: Lane) -> None:
    async with lane.place("first") as place:
        thread = await asyncio.wrap_future(place.executor.submit(threading.get_ident))
        waiting = asyncio.create_task(_place_taken(lane))
        assert await asyncio.wrap_future(place.executor.submit(threading.get_ident)) == thread
        assert not waiting.done()
        place.release()
        assert await waiting == thread


async def _place_taken(lane: Lane, *, guest: bool = False) -> int:
    async with lane.place("another", guest=guest) as place:
        return await asyncio.wrap_future(place.executor.submit(threading.get_ident))


async def test_n06_callers_without_a_session_leave_a_thread_to_those_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane("people", threads=2, guest_places=1)
    try:
        async with lane.place("guest", guest=True):
            waiting = asyncio.create_task(_place_taken(lane, guest=True))
            await _place_taken(lane)
            assert not waiting.done()
        await waiting
    finally:
        await asyncio.to_thread(lane.close)


async def test_n06_a_caller_without_a_session_has_a_turn_among_many_with_one(lane: Lane) -> None:
    held = Held(lane)
    await held.begins()
    served: list[str] = []

    async def visit(name: str, *, guest: bool = False) -> None:
        async with lane.place(name, guest=guest):
            served.append(name)

    visits = [asyncio.create_task(visit("signed in")) for _ in range(16)]
    calls = [asyncio.create_task(lane.run_for("by cookie", served.append, "call")) for _ in range(16)]
    await asyncio.sleep(0)
    visits.append(asyncio.create_task(visit("stranger", guest=True)))
    await asyncio.sleep(0)
    await held.release()
    await asyncio.gather(*visits, *calls)
    assert [name for name in served if name != "call"].index("stranger") < 4


@pytest.mark.parametrize("lane", [reader, replays], ids=lambda lane: lane.name)
async def test_n06_a_thousand_streams_of_one_token_may_come_back_at_once(lane: Lane) -> None:
    begun, released = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert released.wait(10)

    held = [asyncio.create_task(lane.run(hold)) for _ in range(lane.threads)]
    await asyncio.to_thread(begun.wait, 10)
    calls = [asyncio.create_task(lane.run_for("p-1" if lane is replays else "", int)) for _ in range(1_000)]
    await asyncio.sleep(0)
    released.set()
    assert await asyncio.gather(*calls, *held) == [0] * 1_000 + [None] * lane.threads


@pytest.mark.usefixtures("impatient")
async def test_n06_a_place_that_came_when_its_caller_had_left_is_free_again(lane: Lane) -> None:
    for _ in range(3):
        async with lane.place("first"):
            with pytest.raises(LedgerBusy):
                await _place_taken(lane)
            leaving = asyncio.create_task(_place_taken(lane))
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    await _place_taken(lane)
