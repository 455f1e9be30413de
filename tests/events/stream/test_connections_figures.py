"""What the keeper of streams counts, how often it reports, and when it looks at its streams at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from events.stream import connections as connections_module
from events.stream.connection_rows import Presence
from events.stream.connections import Connections
from events.stream.relay import the_relay
from events.stream.stream import Stream
from gateway.identity.principals import directory
from ledger.writer import writer
from tests.events.stream.listening_client import ListeningClient
from tests.events.stream.open_streams import new_stream
from tests.events.waiting import until
from tests.gateway.samples import issue
from tests.metrics import counting, here

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    connections = Connections()
    yield connections
    if connections._keeper is not None:
        connections._keeper.cancel()
        await asyncio.gather(connections._keeper, return_exceptions=True)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Presence]]:
    """What this process reported of itself."""
    presences: list[Presence] = []

    def note(units: list[Presence]) -> list[None]:
        presences.extend(units)
        return [None] * len(units)

    monkeypatch.setattr(connections_module, "touch_node", note)
    yield presences
    writer.close()


async def holder() -> Any:
    """Of a token that stays valid."""
    _, text = await sync_to_async(issue)()
    return await directory.holder_of(text)


def slow(stream: Stream, size_bytes: int) -> None:
    client = stream._transport
    assert isinstance(client, ListeningClient)
    client.pause()
    stream._put(b"x" * size_bytes)


async def test_streams_are_counted_while_they_are_open_and_by_how_they_ended(connections: Connections) -> None:
    ended, sent = counting("vx11_streams_ended_total", reason="max_age"), counting("vx11_events_sent_total")
    streams = [new_stream() for _ in range(3)]
    for number, stream in enumerate(streams, 1):
        connections.open(stream)
        assert here("vx11_streams_active") == number
    assert connections.leases._held["p-1"] == 3
    streams[0].end("max_age")
    streams[0]._subscriber.wrote(10, events=4)
    for left, stream in zip((2, 1, 0), streams, strict=True):
        connections.close(stream)
        assert here("vx11_streams_active") == left
    assert (ended(), sent(), connections.leases._held["p-1"]) == (1, 4, 0)


async def test_slow_readers_and_what_is_held_for_them_are_counted_with_each_look(
    connections: Connections, reported: list[Presence]
) -> None:
    streams = [new_stream(await holder()) for _ in range(3)]
    connections._streams = set(streams)
    for size_bytes, stream in zip((10, 5), streams, strict=False):
        slow(stream, size_bytes)
    await connections._watch()
    assert (here("vx11_stream_slow_readers"), here("vx11_stream_pending_bytes")) == (2, 15)
    assert (connections.node.slow_readers, connections.node.held_bytes) == (2, 15)
    for stream in streams[:2]:
        assert isinstance(stream._transport, ListeningClient)
        stream._transport.resume()
    await connections._watch()
    assert (here("vx11_stream_slow_readers"), here("vx11_stream_pending_bytes")) == (0, 0)
    assert not any(stream.end_reason for stream in streams)


async def test_a_process_reports_at_once_and_then_only_as_often_as_it_must(
    connections: Connections, reported: list[Presence], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = new_stream(await holder())
    connections.open(stream)
    for _ in range(3):
        connections._touch()
    await sync_to_async(writer.close)()
    assert [presence.open_ids for presence in reported] == [{stream.stream_id}]
    monkeypatch.setattr(connections_module, "NODE_TOUCH_SECONDS", 0.0)
    connections._touch()
    await sync_to_async(writer.close)()
    assert len(reported) == 2
    connections.close(stream)


async def test_long_polls_check_their_rights_when_these_were_read_anew_and_not_before(
    connections: Connections, reported: list[Presence]
) -> None:
    hub = the_relay().hub
    await directory.current()
    waiting = asyncio.create_task(hub.advanced())
    await asyncio.sleep(0)
    await connections._watch()
    await asyncio.wait_for(waiting, 5)

    waiting = asyncio.create_task(hub.advanced())
    await asyncio.sleep(0)
    await connections._watch()
    await asyncio.sleep(0)
    assert not waiting.done()
    # Another token: rights are read anew.
    await holder()
    await directory.current(fresh_seconds=0)
    await connections._watch()
    await asyncio.wait_for(waiting, 5)


async def test_what_waits_for_rights_does_not_wait_for_the_next_tick(
    connections: Connections, reported: list[Presence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "TICK_SECONDS", 3600.0)
    monkeypatch.setattr(connections_module, "MIN_PAUSE_SECONDS", 0.001)
    watch, looks = connections._watch, list[int]()

    async def note() -> None:
        looks.append(1)
        await watch()

    monkeypatch.setattr(connections, "_watch", note)
    connections.start()
    await until(lambda: looks == [1])
    the_relay().hub.on_hold()
    await until(lambda: len(looks) > 1)
    # Once, and not again and again.
    await until(lambda: not connections._hastened.is_set())


async def test_a_process_that_begins_writes_nothing_before_rights_were_checked(
    connections: Connections, reported: list[Presence]
) -> None:
    hub = the_relay().hub
    assert hub.may_write()
    connections.start()
    keeper = connections._keeper
    assert not hub.may_write()
    await until(hub.may_write)
    connections.start()
    assert connections._keeper is keeper


async def test_a_keeper_that_ended_is_started_again_by_the_next_stream(
    connections: Connections, reported: list[Presence]
) -> None:
    connections.start()
    first = connections._keeper
    assert first is not None
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    stream = new_stream()
    connections.open(stream)
    assert connections._keeper is not first
    connections.close(stream)


async def test_a_drain_shows_that_it_drains_and_how_many_streams_are_left_and_wakes_long_polls(
    connections: Connections, reported: list[Presence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "DRAIN_CHECK_SECONDS", 0.001)
    noted: list[int] = []

    async def note() -> None:
        noted.append(len(connections._streams))

    monkeypatch.setattr(the_relay(), "note_position", note)
    streams = [new_stream() for _ in range(2)]
    connections._streams = set(streams)
    polling = asyncio.create_task(the_relay().hub.advanced())
    await asyncio.sleep(0)
    draining = asyncio.create_task(connections.drain(3600))
    await asyncio.wait_for(polling, 5)
    assert here("vx11_draining") == 1
    for left in (2, 1):
        await until(lambda left=left: here("vx11_drain_streams_left") == left)  # type: ignore[misc]
        connections._streams.discard(streams.pop())
    await asyncio.wait_for(draining, 5)
    # How far the log goes is noted last, when no stream reads it any more.
    assert (here("vx11_drain_streams_left"), noted) == (0, [0])


async def test_a_stream_that_is_opened_while_rights_are_known_is_checked_by_them(
    connections: Connections, reported: list[Presence]
) -> None:
    await directory.current()
    stream = new_stream()
    connections.open(stream)
    # No token of this reader is known.
    assert stream.end_reason == "revoked"
    connections.close(stream)
