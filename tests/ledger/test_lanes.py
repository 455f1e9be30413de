"""Lanes: bounded in time, number and threads, fair, and on a new connection when the old one is dead."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection

from ledger import lanes
from ledger.faults import LedgerBusy, LedgerUnavailable
from ledger.lanes import LANE_WAIT_SECONDS, Lane

pytestmark = pytest.mark.usefixtures("ledger")

THREADS = 2


@pytest.fixture
def lane() -> Iterator[Lane]:
    own = Lane("test", threads=THREADS)
    yield own
    own.close()


async def test_a_read_gives_what_the_function_returned(lane: Lane) -> None:
    await asyncio.to_thread(_create_group, "there")
    assert await lane.run(_names, "there") == ["there"]


def _create_group(name: str) -> None:
    Group.objects.create(name=name)
    connection.close()


def _names(name: str) -> list[str]:
    return list(Group.objects.filter(name=name).values_list("name", flat=True))


async def test_reads_never_run_in_more_threads_than_there_are_connections(lane: Lane) -> None:
    together = threading.Barrier(THREADS)

    def meet() -> int:
        together.wait(5)
        return threading.get_ident()

    idents = await asyncio.gather(*(lane.run(meet) for _ in range(THREADS * 3)))
    assert len(set(idents)) == THREADS


async def test_the_loop_goes_on_while_the_database_is_read(lane: Lane) -> None:
    released = threading.Event()
    reading = asyncio.create_task(lane.run(released.wait, 5))
    await asyncio.sleep(0)
    released.set()
    assert await reading is True


async def test_a_fault_is_met_by_a_second_try(lane: Lane) -> None:
    tries: list[int] = []

    def fails_once() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("the link was lost")
        return "read"

    assert await lane.run(fails_once) == "read"


async def test_a_fault_that_lasts_is_unavailable(lane: Lane) -> None:
    def fails() -> None:
        raise OperationalError("away")

    with pytest.raises(LedgerUnavailable):
        await lane.run(fails)


async def test_what_is_wrong_with_the_question_is_not_called_unavailable(lane: Lane) -> None:
    with pytest.raises(Group.DoesNotExist):
        await lane.run(Group.objects.get, name="absent")


async def test_a_read_that_takes_too_long_is_unavailable_in_time_and_later_reads_are_answered(
    lane: Lane,
) -> None:
    released = threading.Event()
    started = time.monotonic()
    try:
        with pytest.raises(LedgerUnavailable):
            await lane.run(released.wait, 10)
        assert time.monotonic() - started < LANE_WAIT_SECONDS + 1
        assert await lane.run(_names, "absent") == []
    finally:
        released.set()


@pytest.mark.parametrize(("queued_share", "fault"), [(0.8, LedgerBusy), (0.1, LedgerUnavailable)])
async def test_a_call_whose_time_went_by_in_the_queue_does_not_blame_the_database(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, queued_share: float, fault: type[Exception]
) -> None:
    monkeypatch.setattr(lanes, "LANE_WAIT_SECONDS", 1.0)
    monkeypatch.setattr(lanes, "LATE_SECONDS", 0.5)
    ended = threading.Event()
    before = [asyncio.create_task(lane.run(time.sleep, queued_share)) for _ in range(THREADS)]
    await asyncio.sleep(0)
    with pytest.raises(LedgerUnavailable) as raised:
        await lane.run(ended.wait, 5)
    assert type(raised.value) is fault
    ended.set()
    await asyncio.gather(*before)


async def test_more_reads_than_may_wait_are_refused_at_once_and_room_comes_back(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    running = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def hold() -> bool:
        loop.call_soon_threadsafe(running.release)
        return released.wait(5)

    waiting = [asyncio.create_task(lane.run(hold)) for _ in range(THREADS)]
    for _ in range(THREADS):
        await running.acquire()
    monkeypatch.setattr(lanes, "QUEUE_LIMIT_CALLS", 1)
    waiting.append(asyncio.create_task(lane.run(hold)))
    await asyncio.sleep(0)

    with pytest.raises(LedgerBusy):
        await lane.run(_names, "one too many")

    released.set()
    assert await asyncio.gather(*waiting) == [True] * (THREADS + 1)
    assert await lane.run(_names, "absent") == []


async def test_a_closed_reader_reads_again_on_new_threads(lane: Lane) -> None:
    before = await lane.run(threading.current_thread)
    await asyncio.to_thread(lane.close)
    after = await lane.run(threading.current_thread)
    assert not before.is_alive()
    assert after is not before


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no connection that could be cut")
async def test_connections_that_were_cut_while_idle_are_not_noticed(lane: Lane) -> None:
    def backend_pid() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    pids = set(await asyncio.gather(*(lane.run(backend_pid) for _ in range(THREADS * 2))))
    await asyncio.to_thread(_terminate, pids)
    assert await asyncio.gather(*(lane.run(_names, "absent") for _ in range(THREADS * 2))) == [[]] * (THREADS * 2)


def _terminate(pids: set[int]) -> None:
    with connection.cursor() as cursor:
        for pid in pids:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close()
