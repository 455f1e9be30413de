"""Readers that do not take what they are given: waited for while they take anything, given up when they do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from events.log.cursors import Head
from events.log.records import Entry
from events.stream import hub as hub_module
from events.stream import stream
from events.stream.hub import Hub
from events.stream.relay import Relay
from events.stream.stream import Stream, StreamOpening
from gateway.filters import EVERYTHING
from gateway.http.authentication import Caller
from gateway.identity.principals import Principal
from tests.events.stream.listening_client import ListeningClient
from tests.events.waiting import until

OPENING = StreamOpening(
    Principal("p-1", "principal", "reader", frozenset({"events:read"})), "", EVERYTHING, Caller("", "c-1"), follow=True
)

Reader = Callable[..., Awaitable[tuple[Stream, ListeningClient, Hub]]]


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(seq, "info", "m", "t", "c", b'{"type":"event","seq":%d}' % seq) for seq in range(first, last + 1)]


@pytest.fixture
async def reader(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    """Opens a stream at seq 7, and gives it when it is live, or when its client stopped reading before."""
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 0.0)
    relay = Relay(Hub())
    relay.hub.reset(Head("k7f3", 7, 1))
    tasks: list[asyncio.Task[bool]] = []

    async def open_stream(stops_at: bytes | None = None) -> tuple[Stream, ListeningClient, Hub]:
        client = ListeningClient()
        client.stops_at = stops_at
        stream = Stream(OPENING, relay, client)
        tasks.append(asyncio.create_task(stream.run()))
        await until(lambda: "caught-up" in client.names or client.held_bytes)
        return stream, client, relay.hub

    yield open_stream
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STALL_CHECK_SECONDS", 0.01)
    monkeypatch.setattr(stream, "STALL_LIMIT_SECONDS", 0.05)


@pytest.mark.usefixtures("_impatient")
async def test_a_reader_that_takes_nothing_is_told_so_and_given_up(reader: Reader) -> None:
    stream, client, hub = await reader()
    client.pause()
    hub.accept(entries(8, 9))
    await until(lambda: client.abandoned)
    assert hub.subscribers == []
    client.resume()
    await client.until(lambda: client.said("stream-end"))
    assert client.said("stream-end")[0]["reason"] == "slow_consumer"
    assert (client.seqs, stream.end_reason) == ([8, 9], "slow_consumer")


@pytest.mark.usefixtures("_impatient")
async def test_a_reader_that_takes_a_byte_now_and_then_is_waited_for(reader: Reader) -> None:
    stream, client, hub = await reader()
    client.pause()
    hub.accept(entries(8, 9))
    hub.accept(entries(10, 10))
    for _ in range(20):
        await asyncio.sleep(0.01)
        client.take_some()
    assert not stream.end_reason
    client.resume()
    await client.until(lambda: client.seqs == [8, 9, 10])


async def test_a_reader_that_is_full_when_it_is_told_that_it_is_live_misses_nothing(reader: Reader) -> None:
    _, client, hub = await reader(stops_at=b"caught-up")
    await until(lambda: client.held_bytes)
    assert hub.subscribers == []
    hub.accept(entries(8, 9))
    client.resume()
    await client.until(lambda: client.seqs == [8, 9])
    hub.accept(entries(10, 10))
    await client.until(lambda: client.seqs == [8, 9, 10])
