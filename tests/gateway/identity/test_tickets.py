"""Tickets: used once whoever tries, gone in time, and nothing in the store that could be used."""

import asyncio
import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.core.signals import setting_changed
from pytest_django import Settings

from gateway import tokens
from gateway.filters import Selection
from gateway.identity import tickets
from gateway.identity.principals import Principal
from gateway.identity.tickets import Ticket
from gateway.shared_store import store as store_module
from gateway.shared_store import ticket_cache
from gateway.shared_store.limits import limiter
from gateway.shared_store.store import StoreUnavailable
from tests.fresh import ask_settings_for_the_store, begin_anew
from tests.gateway.shared_store.redis_store import redis_cache
from tests.stores import PrivateRedis
from tests.waiting import wait_until

RACERS = 50
PRINCIPAL = Principal("p-1", "session", "somebody", frozenset(), session_id="s-1")
SELECTION = Selection(severities=frozenset({"warn"}), modules=frozenset({"madre"}))


@pytest.fixture(autouse=True)
def store_of_the_settings() -> Iterator[None]:
    """The process keeps its store; a test that sets another one means that one."""

    def forget(*, setting: str, **kwargs: Any) -> None:
        if setting == "CACHES":
            ask_settings_for_the_store()

    setting_changed.connect(forget)
    begin_anew(limiter)
    yield
    ask_settings_for_the_store()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def redis_store(redis_server: PrivateRedis, settings: Settings) -> Iterator[PrivateRedis]:
    """Tickets are kept in a Redis of the tests' own."""
    settings.CACHES = {**settings.CACHES, "tickets": redis_cache(redis_server)}
    yield redis_server
    if redis_server.process.running:
        caches["tickets"].clear()


@pytest.fixture
def memory_store(settings: Settings) -> Iterator[None]:
    """Tickets are kept in this process."""
    cache = {
        "BACKEND": "gateway.shared_store.ticket_cache.TicketLocMemCache",
        "LOCATION": "test tickets",
        "KEY_FUNCTION": "gateway.shared_store.ticket_cache.literal_key",
        "OPTIONS": {"MAX_ENTRIES": 60},
    }
    settings.CACHES = {**settings.CACHES, "tickets": cache}
    yield
    caches["tickets"].clear()


@pytest.fixture(params=["memory_store", "redis_store"])
def store(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(request.param)


def set_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """What the store of this process takes for the time, by the clock of durations."""
    stopped = SimpleNamespace(time=time.time, monotonic=lambda: seconds)
    monkeypatch.setattr(ticket_cache, "time", stopped)


async def issued() -> tuple[str, Ticket]:
    text, ticket = tokens.mint_ticket(), tickets.new(PRINCIPAL, SELECTION)
    await tickets.store(text, ticket, address="192.0.2.1")
    return text, ticket


@pytest.mark.usefixtures("store")
async def test_a_ticket_says_who_may_read_what_as_often_as_one_looks() -> None:
    text, ticket = await issued()
    assert await tickets.find(text) == ticket
    assert await tickets.find(text) == ticket


@pytest.mark.usefixtures("store")
async def test_a_ticket_is_found_whatever_the_case_of_its_digits() -> None:
    text, ticket = await issued()
    assert await tickets.find(text.upper()) == ticket


@pytest.mark.usefixtures("store")
async def test_a12_a_ticket_is_used_once() -> None:
    text, ticket = await issued()
    assert await tickets.use(text, ticket)
    assert not await tickets.use(text, ticket)


@pytest.mark.usefixtures("store")
async def test_a12_a_ticket_that_is_brought_again_is_known_by_its_id_until_its_time_is_over() -> None:
    text, ticket = await issued()
    assert await tickets.use(text, ticket)
    with pytest.raises(tickets.Used) as used:
        await tickets.find(text)
    assert used.value.public_id == ticket.public_id


async def test_a_redis_that_is_full_still_lets_a_ticket_be_used(redis_store: PrivateRedis) -> None:
    text, ticket = await issued()
    redis_store.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        assert await tickets.use(text, ticket)
    finally:
        redis_store.ask("CONFIG", "SET", "maxmemory", "0")
    assert await tickets.find(text) is None


@pytest.mark.usefixtures("store")
async def test_a13_of_many_who_use_a_ticket_at_once_one_wins() -> None:
    text, ticket = await issued()
    wins = await asyncio.gather(*(tickets.use(text, ticket) for _ in range(RACERS)))
    assert sum(wins) == 1


@pytest.mark.usefixtures("store")
async def test_a_ticket_that_nobody_issued_is_not_there() -> None:
    text = tokens.mint_ticket()
    assert await tickets.find(text) is None
    assert not await tickets.use(text, tickets.new(PRINCIPAL, SELECTION))


@pytest.mark.usefixtures("store")
async def test_using_one_ticket_leaves_the_others() -> None:
    (used, used_ticket), (other, ticket) = await issued(), await issued()
    await tickets.use(used, used_ticket)
    assert await tickets.find(other) == ticket


@pytest.mark.usefixtures("store")
async def test_the_legacy_switch_lets_a_ticket_be_used_again(settings: Settings) -> None:
    settings.SSE_TOKEN_SINGLE_USE = False
    text, ticket = await issued()
    assert [await tickets.use(text, ticket) for _ in range(3)] == [True, True, True]
    assert not await tickets.use(tokens.mint_ticket(), ticket)


@pytest.mark.usefixtures("memory_store")
async def test_a14_a_ticket_is_gone_after_its_time_in_this_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, ticket = await issued()
    now = time.monotonic()
    set_time(monkeypatch, now + settings.SSE_TOKEN_TTL_SECONDS - 1)
    assert await tickets.find(text) == ticket
    set_time(monkeypatch, now + settings.SSE_TOKEN_TTL_SECONDS + 1)
    assert await tickets.find(text) is None
    assert not await tickets.use(text, ticket)


async def test_a14_a_ticket_is_gone_after_its_time_in_redis(redis_store: PrivateRedis) -> None:
    text, ticket = await issued()
    with redis.Redis.from_url(redis_store.url) as client:
        key = tickets._key(text)
        assert 59_000 < client.pttl(key) <= 60_000
        client.pexpire(key, 60_000 - 59_000)
        assert await tickets.find(text) == ticket
        client.pexpire(key, 1)
        wait_until(lambda: not client.exists(key), "Redis has let the ticket go")
    assert not await tickets.use(text, ticket)


async def test_a29_nothing_in_redis_can_be_used(redis_store: PrivateRedis) -> None:
    issued_now = [await issued() for _ in range(20)]
    counted = "vx11:limit:tickets/p-1/"
    with redis.Redis.from_url(redis_store.url, decode_responses=True) as client:
        found = {key: client.get(key) for key in client.scan_iter()}

    others = {key for key in found if not key.startswith(counted)}
    assert others == {f"vx11:sse_token:{tokens.digest(text)}" for text, _ in issued_now}
    for text, ticket in issued_now:
        assert not any(text in str(value) or text in key for key, value in found.items())
        value = json.loads(str(found[f"vx11:sse_token:{tokens.digest(text)}"]))
        assert value == {
            "id": ticket.public_id,
            "principal": "p-1",
            "select": {"severities": ["warn"], "modules": ["madre"]},
            "session": "s-1",
        }
    # Neither a key nor a value is itself taken for a ticket.
    assert not any([await tickets.find(text) for pair in found.items() for text in map(str, pair)])


@pytest.mark.usefixtures("memory_store")
async def test_a_full_store_refuses_new_tickets_and_puts_out_none(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = [await issued() for _ in range(60)]
    with pytest.raises(StoreUnavailable):
        await issued()
    assert [await tickets.find(text) for text, _ in alive] == [ticket for _, ticket in alive]

    now = time.monotonic()
    set_time(monkeypatch, now + 61)
    await issued()


@pytest.mark.usefixtures("memory_store")
async def test_a_full_store_looks_for_room_once_a_second_and_refuses_at_once_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = time.monotonic()
    set_time(monkeypatch, start)
    for _ in range(60):
        await issued()
    set_time(monkeypatch, start + 59.5)
    with pytest.raises(StoreUnavailable):
        await issued()
    # All have expired by now, but it has just been looked.
    set_time(monkeypatch, start + 60.2)
    with pytest.raises(StoreUnavailable):
        await issued()
    set_time(monkeypatch, start + 60.6)
    await issued()


@pytest.mark.usefixtures("memory_store")
async def test_what_has_expired_goes_now_and_then_though_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_cache, "SWEEP_EVERY_SETS", 10)
    store = store_module.the_store()
    assert isinstance(store, ticket_cache.TicketLocMemCache)
    for _ in range(9):
        await issued()
    now = time.monotonic()
    set_time(monkeypatch, now + 61)
    text, ticket = await issued()
    assert len(store._expire_info) == 1
    assert await tickets.find(text) == ticket


@pytest.mark.usefixtures("memory_store")
async def test_the_store_counts_the_tickets_that_are_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    (used, ticket), _ = await issued(), await issued()
    assert await tickets.count() == 2
    await tickets.use(used, ticket)
    assert await tickets.count() == 1
    now = time.monotonic()
    set_time(monkeypatch, now + 61)
    assert await tickets.count() == 0


async def ask_in_every_way(text: str, ticket: Ticket) -> list[Any]:
    ways = (tickets.find(text), tickets.use(text, ticket), tickets.store(text, ticket, address="192.0.2.1"))
    return list(await asyncio.gather(*ways, return_exceptions=True))


async def test_f03_a_store_that_is_away_or_refuses_can_say_nothing_about_any_ticket(settings: Settings) -> None:
    with PrivateRedis() as server:
        settings.CACHES = {**settings.CACHES, "tickets": redis_cache(server)}
        text, ticket = await issued()

        with redis.Redis.from_url(server.url) as client:
            client.replicaof("127.0.0.1", 1)
        assert isinstance((await ask_in_every_way(text, ticket))[2], StoreUnavailable)

        server.stop()
        outcomes = await ask_in_every_way(text, ticket)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3

        server.start()
        text, ticket = await issued()
        assert await tickets.find(text) == ticket


async def test_f02_a_store_that_hangs_is_unavailable_within_two_seconds(redis_store: PrivateRedis) -> None:
    text, ticket = await issued()
    with redis.Redis.from_url(redis_store.url) as client:
        client.client_pause(1800)
        started = time.monotonic()
        outcomes = await ask_in_every_way(text, ticket)
        waited_seconds = time.monotonic() - started
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    assert waited_seconds < 2


@pytest.mark.parametrize(
    "value", ["nonsense", "[]", "3", '"x"', "{}", '{"id":"t-1"}', '{"id":1,"principal":2,"select":3,"session":4}']
)
async def test_what_somebody_else_wrote_into_redis_is_no_ticket(redis_store: PrivateRedis, value: str) -> None:
    text = tokens.mint_ticket()
    with redis.Redis.from_url(redis_store.url) as client:
        client.set(tickets._key(text), value)
    assert await tickets.find(text) is None
