"""Reads off the event loop: bounded in time and number, and on a new connection when the old one is dead."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection

from ledger import reader as reader_module
from ledger.faults import LedgerUnavailable
from ledger.reader import READ_WAIT_SECONDS, READER_THREADS, Reader

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def own_reader() -> Iterator[Reader]:
    own = Reader()
    yield own
    own.close()


async def test_a_read_gives_what_the_function_returned(own_reader: Reader) -> None:
    await asyncio.to_thread(_create_group, "there")
    assert await own_reader.run(_names, "there") == ["there"]


def _create_group(name: str) -> None:
    Group.objects.create(name=name)
    connection.close()


def _names(name: str) -> list[str]:
    return list(Group.objects.filter(name=name).values_list("name", flat=True))


async def test_reads_never_run_in_more_threads_than_there_are_connections(own_reader: Reader) -> None:
    together = threading.Barrier(READER_THREADS)

    def meet() -> int:
        together.wait(5)
        return threading.get_ident()

    idents = await asyncio.gather(*(own_reader.run(meet) for _ in range(READER_THREADS * 3)))
    assert len(set(idents)) == READER_THREADS


async def test_the_loop_goes_on_while_the_database_is_read(own_reader: Reader) -> None:
    released = threading.Event()
    reading = asyncio.create_task(own_reader.run(released.wait, 5))
    await asyncio.sleep(0)
    released.set()
    assert await reading is True


async def test_a_fault_is_met_by_a_second_try(own_reader: Reader) -> None:
    tries: list[int] = []

    def fails_once() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("the link was lost")
        return "read"

    assert await own_reader.run(fails_once) == "read"


async def test_a_fault_that_lasts_is_unavailable(own_reader: Reader) -> None:
    def fails() -> None:
        raise OperationalError("away")

    with pytest.raises(LedgerUnavailable):
        await own_reader.run(fails)


async def test_what_is_wrong_with_the_question_is_not_called_unavailable(own_reader: Reader) -> None:
    with pytest.raises(Group.DoesNotExist):
        await own_reader.run(Group.objects.get, name="nobody")


async def test_a_read_that_takes_too_long_is_unavailable_in_time_and_later_reads_are_answered(
    own_reader: Reader,
) -> None:
    released = threading.Event()
    started = time.monotonic()
    try:
        with pytest.raises(LedgerUnavailable):
            await own_reader.run(released.wait, 10)
        assert time.monotonic() - started < READ_WAIT_SECONDS + 1
        assert await own_reader.run(_names, "nobody") == []
    finally:
        released.set()


async def test_more_reads_than_may_wait_are_refused_at_once_and_room_comes_back(
    own_reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "READ_QUEUE_LIMIT", 2)
    released = threading.Event()
    waiting = [asyncio.create_task(own_reader.run(released.wait, 5)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(LedgerUnavailable):
        await own_reader.run(_names, "one too many")

    released.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await own_reader.run(_names, "nobody") == []


async def test_a_closed_reader_reads_again_on_new_threads(own_reader: Reader) -> None:
    before = await own_reader.run(threading.current_thread)
    await asyncio.to_thread(own_reader.close)
    after = await own_reader.run(threading.current_thread)
    assert not before.is_alive()
    assert after is not before


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no connection that could be cut")
async def test_connections_that_were_cut_while_idle_are_not_noticed(own_reader: Reader) -> None:
    def backend_pid() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    pids = set(await asyncio.gather(*(own_reader.run(backend_pid) for _ in range(READER_THREADS * 2))))
    await asyncio.to_thread(_terminate, pids)
    assert await asyncio.gather(*(own_reader.run(_names, "nobody") for _ in range(READER_THREADS * 2))) == [[]] * 8


def _terminate(pids: set[int]) -> None:
    with connection.cursor() as cursor:
        for pid in pids:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close()
