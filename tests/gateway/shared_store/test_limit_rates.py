"""Rates as they are set, what is counted of refusals, and how much of them a process remembers."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from gateway.shared_store import limits, store
from gateway.shared_store.limits import Limiter, LimitExceeded, MemoryWindows, RedisWindows, rate_of
from gateway.shared_store.store import StoreUnavailable
from tests.gateway.shared_store.redis_store import using
from tests.metrics import counting
from tests.stores import PrivateRedis
from vx11_site.config.environment import Rate


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def shared(redis_server: PrivateRedis, settings: Settings) -> Iterator[PrivateRedis]:
    redis_server.ask("FLUSHALL")
    with using(redis_server, settings):
        yield redis_server


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    return times


def test_ten_times_as_many_logins_may_fail_from_an_address_as_for_a_name(settings: Settings) -> None:
    settings.LOGIN_RATE = Rate(5, 300)
    assert (rate_of("failed_logins"), rate_of("failed_logins_by_address")) == ((5, 300), (50, 300))
    settings.LOGIN_RATE = None
    assert (rate_of("failed_logins"), rate_of("failed_logins_by_address")) == (None, None)


async def test_each_refusal_is_counted_by_its_limit(settings: Settings) -> None:
    settings.CHAT_RATE = Rate(1, 60)
    limited, limiter = counting("vx11_limited_total", limit="chat_messages"), Limiter()
    await limiter.spend("chat_messages", "p-1")
    assert limited() == 0
    for number in (1, 2):
        with pytest.raises(LimitExceeded):
            await limiter.spend("chat_messages", "p-1")
        assert limited() == number


@pytest.mark.parametrize(("left_seconds", "retry_after"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.1, 2), (60.0, 60)])
async def test_a_refusal_says_after_how_many_whole_seconds_it_ends(
    settings: Settings, now: list[float], left_seconds: float, retry_after: int
) -> None:
    assert Limiter()._exceeded("tickets", now[0] + left_seconds).retry_after_seconds == retry_after


def test_of_refusals_as_many_are_remembered_as_of_counts_and_the_oldest_makes_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAT_RATE = Rate(1, 60)
    monkeypatch.setattr(limits, "MEMORY_LIMIT_KEYS", 2)
    limiter = Limiter()
    until = time.monotonic() + 60
    for key in ("a", "b", "c"):
        limiter._remember(key, until)
    assert set(limiter._refused) == {"b", "c"}


async def test_a_larger_cost_is_counted_as_such(settings: Settings) -> None:
    settings.CHAT_RATE = Rate(5, 60)
    limiter = Limiter()
    await limiter.spend("chat_messages", "p-1", cost=3)
    with pytest.raises(LimitExceeded):
        await limiter.spend("chat_messages", "p-1", cost=3)
    await limiter.spend("chat_messages", "p-2", cost=5)
    await limiter.spend_reserved("chat_messages", "p-3", cost=4)
    with pytest.raises(LimitExceeded):
        await limiter.spend_reserved("chat_messages", "p-3", cost=2)


async def test_without_a_rate_nothing_is_asked_or_counted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHAT_RATE = None

    async def ask(*arguments: Any, **options: Any) -> None:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(store, "ask", ask)
    limiter = Limiter()
    await limiter.spend("chat_messages", "p-1")
    await limiter.refund("chat_messages", "p-1")
    await limiter.spend_reserved("chat_messages", "p-1", cost=1)
    limiter.charge("chat_messages", "p-1")


async def test_a_store_that_does_not_answer_is_left_alone_for_a_while_and_then_asked_again(
    settings: Settings, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAT_RATE = Rate(100, 60)
    waits: list[float] = []

    async def ask(_call: Any, *, wait_seconds: float) -> None:
        waits.append(wait_seconds)
        raise StoreUnavailable

    monkeypatch.setattr(store, "ask", ask)
    limiter = Limiter()
    for later in (0.0, 1.0, limits.SHARED_PAUSE_SECONDS - 1.1, 0.1):
        now[0] += later
        await limiter.spend("chat_messages", "p-1")
    assert waits == [limits.SHARED_WAIT_SECONDS] * 2
    # What could not be taken back is not an error of the caller.
    await limiter.refund("chat_messages", "p-1")


@pytest.mark.usefixtures("shared")
async def test_a_window_in_redis_ends_in_the_future_or_now(settings: Settings, redis_server: PrivateRedis) -> None:
    windows = RedisWindows(redis_server.url, key_prefix=limits.REDIS_PREFIX)
    before = time.monotonic()
    assert before <= windows.get_expiry("unknown") <= time.monotonic()
    assert windows.incr("known", 60) == 1
    assert before + 59 < windows.get_expiry("known") <= time.monotonic() + 60


async def test_one_count_more_is_as_many_as_were_added() -> None:
    windows = MemoryWindows()
    assert [windows.incr("a", 60), windows.incr("a", 60, amount=3), windows.incr("a", 60, amount=-1)] == [1, 4, 3]
    assert windows.base_exceptions is ValueError
    assert windows.get_expiry("a") > time.monotonic() + 59


# The store itself


async def test_a_store_in_memory_is_asked_at_once_and_redis_in_a_thread(
    redis_server: PrivateRedis, settings: Settings
) -> None:
    assert await store.ask(threading.current_thread) is threading.current_thread()
    # Threads of this test's own.
    store._pool.cache_clear()
    with using(redis_server, settings):
        other = await store.ask(threading.current_thread)
        assert other is not threading.current_thread()
        assert other.name.startswith("store")


@pytest.mark.parametrize("error", [OSError, TimeoutError])
async def test_every_way_in_which_the_store_fails_is_one_error(error: type[Exception]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(StoreUnavailable):
        await store.ask(fail)

    def wrong() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.ask(wrong)


async def test_a_store_that_hangs_is_waited_for_no_longer_than_that(
    redis_server: PrivateRedis, settings: Settings
) -> None:
    released = threading.Event()
    with using(redis_server, settings):
        try:
            with pytest.raises(StoreUnavailable):
                await store.ask(lambda: released.wait(20), wait_seconds=0.01)
        finally:
            released.set()
