"""What happens while a relay reads the log, and what it does when it finds what no message brought."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from events import log
from events.log import appending
from events.log.cursors import Cursor, Head
from events.log.records import Entry
from events.stream import peers
from events.stream import relay as relay_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from tests.events.samples import append_events
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")

append = sync_to_async(append_events)


@pytest.fixture
async def relay(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """A relay that receives no commits and never compares itself with the head of the log: the test does both."""
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 3600.0)
    relay = Relay(Hub())
    await relay.start()
    appending._listeners.remove(relay.committed)
    yield relay
    await relay.stop()


async def newest() -> Cursor:
    return (await sync_to_async(log.head)()).newest


def read_and_then(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Something happens on the event loop after each page was read, before it arrives there."""
    read_after, loop = log.read_after, asyncio.get_running_loop()

    def read(*arguments: Any, **options: Any) -> log.Page:
        page = read_after(*arguments, **options)
        loop.call_soon_threadsafe(meanwhile)
        return page

    monkeypatch.setattr(log, "read_after", read)


async def test_a_page_of_another_epoch_is_not_taken(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    await append(3)
    other = Head("another1", 1, 1)
    read_and_then(monkeypatch, lambda: relay.hub.reset(other))
    await relay._catch_up()
    assert relay.hub.cursor == other.newest
    assert relay.hub.memory == []


async def test_entries_that_arrive_while_the_log_is_read_are_joined_to_what_was_read(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(3)
    position = await newest()
    # Not in the log when it is read, so nothing else brings it.
    early = [Entry(position.seq + 1, "info", "m", "t", "c", b"{}")]
    read_and_then(monkeypatch, lambda: relay._take(position.epoch, early))
    relay.nudge()
    await until(lambda: relay.hub.cursor == position._replace(seq=position.seq + 1))


class SilentLayer:
    """A channel layer that takes subscriptions, and brings no message."""

    def __init__(self) -> None:
        self.subscriptions: list[str] = []

    async def new_channel(self) -> str:
        return f"channel-{len(self.subscriptions)}"

    async def group_add(self, group: str, channel: str) -> None:
        self.subscriptions.append(channel)

    async def receive(self, channel: str) -> None:
        await asyncio.Event().wait()

    async def flush(self) -> None:
        pass


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> SilentLayer:
    layer = SilentLayer()
    monkeypatch.setattr(relay_module, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(peers, "RESUBSCRIBE_SECONDS", 0.0)
    return layer


async def test_a_relay_subscribes_again_when_the_log_has_events_that_no_message_brought(
    layer: SilentLayer, relay: Relay
) -> None:
    await until(lambda: layer.subscriptions == ["channel-0"])
    await relay._compare_head(await newest())
    await append(1)
    # Only now something is missing.
    assert layer.subscriptions == ["channel-0"]
    await relay._compare_head(await newest())
    await until(lambda: layer.subscriptions == ["channel-0", "channel-1"])


async def test_a_subscription_that_is_new_is_not_made_anew(
    layer: SilentLayer, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "RESUBSCRIBE_SECONDS", 3600.0)
    await until(lambda: layer.subscriptions == ["channel-0"])
    await append(1)
    position = await newest()
    await relay._compare_head(position)
    await until(lambda: relay.hub.cursor == position)
    assert relay._others is not None
    assert not relay._others._renew.is_set()
    assert layer.subscriptions == ["channel-0"]
