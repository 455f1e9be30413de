"""Leases: so many streams of a principal in all processes, and none lost to a process that died."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import redis
from pytest_django import Settings

from gateway.shared_store import leases
from gateway.shared_store.leases import HOLDER_PREFIX, Leases
from gateway.shared_store.limits import LimitExceeded
from tests.events.waiting import until
from tests.gateway.shared_store.redis_store import using
from tests.stores import PrivateRedis

LIMIT = 10


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture(autouse=True)
def shared(redis_server: PrivateRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateRedis]:
    settings.MAX_STREAMS_PER_PRINCIPAL = LIMIT
    monkeypatch.setattr(leases, "ANNOUNCE_SECONDS", 0.005)
    monkeypatch.setattr(leases, "RETRY_SECONDS", 0.01)
    redis_server.ask("FLUSHALL")
    with using(redis_server, settings):
        yield redis_server


@pytest.fixture
async def processes() -> AsyncIterator[tuple[Leases, Leases]]:
    both = Leases("process-a"), Leases("process-b")
    yield both
    for process in both:
        if process._announcing is not None:
            process._announcing.cancel()
            await asyncio.gather(process._announcing, return_exceptions=True)


async def open_streams(process: Leases, count: int) -> int:
    """As many as are allowed of so many that are opened at once; how many that are."""

    async def one() -> bool:
        try:
            async with process.lease("p-1"):
                process.hold("p-1")
        except LimitExceeded:
            return False
        return True

    return sum(await asyncio.gather(*(one() for _ in range(count))))


async def test_r04_two_processes_together_hold_no_more_than_the_limit(processes: tuple[Leases, Leases]) -> None:
    opened = await asyncio.gather(*(open_streams(process, 15) for process in processes))
    assert sum(opened) == LIMIT
    assert await open_streams(processes[0], 1) == await open_streams(processes[1], 1) == 0


async def test_other_principals_have_slots_of_their_own(processes: tuple[Leases, Leases]) -> None:
    await open_streams(processes[0], LIMIT)
    async with processes[1].lease("p-2"):
        assert processes[1]._held["p-2"] == 1


async def test_r04_a_slot_that_is_given_back_is_free_in_every_process(
    processes: tuple[Leases, Leases], shared: PrivateRedis
) -> None:
    a, b = processes
    await open_streams(a, LIMIT)
    a.give_back("p-1")
    await until(lambda: shared.ask("HGET", "vx11:streams:p-1", "process-a") == b"9")
    assert await open_streams(b, 1) == 1
    assert await open_streams(b, 1) == 0


async def test_a_lease_that_was_only_for_looking_leaves_nothing_behind(
    processes: tuple[Leases, Leases], shared: PrivateRedis
) -> None:
    async with processes[0].lease("p-1"):
        assert shared.ask("HGETALL", "vx11:streams:p-1")
    await until(lambda: not shared.ask("EXISTS", "vx11:streams:p-1"))


async def test_r04_what_a_killed_process_held_is_free_when_its_key_runs_out(
    processes: tuple[Leases, Leases], shared: PrivateRedis
) -> None:
    a, b = processes
    await open_streams(a, LIMIT)
    assert await open_streams(b, 1) == 0
    assert a._announcing is not None
    a._announcing.cancel()
    assert 0 < int(shared.ask("TTL", HOLDER_PREFIX + "process-a")) <= leases.HOLDER_LOST_SECONDS
    # What time does by itself.
    shared.ask("DEL", HOLDER_PREFIX + "process-a")
    assert await open_streams(b, LIMIT + 1) == LIMIT


async def test_after_redis_lost_everything_what_is_held_is_known_again(
    processes: tuple[Leases, Leases], shared: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    a, b = processes
    await open_streams(a, LIMIT)
    shared.ask("FLUSHALL")
    await until(lambda: shared.ask("HGET", "vx11:streams:p-1", "process-a") == b"10")
    assert await open_streams(b, 1) == 0


async def test_a_new_lease_after_redis_lost_everything_brings_back_the_others(
    processes: tuple[Leases, Leases], shared: PrivateRedis
) -> None:
    a, _ = processes
    await open_streams(a, 5)
    async with a.lease("p-2"):
        a.hold("p-2")
    shared.ask("FLUSHALL")
    assert await open_streams(a, 1) == 1
    await until(lambda: shared.ask("HGET", "vx11:streams:p-2", "process-a") == b"1")


async def test_without_redis_every_process_counts_for_itself_and_tells_later(
    processes: tuple[Leases, Leases], shared: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "AWAY_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(leases, "TAKE_WAIT_SECONDS", 0.25)
    a, b = processes
    with shared.hung():
        assert await open_streams(a, LIMIT + 2) == LIMIT
    await until(lambda: shared.ask("HGET", "vx11:streams:p-1", "process-a") == b"10")
    assert await open_streams(b, 1) == 0


async def test_a_place_that_is_given_back_while_redis_hangs_is_free_when_it_is_back(
    processes: tuple[Leases, Leases], shared: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "TAKE_WAIT_SECONDS", 0.1)
    a, b = processes
    await open_streams(a, LIMIT)
    with shared.hung():
        a.give_back("p-1")
        await until(lambda: a._away_until > float("-inf"))
    await until(lambda: shared.ask("HGET", "vx11:streams:p-1", "process-a") == b"9")
    assert await open_streams(b, 1) == 1


@pytest.fixture
def no_late_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are not sent again for commands that may come late: only a retry sends them."""
    monkeypatch.setattr(leases, "LATE_SECONDS", 3600.0)


def fail_once(process: Leases, monkeypatch: pytest.MonkeyPatch, *, takes_place: bool) -> None:
    """The next command that sets numbers fails: before Redis took it, or only its answer is lost."""
    set_numbers = process._set
    failures = iter([True])

    def set_or_fail(numbers: dict[str, int]) -> bool:
        if not next(failures, False):
            return set_numbers(numbers)
        if takes_place:
            set_numbers(numbers)
        raise redis.ConnectionError

    monkeypatch.setattr(process, "_set", set_or_fail)


@pytest.mark.usefixtures("no_late_commands")
async def test_a_number_that_redis_did_not_take_is_sent_again(
    processes: tuple[Leases, Leases], shared: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = processes
    await open_streams(a, LIMIT)
    await until(lambda: not a._changed)
    fail_once(a, monkeypatch, takes_place=False)
    a.give_back("p-1")
    await until(lambda: shared.ask("HGET", "vx11:streams:p-1", "process-a") == b"9")


@pytest.mark.usefixtures("no_late_commands")
async def test_a_number_whose_answer_was_lost_is_set_again_though_it_is_what_was_sent_before(
    processes: tuple[Leases, Leases], shared: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = processes
    await open_streams(a, LIMIT)
    await until(lambda: not a._changed)
    fail_once(a, monkeypatch, takes_place=True)
    a.give_back("p-1")
    # Redis has 9 now. It is not asked for a while, so the stream that opens does not correct that by itself.
    await until(lambda: a._away_until > float("-inf"))
    assert await open_streams(a, 1) == 1
    await until(lambda: shared.ask("HGET", "vx11:streams:p-1", "process-a") == b"10")


async def test_what_is_held_does_not_outlive_its_streams_in_redis(
    processes: tuple[Leases, Leases], shared: PrivateRedis, settings: Settings
) -> None:
    await open_streams(processes[0], 1)
    life_seconds = 2 * settings.STREAM_MAX_AGE_SECONDS + leases.HOLDER_LOST_SECONDS
    # Give or take what the test takes.
    assert life_seconds - 60 < int(shared.ask("TTL", "vx11:streams:p-1")) <= life_seconds


async def test_a_stream_that_is_given_up_while_it_opens_holds_no_slot(
    processes: tuple[Leases, Leases], shared: PrivateRedis
) -> None:
    a, b = processes
    async with AsyncExitStack() as held:
        for _ in range(LIMIT - 1):
            await held.enter_async_context(b.lease("p-1"))
        with shared.hung():
            opening = asyncio.create_task(open_streams(a, 1))
            await until(lambda: a._taking.locked())
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        assert a._held["p-1"] == 0
        await until(lambda: shared.ask("HGET", "vx11:streams:p-1", "process-a") is None)
        assert await open_streams(b, 1) == 1


async def test_without_a_limit_nothing_is_counted_in_redis(
    processes: tuple[Leases, Leases], shared: PrivateRedis, settings: Settings
) -> None:
    settings.MAX_STREAMS_PER_PRINCIPAL = 0
    assert await open_streams(processes[0], LIMIT + 5) == LIMIT + 5
    assert shared.ask("KEYS", "*") == []


async def test_n05_a_dead_process_gives_back_its_streams_though_the_clock_of_redis_was_put_back(
    processes: tuple[Leases, Leases], shared: PrivateRedis
) -> None:
    dead, other = processes
    assert await open_streams(dead, LIMIT) == LIMIT
    assert dead._announcing is not None
    dead._announcing.cancel()
    shared.ask("PEXPIRE", HOLDER_PREFIX + "process-a", 3_600_000)
    assert await open_streams(other, 1) == 0
    assert 0 < shared.ask("PTTL", HOLDER_PREFIX + "process-a") <= leases.HOLDER_LOST_SECONDS * 1000


async def test_n13_a_slot_of_a_client_that_went_away_while_redis_was_asked_is_given_back(
    processes: tuple[Leases, Leases], shared: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, _ = processes
    asked, go_on = threading.Event(), threading.Event()
    take = process._take

    def late(*arguments: Any) -> int:
        asked.set()
        assert go_on.wait(10)
        return take(*arguments)

    monkeypatch.setattr(process, "_take", late)
    monkeypatch.setattr(leases, "LATE_SECONDS", 0.3)

    async def open_one() -> None:
        async with process.lease("p-1"):
            raise AssertionError("it was cancelled")

    opening = asyncio.create_task(open_one())
    await until(asked.is_set)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    assert opening.cancelled()
    # What is told now comes before the command that has no caller any more.
    await until(lambda: not process._changed)
    go_on.set()
    await until(lambda: process._announcing is not None and process._announcing.done())
    assert shared.ask("HGETALL", leases.HELD_PREFIX + "p-1") == {}
