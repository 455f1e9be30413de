"""All tickets of a store together: counted, taken out when they are revoked, and paid for when they are issued."""

from collections.abc import Iterator

import pytest
import redis
from pytest_django import Settings

from gateway import tokens
from gateway.filters import EVERYTHING
from gateway.identity import tickets
from gateway.identity.principals import Principal
from gateway.identity.tickets import Ticket
from gateway.shared_store import store
from gateway.shared_store.limits import LimitExceeded, limiter
from tests.fresh import begin_anew
from tests.gateway.shared_store.redis_store import using
from tests.stores import PrivateRedis
from vx11_site.config.environment import Rate

PRINCIPAL = Principal("p-1", "principal", "reader", frozenset())


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def redis_store(redis_server: PrivateRedis, settings: Settings) -> Iterator[PrivateRedis]:
    with using(redis_server, settings):
        yield redis_server
        redis_server.ask("FLUSHALL")


@pytest.fixture(autouse=True)
def no_counts() -> None:
    begin_anew(limiter)


async def issued(*, address: str = "192.0.2.1", principal: Principal = PRINCIPAL) -> tuple[str, Ticket]:
    text, ticket = tokens.mint_ticket(), tickets.new(principal, EVERYTHING)
    await tickets.store(text, ticket, address=address)
    return text, ticket


async def test_tickets_in_redis_are_counted_to_a_limit(
    redis_store: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await tickets.count() == 0
    (text, ticket), *_ = [await issued() for _ in range(3)]
    assert await tickets.count() == 3
    # What remembers a used one is none.
    await tickets.use(text, ticket)
    assert await tickets.count() == 2
    monkeypatch.setattr(tickets, "COUNT_LIMIT", 1)
    assert await tickets.count() == 1


async def test_revoked_tickets_are_taken_out_of_redis_and_the_others_stay(
    redis_store: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "REMOVE_KEYS", 2)
    given = [await issued() for _ in range(7)]
    with redis.Redis.from_url(redis_store.url) as client:
        client.set(f"{tickets.KEY_PREFIX}of-another-version", '"no ticket of ours"')
    gone = {ticket.public_id for _, ticket in given[:5]}
    assert tickets.remove({*gone, "t-unknown"}) == 5
    assert tickets.remove(gone) == 0
    assert [await tickets.find(text) is None for text, _ in given] == [True] * 5 + [False] * 2


async def test_all_tickets_are_taken_out_of_redis_and_nothing_else(
    redis_store: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "REMOVE_KEYS", 2)
    given = [await issued() for _ in range(5)]
    await tickets.use(*given[0])
    redis_store.ask("SET", "of somebody else", "1")
    tickets.remove_all()
    assert await tickets.count() == 0
    with pytest.raises(tickets.Used):
        await tickets.find(given[0][0])
    assert redis_store.ask("EXISTS", "of somebody else") == 1


async def test_without_redis_another_process_keeps_its_tickets() -> None:
    assert store.the_redis() is None
    text, ticket = await issued()
    assert tickets.remove({ticket.public_id}) == 0
    tickets.remove_all()
    assert await tickets.find(text) == ticket


async def test_a_ticket_is_paid_for_by_its_principal(settings: Settings) -> None:
    settings.TOKEN_RATE, settings.TOKEN_RATE_PER_ADDRESS = Rate(2, 60), None
    await issued()
    # A request that gets none is paid for, too.
    await tickets.charge("p-1", address="192.0.2.1")
    with pytest.raises(LimitExceeded, match="tickets"):
        await issued(address="198.51.100.1")
    await issued(principal=Principal("p-2", "principal", "other", frozenset()))


async def test_a_ticket_is_paid_for_by_its_address(settings: Settings) -> None:
    settings.TOKEN_RATE, settings.TOKEN_RATE_PER_ADDRESS = None, Rate(1, 60)
    await issued()
    with pytest.raises(LimitExceeded, match="tickets_by_address"):
        await issued(principal=Principal("p-2", "principal", "other", frozenset()))
    await issued(address="198.51.100.1")


async def test_a_store_that_takes_nothing_fails_the_check(redis_store: PrivateRedis) -> None:
    await tickets.check()
    assert 0 < int(redis_store.ask("TTL", tickets.PROBE_KEY)) <= tickets.PROBE_SECONDS
    with redis.Redis.from_url(redis_store.url) as client:
        client.replicaof("127.0.0.1", 1)
        with pytest.raises(store.StoreUnavailable):
            await tickets.check()
        client.replicaof("NO", "ONE")
