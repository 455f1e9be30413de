"""Limits: never more than the rate, whoever counts, and a stated wait for those who came too often."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterator
from functools import partial

import pytest
from pytest_django import Settings

from gateway import tokens
from gateway.addresses import address_group
from gateway.filters import EVERYTHING
from gateway.identity import tickets
from gateway.identity.principals import Principal
from gateway.shared_store import limits, store
from gateway.shared_store.limits import Limiter, LimitExceeded, MemoryWindows
from tests.fresh import ask_settings_for_the_store
from tests.gateway.shared_store.redis_store import using
from tests.stores import PrivateRedis
from tests.waiting import wait_until

RATE = (10, 60)


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
def alone(settings: Settings) -> Iterator[None]:
    settings.CACHES = {
        **settings.CACHES,
        "tickets": {"BACKEND": "gateway.shared_store.ticket_cache.TicketLocMemCache", "LOCATION": "limits-test"},
    }
    ask_settings_for_the_store()
    yield
    ask_settings_for_the_store()


@pytest.fixture(params=["alone", "shared"])
def either(request: pytest.FixtureRequest, settings: Settings) -> None:
    request.getfixturevalue(request.param)
    settings.TOKEN_RATE = RATE


async def charge(limiter: Limiter, who: str, times: int) -> list[LimitExceeded]:
    """What was said of those that were too many, all of them at once."""

    async def one() -> LimitExceeded | None:
        try:
            await store.ask(lambda: limiter.charge("tickets", who))
        except LimitExceeded as exceeded:
            return exceeded
        return None

    return [said for said in await asyncio.gather(*(one() for _ in range(times))) if said is not None]


@pytest.mark.usefixtures("either")
async def test_so_many_pass_and_the_rest_is_told_when_to_come_back() -> None:
    refused = await charge(Limiter(), "p-1", 50)
    assert len(refused) == 40
    assert {said.name for said in refused} == {"tickets"}
    assert all(1 <= said.retry_after_seconds <= 60 for said in refused)


@pytest.mark.usefixtures("either")
async def test_one_who_comes_too_often_takes_nothing_from_others() -> None:
    limiter = Limiter()
    await charge(limiter, "p-1", 50)
    assert await charge(limiter, "p-2", 10) == []


@pytest.mark.usefixtures("either")
async def test_when_the_window_is_over_it_begins_anew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TOKEN_RATE = (2, 1)
    limiter = Limiter()
    assert len(await charge(limiter, "p-1", 3)) == 1
    [said] = await charge(limiter, "p-1", 1)
    assert said.retry_after_seconds == 1

    wait_until(partial(passes, limiter), "the next window has begun")


def passes(limiter: Limiter) -> bool:
    try:
        limiter.charge("tickets", "p-1")
    except LimitExceeded:
        return False
    return True


def put_clock_back(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)


@pytest.mark.usefixtures("either")
async def test_n05_a_window_ends_in_time_though_the_clock_of_the_process_is_put_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TOKEN_RATE = (2, 1)
    limiter = Limiter()
    await charge(limiter, "p-1", 3)
    put_clock_back(monkeypatch)
    assert all(said.retry_after_seconds <= 1 for said in await charge(limiter, "p-1", 1))

    wait_until(partial(passes, limiter), "the next window has begun")


async def test_n05_a_window_ends_in_time_though_the_clock_of_redis_is_put_back(
    shared: PrivateRedis, settings: Settings
) -> None:
    settings.TOKEN_RATE = RATE
    await charge(Limiter(), "p-1", 10)
    [key] = shared.ask("KEYS", "vx11:limit:*")
    # Redis notes when a key ends, as of its wall clock.
    shared.ask("PEXPIRE", key, 3_600_000)
    [said] = await charge(Limiter(), "p-1", 1)
    assert said.retry_after_seconds <= RATE[1]
    assert shared.ask("PTTL", key) <= RATE[1] * 1000


@pytest.mark.usefixtures("either")
async def test_no_rate_is_no_limit(settings: Settings) -> None:
    settings.TOKEN_RATE = None
    assert await charge(Limiter(), "p-1", 50) == []


@pytest.mark.usefixtures("shared")
async def test_processes_count_together(settings: Settings) -> None:
    settings.TOKEN_RATE = RATE
    one, other = Limiter(), Limiter()
    refused = await asyncio.gather(charge(one, "p-1", 20), charge(other, "p-1", 20))
    assert sum(map(len, refused)) == 30


async def test_whoever_was_refused_is_so_without_asking_redis_again(shared: PrivateRedis, settings: Settings) -> None:
    settings.TOKEN_RATE = RATE
    limiter = Limiter()
    await charge(limiter, "p-1", 11)
    [key] = shared.ask("KEYS", "vx11:limit:*")
    counted = int(shared.ask("GET", key))
    assert len(await charge(limiter, "p-1", 100)) == 100
    assert int(shared.ask("GET", key)) == counted


async def test_who_must_not_wait_counts_alone_while_redis_hangs(shared: PrivateRedis, settings: Settings) -> None:
    settings.FAILED_CREDENTIAL_RATE = RATE
    limiter = Limiter()
    with shared.hung():
        started = time.monotonic()
        for _ in range(10):
            await limiter.spend("failed_credentials", "192.0.2.1")
        with pytest.raises(LimitExceeded):
            await limiter.spend("failed_credentials", "192.0.2.1")
        assert time.monotonic() - started < 2 * limits.SHARED_WAIT_SECONDS + 0.5


@pytest.mark.usefixtures("either")
async def test_what_was_refunded_does_not_count(settings: Settings) -> None:
    settings.LOGIN_RATE = (2, 60)
    limiter = Limiter()
    for _ in range(20):
        await limiter.spend("failed_logins", "somebody")
        await limiter.refund("failed_logins", "somebody")
    await limiter.spend("failed_logins", "somebody")
    await limiter.spend("failed_logins", "somebody")
    with pytest.raises(LimitExceeded):
        await limiter.spend("failed_logins", "somebody")


@pytest.mark.usefixtures("either")
async def test_reserved_events_are_never_more_than_the_rate(settings: Settings) -> None:
    settings.PUBLISH_RATE = (100, 60)
    limiters = [Limiter(), Limiter()] if store.the_redis() else [Limiter()]

    async def publish(limiter: Limiter) -> bool:
        try:
            await limiter.spend_reserved("published_events", "s-1", cost=1)
        except LimitExceeded:
            return False
        return True

    passed = await asyncio.gather(*(publish(limiter) for limiter in limiters for _ in range(150)))
    assert sum(passed) == 100


async def test_reserving_asks_redis_seldom(shared: PrivateRedis, settings: Settings) -> None:
    settings.PUBLISH_RATE = (1000, 60)
    limiter = Limiter()
    await limiter.spend_reserved("published_events", "s-1", cost=1)
    [key] = shared.ask("KEYS", "vx11:limit:*")
    assert int(shared.ask("GET", key)) == 50
    for _ in range(49):
        await limiter.spend_reserved("published_events", "s-1", cost=1)
    assert int(shared.ask("GET", key)) == 50
    await limiter.spend_reserved("published_events", "s-1", cost=1)
    assert int(shared.ask("GET", key)) == 100


async def test_a_batch_larger_than_what_is_reserved_at_a_time_passes(shared: PrivateRedis, settings: Settings) -> None:
    settings.PUBLISH_RATE = (1000, 60)
    limiter = Limiter()
    await limiter.spend_reserved("published_events", "s-1", cost=500)
    await limiter.spend_reserved("published_events", "s-1", cost=500)
    with pytest.raises(LimitExceeded):
        await limiter.spend_reserved("published_events", "s-1", cost=500)


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(("sizes", "minimum"), [((130,), 4700), ((1, 500), 4400), ((499,), 4900), ((1,), 5000)])
async def test_what_is_reserved_is_used_whatever_the_sizes_of_batches(
    sizes: tuple[int, ...], minimum: int, settings: Settings
) -> None:
    settings.PUBLISH_RATE = (5000, 60)
    limiter = Limiter()
    passed = 0
    with contextlib.suppress(LimitExceeded):
        for size in itertools.cycle(sizes):
            await limiter.spend_reserved("published_events", "s-1", cost=size)
            passed += size
    assert minimum <= passed <= 5000


@pytest.mark.usefixtures("shared")
async def test_a_reserve_that_is_forgotten_lets_nothing_more_pass(settings: Settings) -> None:
    settings.PUBLISH_RATE = (1000, 60)
    limiter = Limiter()
    for cost in (940, 1):
        await limiter.spend_reserved("published_events", "s-1", cost=cost)
    with pytest.raises(LimitExceeded):
        await limiter.spend_reserved("published_events", "s-1", cost=512)
    limiter.forget_reserve("published_events", "s-1")
    with pytest.raises(LimitExceeded):
        await limiter.spend_reserved("published_events", "s-1", cost=1)


async def test_what_was_reserved_in_one_window_does_not_count_in_the_next(
    shared: PrivateRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLISH_RATE = (1000, 60)
    limiter = Limiter()
    await limiter.spend_reserved("published_events", "s-1", cost=1)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    shared.ask("FLUSHALL")
    await limiter.spend_reserved("published_events", "s-1", cost=1)
    [key] = shared.ask("KEYS", "vx11:limit:*")
    assert int(shared.ask("GET", key)) == 50


async def test_a_refusal_ends_with_its_window_to_the_millisecond(shared: PrivateRedis, settings: Settings) -> None:
    settings.TOKEN_RATE = (1, 1)
    limiter = Limiter()
    await charge(limiter, "p-1", 2)
    [key] = shared.ask("KEYS", "vx11:limit:*")
    left_seconds = int(shared.ask("PTTL", key)) / 1000
    [until] = limiter._refused.values()
    assert until - time.time() <= left_seconds + 0.1


async def test_tickets_of_one_customers_addresses_count_together(shared: PrivateRedis, settings: Settings) -> None:
    settings.TOKEN_RATE_PER_ADDRESS = (2, 60)
    principal = Principal("p-1", "principal", "somebody", frozenset())
    for number in range(3):
        issuing = tickets.store(
            tokens.mint_ticket(), tickets.new(principal, EVERYTHING), address=f"2001:db8:1:2::{number}"
        )
        if number < 2:
            await issuing
        else:
            with pytest.raises(LimitExceeded):
                await issuing


def test_memory_is_bounded_and_forgets_what_began_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMORY_LIMIT_KEYS", 3)
    windows = MemoryWindows()
    for key in ("a", "b", "c", "d"):
        windows.incr(key, 60)
    assert [windows.get(key) for key in ("a", "b", "c", "d")] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_addresses_of_one_customer_count_as_one(address: str, group: str) -> None:
    assert address_group(address) == group
