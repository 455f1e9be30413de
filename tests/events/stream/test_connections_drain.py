"""Room for streams, and their end when the process ends: spread over its time, and no longer than that."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pytest_django import Settings

from events.stream.connections import Connections
from events.stream.relay import the_relay
from events.stream.stream import Stream
from gateway.http.errors import ApiError
from tests.events.stream.open_streams import new_stream
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    yield Connections()
    await the_relay().stop()


def test_streams_beyond_the_limit_are_refused_and_while_draining_all_are(
    connections: Connections, settings: Settings
) -> None:
    settings.MAX_STREAMS = 2
    connections._streams = {new_stream()}
    # One that is being opened counts too.
    with connections.place(), pytest.raises(ApiError) as full, connections.place():
        pass
    with connections.place():
        connections.draining = True
    with pytest.raises(ApiError) as draining, connections.place():
        pass
    assert (full.value.reason, draining.value.reason) == ("at_capacity", "draining")
    assert (full.value.status, draining.value.status) == (503, 503)


async def test_a_stream_that_was_being_opened_when_the_drain_began_hears_goodbye_too(connections: Connections) -> None:
    stream = new_stream()
    with connections.place():
        draining = asyncio.create_task(connections.drain(3600))
        await until(lambda: connections.draining)
        await asyncio.sleep(0)
        assert not draining.done()
        connections.open(stream)
    assert stream.end_reason == "draining"
    connections.close(stream)
    await asyncio.wait_for(draining, 5)


async def ends_of(connections: Connections, streams: list[Stream]) -> list[float]:
    """Ends streams as their tasks would when they are asked to, and gives the times at which they were."""
    ended: list[float] = []
    while streams:
        for stream in [stream for stream in streams if stream.end_reason]:
            assert stream.end_reason == "draining"
            ended.append(time.monotonic())
            streams.remove(stream)
            connections._streams.discard(stream)
        await asyncio.sleep(0.001)
    return ended


async def test_f14_a_drain_spreads_goodbyes_over_its_time_and_ends_when_all_are_gone(connections: Connections) -> None:
    streams = [new_stream() for _ in range(20)]
    connections._streams = set(streams)
    began = time.monotonic()
    ends, _ = await asyncio.gather(ends_of(connections, streams), connections.drain(0.5))
    assert connections.draining
    # Peers in equal steps: none has more than a few others in its twentieth of the time.
    assert ends == sorted(ends)
    assert ends[-1] - ends[0] > 0.3
    assert time.monotonic() - began < 5


async def test_f14_a_drain_waits_no_longer_than_its_time_for_readers_who_do_not_go(connections: Connections) -> None:
    connections._streams = {new_stream()}
    await asyncio.wait_for(connections.drain(0.1), 5)
    assert len(connections._streams) == 1


async def test_f14_few_streams_are_not_kept_waiting(connections: Connections) -> None:
    streams = [new_stream() for _ in range(3)]
    connections._streams = set(streams)
    await asyncio.wait_for(asyncio.gather(ends_of(connections, streams), connections.drain(3600)), 5)
