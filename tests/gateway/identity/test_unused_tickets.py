"""Tickets that end unused are counted once, by the process that issued them, also when another process used some."""

import asyncio
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from gateway import tokens
from gateway.filters import EVERYTHING
from gateway.identity import tickets, unused_tickets
from gateway.identity.principals import Principal
from gateway.identity.tickets import Ticket
from gateway.identity.unused_tickets import UnusedTickets, the_unused_tickets
from ledger.uptime import uptime_seconds
from tests.events.waiting import until
from tests.fresh import ask_settings_for_the_store
from tests.gateway.shared_store.redis_store import using
from tests.metrics import counting
from tests.stores import PrivateRedis

PRINCIPAL = Principal("p-1", "session", "reader", frozenset(), session_id="s-1")
UNUSED = "vx11_sse_token_expired_unused_total"


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Either store, with tickets that live for a second."""
    settings.SSE_TOKEN_TTL_SECONDS = 1
    monkeypatch.setattr(unused_tickets, "LOOK_AFTER_SECONDS", 0.2)
    monkeypatch.setattr(unused_tickets, "LOOK_EVERY_SECONDS", 0.05)
    if request.param == "redis":
        with PrivateRedis() as server, using(server, settings):
            yield
        return
    memory = {"BACKEND": "gateway.shared_store.ticket_cache.TicketLocMemCache", "LOCATION": "unused tickets"}
    settings.CACHES = {**settings.CACHES, "tickets": memory}
    ask_settings_for_the_store()
    yield
    ask_settings_for_the_store()


async def issued(process: UnusedTickets) -> tuple[str, Ticket]:
    text, ticket = tokens.mint_ticket(), tickets.new(PRINCIPAL, EVERYTHING)
    await tickets.store(text, ticket, address="192.0.2.1")
    process.issued(text)
    return text, ticket


@pytest.mark.usefixtures("store")
async def test_a_ticket_that_expires_is_counted_and_one_that_was_used_is_not() -> None:
    counted, this = counting(UNUSED), UnusedTickets()
    given = [await issued(this) for _ in range(5)]
    # Used in this process, and in another one, which tells this one nothing.
    assert await tickets.use(*given[0])
    this.used(given[0][0])
    assert await tickets.use(*given[1])
    assert counted() == 0
    await until(lambda: not this._due_at)
    await until(lambda: counted() == 3)
    # Once, and nothing goes on.
    await until(lambda: this._timer is None)
    assert counted() == 3


@pytest.mark.usefixtures("store")
async def test_what_ends_unused_is_counted_while_others_are_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused_tickets, "BATCH", 2)
    counted, this = counting(UNUSED), UnusedTickets()
    for _ in range(7):
        await issued(this)
        await asyncio.sleep(0.02)
    await until(lambda: counted() == 7)


async def test_without_single_use_none_is_counted(settings: Settings) -> None:
    settings.SSE_TOKEN_SINGLE_USE = False
    this = UnusedTickets()
    this.issued(tokens.mint_ticket())
    assert not this._due_at
    assert this._timer is None


async def test_more_tickets_than_may_be_remembered_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused_tickets, "REMEMBERED_LIMIT", 3)
    this = the_unused_tickets()
    for _ in range(5):
        this.issued(tokens.mint_ticket())
    assert len(this._due_at) == 3


async def test_while_the_store_is_away_nothing_is_counted_and_the_looking_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SSE_TOKEN_TTL_SECONDS = 1
    monkeypatch.setattr(unused_tickets, "LOOK_AFTER_SECONDS", 0)
    monkeypatch.setattr(unused_tickets, "LOOK_EVERY_SECONDS", 0.05)
    counted, this = counting(UNUSED), UnusedTickets()
    with PrivateRedis() as server, using(server, settings):
        await issued(this)
        server.stop()
        await until(lambda: not this._due_at)
        await until(lambda: this._timer is None)
        assert counted() == 0
        server.start()
        await issued(this)
        await until(lambda: counted() == 1)


@pytest.mark.usefixtures("store")
async def test_a_ticket_knows_by_the_stores_clock_when_it_was_issued() -> None:
    before = uptime_seconds()
    text, _ = await issued(UnusedTickets())
    await asyncio.sleep(0.3)
    found = await tickets.find(text)
    assert found is not None
    assert found.issued_at is not None
    assert before - 0.05 <= found.issued_at <= before + 0.2
