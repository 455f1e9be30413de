"""What one process holds, as it counts it itself: no more than the limit, and nothing kept of what was given back."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from pytest_django import Settings

from gateway.shared_store import leases, store
from gateway.shared_store.leases import HELD_PREFIX, Leases
from gateway.shared_store.limits import LimitExceeded
from tests.events.waiting import until
from tests.gateway.shared_store.redis_store import using
from tests.metrics import counting
from tests.stores import PrivateRedis


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def shared(redis_server: PrivateRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateRedis]:
    monkeypatch.setattr(leases, "ANNOUNCE_SECONDS", 0.005)
    redis_server.ask("FLUSHALL")
    with using(redis_server, settings):
        yield redis_server


@pytest.fixture(params=["alone", "shared"])
def either(request: pytest.FixtureRequest, settings: Settings) -> None:
    settings.MAX_STREAMS_PER_PRINCIPAL = 2
    if request.param == "shared":
        request.getfixturevalue("shared")
    else:
        assert store.the_redis() is None


async def ended(process: Leases) -> None:
    """When it has nothing more to send."""
    if process._announcing is not None:
        await asyncio.wait_for(process._announcing, 10)


@pytest.mark.usefixtures("either")
async def test_r04_one_stream_more_than_the_limit_is_refused_and_counted_and_a_place_that_is_given_back_is_free() -> (
    None
):
    limited, process = counting("vx11_limited_total", limit="streams"), Leases("process-a")
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(process.lease("p-1"))
        with pytest.raises(LimitExceeded) as refused:
            await held.enter_async_context(process.lease("p-1"))
        assert (refused.value.name, refused.value.retry_after_seconds) == ("streams", leases.RETRY_AFTER_SECONDS)
        assert limited() == 1
        await held.enter_async_context(process.lease("p-2"))
    async with process.lease("p-1"):
        assert dict(process._held) == {"p-1": 1}
    await ended(process)


@pytest.mark.usefixtures("either")
async def test_nothing_is_kept_of_a_principal_that_holds_no_stream_any_more() -> None:
    process = Leases("process-a")
    for _ in range(3):
        async with process.lease("p-1"):
            process.hold("p-1")
        assert dict(process._held) == {"p-1": 1}
        process.give_back("p-1")
        assert dict(process._held) == {}
    await ended(process)
    assert (process._announced, process._changed, process._late) == ({}, set(), {})


async def test_a_process_that_begins_to_hold_streams_again_says_so_again(
    shared: PrivateRedis, settings: Settings
) -> None:
    settings.MAX_STREAMS_PER_PRINCIPAL = 2
    process = Leases("process-a")
    for _ in range(2):
        async with process.lease("p-1"):
            process.hold("p-1")
        await until(lambda: shared.ask("HGET", f"{HELD_PREFIX}p-1", "process-a") == b"1")
        process.give_back("p-1")
        await ended(process)
        assert shared.ask("EXISTS", f"{HELD_PREFIX}p-1") == 0
