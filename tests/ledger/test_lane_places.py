"""Places and threads of a lane: each is given back once, by whichever way its request ends."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from ledger import interruption, lanes
from ledger.faults import LedgerBusy, LedgerUnavailable
from ledger.lanes import GivenUp, Lane
from ledger.reader import LANES, close_all
from ledger.turns import Job, Turns
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def lane() -> Iterator[Lane]:
    own = Lane("test", threads=2, guest_places=1)
    yield own
    own.close()


async def take(lane: Lane, name: str, *, guest: bool = False) -> None:
    async with lane.place(name, guest=guest):
        pass


async def test_n06_a_place_that_is_released_twice_is_given_back_once(lane: Lane) -> None:
    async with lane.place("first", guest=True) as first:
        first.release()
        async with lane.place("second", guest=True):
            # At the end of the request it is released once more: the place is another guest's by now.
            first.release()
            third = asyncio.create_task(take(lane, "third", guest=True))
            await take(lane, "signed in")
            # A call has its turn, and the thread looks for work again after it.
            for _ in range(3):
                await lane.run(int)
            assert (lane.waiting, lane._guests_served) == (1, 1)
            assert not third.done()
        await third
    assert lane._guests_served == 0


@pytest.mark.parametrize("guest", [True, False])
async def test_n06_a_thread_that_a_request_has_is_no_other_request_s(*, guest: bool) -> None:
    one = Lane("one", threads=1, guest_places=1)
    async with one.place("first", guest=guest):
        others = [asyncio.create_task(take(one, "other", guest=known)) for known in (True, False)]
        # A call has its turn, and the thread looks for work again after it.
        for _ in range(3):
            await one.run(int)
        assert one.waiting == 2
    await asyncio.gather(*others)
    await asyncio.to_thread(one.close)


async def test_n06_what_a_released_request_still_brings_runs_in_its_thread(lane: Lane) -> None:
    async with lane.place("first") as place:
        thread = await asyncio.wrap_future(place.executor.submit(threading.get_ident))
        place.release()
        assert await asyncio.wrap_future(place.executor.submit(threading.get_ident)) == thread


async def test_a_place_of_a_lane_that_was_closed_takes_nothing_more(lane: Lane) -> None:
    async with lane.place("first", guest=True) as place:
        await asyncio.to_thread(lane.close)
        with pytest.raises(RuntimeError, match="closed"):
            place.executor.submit(int)
    # The guests of the threads of before do not count among those of the new ones.
    assert lane._guests_served == 0
    await take(lane, "second", guest=True)


async def test_what_a_request_brings_has_its_result_or_its_error(lane: Lane) -> None:
    async with lane.place("first") as place:
        assert await asyncio.wrap_future(place.executor.submit(int, "7")) == 7
        assert await asyncio.wrap_future(place.executor.submit(int, "11", base=2)) == 3
        with pytest.raises(ValueError, match="seven"):
            await asyncio.wrap_future(place.executor.submit(int, "seven"))
        assert await asyncio.wrap_future(place.executor.submit(int)) == 0


async def test_calls_run_in_a_thread_that_a_request_has_and_other_requests_do_not(lane: Lane) -> None:
    async with lane.place("first"), lane.place("second"):
        assert await lane.run(int, "7") == 7
        waiting = asyncio.create_task(take(lane, "third"))
        assert await lane.run(int, "8") == 8
        assert lane.waiting == 1
        assert not waiting.done()
    await waiting
    assert lane.waiting == 0


# A connection that hangs


class Cuts:
    """Connections that were cut, and statements that were interrupted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cut: list[Any] = []
        self.interrupted: list[bool] = []
        monkeypatch.setattr(interruption, "cut", self.cut.append)
        monkeypatch.setattr(interruption, "interrupt", lambda _, still: self.interrupted.append(still()))


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> Cuts:
    return Cuts(monkeypatch)


class Hanging:
    """A call that does not end by itself."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.released.wait(20)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    hanging = Hanging()
    yield hanging
    hanging.released.set()


async def test_n07_a_call_that_was_given_up_is_interrupted_and_cut_when_that_does_not_end_it(
    lane: Lane, cuts: Cuts, hanging: Hanging
) -> None:
    before = time.monotonic()
    running = asyncio.create_task(lane.run(hanging))
    await asyncio.to_thread(hanging.begun.wait, 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert cuts.interrupted == [True]
    (job,) = [thread.running for thread in lane._threads if thread.running is not None]
    assert job.given_up
    assert before < job.cut_at - lanes.CUT_SECONDS < time.monotonic()
    # Not before its time, and then again after as long.
    await lane.run(int)
    assert cuts.cut == []
    job.cut_at = time.monotonic()
    for _ in range(2):
        await lane.run(int)
    assert len(cuts.cut) == 1
    assert job.cut_at > time.monotonic() + lanes.CUT_SECONDS / 2


async def test_n07_what_a_request_brings_may_take_a_minute_before_it_is_cut(
    lane: Lane, cuts: Cuts, hanging: Hanging
) -> None:
    async with lane.place("first") as place:
        bringing = asyncio.wrap_future(place.executor.submit(hanging))
        await asyncio.to_thread(hanging.begun.wait, 10)
        (job,) = [thread.running for thread in lane._threads if thread.running is not None]
        left_seconds = job.cut_at - time.monotonic()
        assert lanes.CUT_BROUGHT_SECONDS - 10 < left_seconds <= lanes.CUT_BROUGHT_SECONDS
        hanging.released.set()
        await bringing


async def test_a_call_whose_caller_still_waits_is_neither_interrupted_nor_cut(lane: Lane, cuts: Cuts) -> None:
    for _ in range(3):
        await lane.run(int)
    assert (cuts.cut, cuts.interrupted) == ([], [])
    # Nor what a thread did last, when it has nothing to do.
    assert [thread.running for thread in lane._threads] == [None, None]
    with pytest.raises(ValueError, match="seven"):
        await lane.run(int, "seven")
    assert [thread.running for thread in lane._threads] == [None, None]


async def test_what_a_request_brings_and_does_not_want_any_more_is_passed_over(lane: Lane, hanging: Hanging) -> None:
    async with lane.place("first") as place:
        first, unwanted, last = (place.executor.submit(call) for call in (hanging, hanging, int))
        await asyncio.to_thread(hanging.begun.wait, 10)
        assert unwanted.cancel()
        hanging.released.set()
        assert [await asyncio.wrap_future(one) for one in (first, last)] == [None, 0]
        place.executor.submit(int).cancel()
    await asyncio.to_thread(
        wait_until, lambda: all(thread.running is None for thread in lane._threads), "nothing is running"
    )


async def test_a_process_ends_though_its_lanes_hang(lane: Lane) -> None:
    await lane.run(int)
    assert [thread.thread.daemon for thread in lane._threads] == [True, True]


async def test_an_interruption_hits_the_call_that_it_was_meant_for_and_no_later_one(
    lane: Lane, cuts: Cuts, hanging: Hanging
) -> None:
    running = asyncio.create_task(lane.run(hanging))
    await asyncio.to_thread(hanging.begun.wait, 10)
    (thread,) = [thread for thread in lane._threads if thread.running is not None]
    assert thread.running is not None
    thread.interrupt(thread.running)
    thread.interrupt(Job(lambda _: None, ""))
    assert cuts.interrupted == [True, False]
    hanging.released.set()
    await running


async def test_closing_all_lanes_ends_their_threads_and_the_next_call_has_another() -> None:
    before = [await lane.run(threading.current_thread) for lane in LANES]
    await asyncio.to_thread(close_all)
    assert not any(thread.is_alive() for thread in before)
    assert await LANES[0].run(threading.current_thread) not in before


async def test_n04_a_call_that_was_given_up_is_not_tried_a_second_time() -> None:
    job, tries = Job(lambda _: None, ""), list[int]()

    def fails() -> None:
        tries.append(1)
        raise OperationalError("interrupted")

    job.given_up = True
    with pytest.raises(GivenUp):
        await asyncio.to_thread(lanes._read_twice, fails, job)
    assert tries == [1]
    job.given_up = False
    with pytest.raises(LedgerUnavailable):
        await asyncio.to_thread(lanes._read_twice, fails, job)
    assert tries == [1, 1, 1]


async def test_a_second_try_has_a_new_connection_and_so_has_the_call_after_a_failed_one(lane: Lane) -> None:
    seen: list[Any] = []

    def fails(times: int) -> str:
        connection.ensure_connection()
        seen.append(connection.connection)
        if len(seen) <= times:
            raise OperationalError("the link was lost")
        return "read"

    one = Lane("one", threads=1)
    assert await one.run(fails, 1) == "read"
    assert seen[0] is not seen[1]
    seen.clear()
    with pytest.raises(LedgerUnavailable):
        await one.run(fails, 2)
    assert await one.run(fails, 2) == "read"
    assert seen[2] is not seen[1]
    await asyncio.to_thread(one.close)


# The queue


async def test_a_lane_takes_as_many_calls_as_its_limit_and_of_one_caller_as_many_as_that_one_s(
    monkeypatch: pytest.MonkeyPatch, hanging: Hanging
) -> None:
    monkeypatch.setattr(lanes, "QUEUE_LIMIT_CALLS", 3)
    one = Lane("one", threads=1, limit_each=2)
    running = asyncio.create_task(one.run_for("holder", hanging))
    await asyncio.to_thread(hanging.begun.wait, 10)
    waiting = [asyncio.create_task(one.run_for("many", int)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LedgerBusy):
        await one.run_for("many", int)
    waiting.append(asyncio.create_task(one.run_for("one", int)))
    await asyncio.sleep(0)
    with pytest.raises(LedgerBusy):
        await one.run_for("other", int)
    assert one.waiting == 3
    hanging.released.set()
    assert await asyncio.gather(running, *waiting) == [None, 0, 0, 0]
    await asyncio.to_thread(one.close)


def test_turns_forget_who_has_nothing_to_wait_for() -> None:
    turns = Turns()
    jobs = [Job(lambda _: None, who) for who in ("a", "a", "b", "c")]
    for job in jobs:
        turns.put(job)
    assert (len(turns), turns.of("a"), turns.of("c"), turns.of("d")) == (4, 2, 1, 0)
    turns.remove(jobs[3])
    turns.remove(jobs[3])
    assert (len(turns), turns.of("c")) == (3, 0)
    assert [turns.take() for _ in range(3)] == [jobs[0], jobs[2], jobs[1]]
    assert (len(turns), turns.of("a"), dict(turns._by_caller)) == (0, 0, {})
