"""Relays of several processes, which receive each other's events over a real Redis."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from pytest_django import Settings

from events import log
from events.log import appending
from events.stream import peers
from events.stream import relay as relay_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from tests.events.samples import append_events
from tests.events.waiting import WAIT_SECONDS, until
from tests.stores import PrivateRedis

pytestmark = pytest.mark.usefixtures("ledger")

GROUP_CHANNEL = "vx11__group__events"

append = sync_to_async(append_events)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture(autouse=True)
async def _channel_layer(redis_server: PrivateRedis, settings: Settings) -> AsyncIterator[None]:
    # What settings.py makes of VX11_REDIS_URL.
    host = {"address": redis_server.url, "socket_timeout": 1, "socket_connect_timeout": 1}
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [host], "prefix": "vx11"}}}
    yield
    await get_channel_layer().flush()


@pytest.fixture(autouse=True)
def _only_by_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """No relay compares itself with the log."""
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(peers, "RETRY_SECONDS", 0.02)


@pytest.fixture
async def relays(redis_server: PrivateRedis) -> AsyncIterator[list[Relay]]:
    """Two processes' relays. Only the first is notified of this process's commits."""
    relays = [Relay(Hub()), Relay(Hub())]
    for relay in relays:
        await relay.start()
    appending._listeners.remove(relays[1].committed)
    # Both: one that subscribes later would look like one that subscribes again.
    layer = get_channel_layer()
    await until(lambda: len(channels_of(layer)) == len(relays) and subscribers(redis_server) == 1)
    yield relays
    for relay in relays:
        await relay.stop()


def channels_of(layer: Any) -> list[str]:
    """Those that this process has subscribed with."""
    return list(layer._layers[asyncio.get_running_loop()].groups.get(GROUP_CHANNEL, ()))


def subscribers(server: PrivateRedis) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.pubsub_numsub(GROUP_CHANNEL)[0][1])


async def received_again(relays: list[Relay]) -> None:
    """Until the second relay receives from the first; what was lost comes with the first message that arrives."""
    before = relays[1].hub.seq
    async with asyncio.timeout(WAIT_SECONDS):
        number = 0
        while relays[1].hub.seq == before:
            number += 1
            await append(1, prefix=f"again{number}-")
            await asyncio.sleep(0.05)
    await until(lambda: relays[1].hub.seq == relays[0].hub.seq)


async def test_what_one_process_commits_another_receives(relays: list[Relay]) -> None:
    await append(3)
    await until(lambda: relays[1].hub.seq == 3)
    assert relays[1].hub._recent == relays[0].hub._recent


async def test_what_is_too_large_for_a_message_is_read_from_the_log(
    relays: list[Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "MESSAGE_LIMIT_BYTES", 10)
    await append(3)
    await until(lambda: relays[1].hub.seq == 3)


async def test_what_did_not_fit_into_the_outbox_is_found_with_the_next_message(
    relays: list[Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(peers, "OUTBOX_LIMIT_ENTRIES", 0)
        await append(3)
        await until(lambda: relays[0].hub.seq == 3)
    assert relays[1].hub.seq == 0
    await append(1, prefix="n")
    await until(lambda: relays[1].hub.seq == 4)


async def test_a_relay_can_be_stopped_at_any_moment_of_its_start() -> None:
    chance = random.Random(1)
    for _ in range(40):
        relay = Relay(Hub())
        await relay.start()
        tasks = list(relay._tasks)
        await asyncio.sleep(chance.choice([0, 0.0003, 0.001, 0.003]))
        async with asyncio.timeout(WAIT_SECONDS):
            await relay.stop()
        assert all(task.done() for task in tasks)
        appending._listeners.remove(relay.committed)
        await get_channel_layer().flush()


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\x80", b"\x81\xa4from\xa1x\xa7entries\x01", b"\xff" * 100])
async def test_a_message_that_cannot_be_read_is_survived_and_leaves_no_queue_behind(
    relays: list[Relay], redis_server: PrivateRedis, garbage: bytes
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.publish(GROUP_CHANNEL, garbage)
    await received_again(relays)

    (members,) = get_channel_layer().groups.values()
    assert len(members) == len(relays)


async def test_f01_after_a_restart_of_redis_processes_receive_from_each_other_again(
    relays: list[Relay], redis_server: PrivateRedis
) -> None:
    redis_server.process.end()
    await append(1)
    await until(lambda: relays[0].hub.seq == 1)
    redis_server.start()
    await until(lambda: subscribers(redis_server) == 1)

    await received_again(relays)


async def test_r17_a_subscription_that_was_forgotten_is_made_anew_when_others_events_come_without_a_message(
    relays: list[Relay], redis_server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "RESUBSCRIBE_SECONDS", 0.0)
    deaf = relays[1]
    layer = get_channel_layer()
    # Behind the relays' back: as when the other side has dropped the group.
    for channel in channels_of(layer):
        await layer.group_discard("events", channel)
    await until(lambda: subscribers(redis_server) == 0)
    await append(1)
    position = (await sync_to_async(log.head)()).newest
    await deaf._compare_head(position)
    await until(lambda: deaf.hub.cursor == position)
    await until(lambda: subscribers(redis_server) == 1)

    await append(1, prefix="again")
    position = (await sync_to_async(log.head)()).newest
    await until(lambda: deaf.hub.cursor == position)
