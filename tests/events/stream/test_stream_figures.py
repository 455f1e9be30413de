"""What a stream counts of its life, and what it does between history and the hub."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from events import log
from events.log import Cursor, Head
from events.stream import hub as hub_module
from events.stream import stream as stream_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from events.stream.stream import Stream, StreamOpening
from gateway.filters import EVERYTHING
from gateway.http.authentication import Caller
from gateway.identity.principals import Principal
from tests.events.samples import append_events
from tests.events.stream.listening_client import ListeningClient
from tests.events.waiting import until
from tests.metrics import counting

pytestmark = pytest.mark.usefixtures("ledger")

READER = Principal("p-1", "principal", "reader", frozenset({"events:read"}))

Run = Callable[[Stream], "asyncio.Task[bool]"]

append = sync_to_async(append_events)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(stream_module, "PAUSE_SECONDS", 0.01)


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    tasks: list[asyncio.Task[bool]] = []

    def start(stream: Stream) -> "asyncio.Task[bool]":
        tasks.append(asyncio.create_task(stream.run()))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def client() -> ListeningClient:
    return ListeningClient()


@pytest.fixture
async def head() -> Head:
    """Of a log with five events."""
    await append(5)
    return await sync_to_async(log.head)()


def stream_of(client: ListeningClient, hub_stands_at: Head, *, follow: bool = True) -> tuple[Stream, Relay]:
    """A stream, and a relay that takes only what the test gives it."""
    relay = Relay(Hub())
    relay.hub.reset(hub_stands_at)
    opening = StreamOpening(READER, "", EVERYTHING, Caller("", "c-1"), follow=follow)
    return Stream(opening, relay, client), relay


def starts() -> dict[str, Callable[[], float]]:
    return {start: counting("vx11_streams_opened_total", start=start) for start in ("now", "recent", "log", "reset")}


@pytest.mark.parametrize(
    ("begin", "start"), [(None, "now"), (5, "recent"), (2, "log"), (9, "reset")], ids=["now", "recent", "log", "reset"]
)
async def test_a_stream_is_counted_by_where_its_reading_began(
    head: Head, client: ListeningClient, run: Run, begin: int | None, start: str
) -> None:
    counts, unknown = starts(), counting("vx11_streams_reset_total", reason="unknown")
    replayed = counting("vx11_stream_replay_events_sum"), counting("vx11_stream_replay_events_count")
    stream, _ = stream_of(client, head)
    await stream.prepare(None if begin is None else Cursor(head.epoch, begin))
    assert not any(count() for count in counts.values())
    run(stream)
    await client.until(lambda: "caught-up" in client.names)
    assert {name for name, count in counts.items() if count()} == {start}
    assert unknown() == (start == "reset")
    assert [count() for count in replayed] == [3 if start == "log" else 0, 1]


async def test_a_live_reader_that_falls_behind_is_counted_and_one_that_ends_is_not(
    head: Head, client: ListeningClient, run: Run
) -> None:
    fell_behind = counting("vx11_stream_fell_behind_total")
    stream, relay = stream_of(client, head)
    ending = run(stream)
    await client.until(lambda: "caught-up" in client.names)
    client.pause()
    relay.hub.accept([log.Entry(6, "info", "m", "t", "c", b'{"type":"event","seq":6}')])
    await until(lambda: fell_behind() == 1)
    client.resume()
    await until(lambda: relay.hub.subscribers)
    stream.end("draining")
    assert await ending is True
    assert fell_behind() == 1


async def test_a_stream_whose_reader_does_not_take_the_end_says_so(
    head: Head, client: ListeningClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "END_WAIT_SECONDS", 0.01)
    stream, _ = stream_of(client, head)
    ending = run(stream)
    await client.until(lambda: "caught-up" in client.names)
    client.pause()
    stream._put(b": something\n\n")
    stream.end("max_age")
    assert await ending is False
    assert client.abandoned
    # What was asked for first stands, whatever became of it.
    assert stream.end_reason == "max_age"


@pytest.mark.parametrize(("epoch", "seq"), [("", 3), ("other1", 3), ("other1", 5), ("other1", 9)])
async def test_a_reader_that_is_further_than_the_hub_makes_the_relay_read_the_log(
    head: Head, client: ListeningClient, run: Run, epoch: str, seq: int
) -> None:
    stream, relay = stream_of(client, head._replace(epoch=epoch or head.epoch, last_seq=seq))
    await stream.prepare(Cursor(head.epoch, 0))
    run(stream)
    await until(lambda: relay._must_read)
    assert client.seqs == [1, 2, 3, 4, 5]
    assert "caught-up" not in client.names
    relay.hub.reset(head)
    await client.until(lambda: "caught-up" in client.names)
    assert client.seqs == [1, 2, 3, 4, 5]


async def test_a_reader_that_is_as_far_as_the_hub_does_not_make_the_relay_read(
    head: Head, client: ListeningClient, run: Run
) -> None:
    stream, relay = stream_of(client, head)
    await stream.prepare(Cursor(head.epoch, 1))
    run(stream)
    await client.until(lambda: "caught-up" in client.names)
    assert not relay._must_read


async def test_a_stream_that_waits_says_that_it_is_there_as_often_as_it_promises_and_not_each_time_it_looks(
    head: Head, client: ListeningClient, run: Run, settings: Settings
) -> None:
    settings.HEARTBEAT_SECONDS = 3600
    stream, relay = stream_of(client, head)
    stream._heartbeat_due = 0.0
    asked: list[int] = []
    relay.hub.distrust()
    relay.hub.on_hold = lambda: asked.append(1)
    run(stream)
    await until(lambda: len(asked) >= 4)
    assert client.names.count("heartbeat") == 1
    assert stream._heartbeat_due > time.monotonic() + 1800


async def test_events_that_were_pruned_before_a_reader_came_to_them_are_a_reset_in_the_middle(
    head: Head, client: ListeningClient, run: Run
) -> None:
    expired = counting("vx11_streams_reset_total", reason="expired")
    stream, relay = stream_of(client, head)
    stream._subscriber.move_to(Cursor(head.epoch, 1))
    await sync_to_async(log.prune)(keep_days=1, keep_rows=2)
    run(stream)
    await client.until(lambda: "caught-up" in client.names)
    reset: dict[str, Any] = client.said("stream-reset")[0]
    assert (reset["reason"], reset["newest"], expired()) == ("expired", str(head.newest), 1)
    assert client.names == ["connected", "stream-reset", "caught-up"]
    assert relay.hub.subscribers
