"""The mark in each of its two places, and relays that keep it: fixtures and what tests of it have in common."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from pytest_django import Settings

from events import log
from events.log import appending, watermark
from events.log.cursors import Cursor
from events.models import Event, LogHead
from events.stream import relay as relay_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from ledger.reader import reader
from tests.events.samples import append_events
from tests.events.waiting import WAIT_SECONDS
from tests.stores import PrivateRedis

KEY = "vx11:1:log_mark"

append = sync_to_async(append_events)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def in_file(settings: Settings, tmp_path: Path) -> Path:
    """The mark is a file; this is its path."""
    settings.REDIS_URL = ""
    settings.DATA_DIR = tmp_path
    return tmp_path / "log_mark"


@pytest.fixture
def in_redis(settings: Settings, tmp_path: Path, redis_server: PrivateRedis) -> Iterator[redis.Redis]:
    """The mark is a key; this is a client that sees it."""
    settings.REDIS_URL = redis_server.url
    settings.DATA_DIR = tmp_path
    settings.CACHES = {**settings.CACHES, "default": redis_cache(redis_server)}
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


def redis_cache(server: PrivateRedis) -> dict[str, Any]:
    # What settings.py makes of VX11_REDIS_URL.
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": server.url,
        "KEY_PREFIX": "vx11",
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
        },
    }


@pytest.fixture(params=["in_file", "in_redis"])
def store(request: pytest.FixtureRequest) -> str:
    """Both places in turn."""
    request.getfixturevalue(request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test waits for a second."""
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(relay_module, "MARK_SECONDS", 0.02)
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.02)


@pytest.fixture
async def relays() -> AsyncIterator[list[Relay]]:
    """Those that a test starts; they are stopped at its end."""
    relays: list[Relay] = []
    yield relays
    for relay in relays:
        await relay.stop()


async def start_one(relays: list[Relay]) -> Relay:
    relay = Relay(Hub())
    relays.append(relay)
    await relay.start()
    return relay


async def end(relay: Relay) -> None:
    """As a process ends: it is notified of no commit any more."""
    await relay.stop()
    appending._listeners.remove(relay.committed)


async def noted(cursor: Cursor) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while await reader.run(watermark.read) != cursor:  # noqa: ASYNC110 - another task writes it
            await asyncio.sleep(0.005)


async def newest() -> Cursor:
    return (await sync_to_async(log.head)()).newest


@sync_to_async
def restore_to(seq: int) -> None:
    """What a dump that was put back by hand leaves behind."""
    LogHead.objects.update(last_seq=seq)
    Event.objects.filter(seq__gt=seq).delete()
