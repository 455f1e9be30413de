"""What a process tells Redis of its streams: no more than needed, and again after whatever may have overtaken it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from gateway.shared_store import leases, store
from gateway.shared_store.leases import HELD_PREFIX, HOLDER_PREFIX, Leases
from gateway.shared_store.store import StoreUnavailable
from tests.events.waiting import until
from tests.gateway.shared_store.redis_store import using
from tests.stores import PrivateRedis

HELD = f"{HELD_PREFIX}p-1"


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def shared(redis_server: PrivateRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateRedis]:
    settings.MAX_STREAMS_PER_PRINCIPAL = 10
    for name, seconds in (("ANNOUNCE_SECONDS", 0.005), ("RETRY_SECONDS", 0.01), ("RENEW_SECONDS", 60.0)):
        monkeypatch.setattr(leases, name, seconds)
    redis_server.ask("FLUSHALL")
    with using(redis_server, settings):
        yield redis_server


@pytest.fixture
async def process(shared: PrivateRedis) -> AsyncIterator[Leases]:
    process = Leases("process-a")
    yield process
    if process._announcing is not None:
        process._announcing.cancel()
        await asyncio.gather(process._announcing, return_exceptions=True)


class Asked:
    """The way to Redis: counts what is asked, and fails as often as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.failing: dict[str, int] = {}
        self._ask = store.ask
        monkeypatch.setattr(store, "ask", self)

    async def __call__(self, call: Any, **options: Any) -> Any:
        name = call.func.__name__
        self.names.append(name)
        if self.failing.get(name, 0) > 0:
            self.failing[name] -= 1
            raise StoreUnavailable
        return await self._ask(call, **options)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


async def open_stream(process: Leases) -> None:
    async with process.lease("p-1"):
        process.hold("p-1")


def is_held(shared: PrivateRedis, number: bytes) -> Callable[[], bool]:
    return lambda: shared.ask("HGET", HELD, "process-a") == number


async def test_while_nothing_changes_redis_is_told_once(process: Leases, asked: Asked) -> None:
    await open_stream(process)
    await until(lambda: "_set" in asked.names)
    # Time for forty more.
    await asyncio.sleep(0.2)
    assert asked.names.count("_set") <= 2


async def test_that_a_process_lives_is_said_again_and_again(
    process: Leases, shared: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    await open_stream(process)
    for _ in range(3):
        shared.ask("DEL", HOLDER_PREFIX + "process-a")
        await until(lambda: shared.ask("EXISTS", HOLDER_PREFIX + "process-a") == 1)


async def test_while_redis_does_not_answer_streams_open_and_it_is_left_alone_for_a_while(
    process: Leases, asked: Asked
) -> None:
    asked.failing = {"_take": 100, "_set": 100}
    for _ in range(3):
        await open_stream(process)
    assert process._held["p-1"] == 3
    assert asked.names.count("_take") == 1


@pytest.mark.parametrize("failing", ["_take", "_set"])
async def test_a_command_that_was_given_up_and_comes_late_is_put_right(
    failing: str, process: Leases, shared: PrivateRedis, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LATE_SECONDS", 1.0)
    if failing == "_set":
        await open_stream(process)
        await until(lambda: not process._changed)
    asked.failing = {failing: 1}
    await open_stream(process)
    if failing == "_set":
        process.give_back("p-1")
    await until(lambda: not asked.failing[failing] and is_held(shared, b"1")())
    shared.ask("HSET", HELD, "process-a", "7")
    await until(is_held(shared, b"1"))


async def test_what_is_told_ends_though_its_process_dies(process: Leases, shared: PrivateRedis) -> None:
    await open_stream(process)
    await open_stream(process)
    shared.ask("PERSIST", HELD)
    process.give_back("p-1")
    await until(is_held(shared, b"1"))
    assert int(shared.ask("TTL", HELD)) > 0


async def test_without_a_limit_or_without_redis_nothing_is_told(settings: Settings) -> None:
    process = Leases("process-a")
    settings.MAX_STREAMS_PER_PRINCIPAL = 10
    assert store.the_redis() is None
    await open_stream(process)
    assert (process._announcing, process._changed) == (None, set())


async def test_after_an_announcement_that_failed_the_process_goes_on_announcing(
    process: Leases, shared: PrivateRedis, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    asked.failing = {"_set": 1}
    await open_stream(process)
    await until(lambda: asked.names.count("_set") >= 3)
    assert process._announcing is not None
    assert not process._announcing.done()


async def test_a_redis_that_does_not_answer_is_left_alone_for_a_moment(
    process: Leases, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "ANNOUNCE_SECONDS", 0.0)
    monkeypatch.setattr(leases, "RETRY_SECONDS", 3600.0)
    asked.failing = {"_set": 100}
    await open_stream(process)
    await until(lambda: "_set" in asked.names)
    for _ in range(20):
        await asyncio.sleep(0)
    assert asked.names.count("_set") == 1


async def test_a_redis_that_lost_everything_gets_all_numbers_with_the_next_change(
    process: Leases, shared: PrivateRedis
) -> None:
    await open_stream(process)
    for _ in range(2):
        async with process.lease("p-2"):
            process.hold("p-2")
    await until(lambda: is_held(shared, b"1")() and not process._changed)
    shared.ask("FLUSHALL")
    process.give_back("p-2")
    await until(lambda: shared.ask("HGET", f"{HELD_PREFIX}p-2", "process-a") == b"1")
    await until(is_held(shared, b"1"))
