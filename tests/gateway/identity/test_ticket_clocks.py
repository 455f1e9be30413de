"""Tickets and the time of day: a clock that is put back makes none live longer, one that is ahead none shorter."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from gateway import tokens
from gateway.filters import EVERYTHING
from gateway.identity import tickets
from gateway.identity.principals import Principal
from gateway.identity.tickets import Ticket
from tests.fresh import ask_settings_for_the_store
from tests.gateway.shared_store.redis_store import using
from tests.stores import PrivateRedis

PRINCIPAL = Principal("p-1", "session", "reader", frozenset(), session_id="s-1")


@pytest.fixture
def redis_store(settings: Settings) -> Iterator[PrivateRedis]:
    with PrivateRedis() as server, using(server, settings):
        yield server


@pytest.fixture
def memory_store(settings: Settings) -> Iterator[None]:
    memory = {"BACKEND": "gateway.shared_store.ticket_cache.TicketLocMemCache", "LOCATION": "tickets and clocks"}
    settings.CACHES = {**settings.CACHES, "tickets": memory}
    ask_settings_for_the_store()
    yield
    ask_settings_for_the_store()


async def issued() -> tuple[str, Ticket]:
    text, ticket = tokens.mint_ticket(), tickets.new(PRINCIPAL, EVERYTHING)
    await tickets.store(text, ticket, address="192.0.2.1")
    return text, ticket


@pytest.mark.usefixtures("memory_store")
async def test_n05_a_ticket_lives_no_longer_when_the_clock_is_put_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SSE_TOKEN_TTL_SECONDS = 0.2
    text, _ = await issued()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    async with asyncio.timeout(10):
        while await tickets.find(text):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
    assert await tickets.count() == 0
    # Nor shorter.
    settings.SSE_TOKEN_TTL_SECONDS = 60
    text, ticket = await issued()
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert await tickets.find(text) == ticket


async def test_n05_a_ticket_is_over_when_the_clock_of_redis_was_put_back(redis_store: PrivateRedis) -> None:
    text, ticket = await issued()
    assert await tickets.find(text) == ticket
    [key] = redis_store.ask("KEYS", "vx11:sse_token:*")
    redis_store.ask("PEXPIRE", key, 3_600_000)
    assert await tickets.find(text) is None
