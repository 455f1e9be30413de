"""One stream's life: what is said at its start, what makes it end, and that nothing is passed over in between."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.log.cursors import Head
from events.log.records import Entry
from events.stream import hub as hub_module
from events.stream import sse
from events.stream.hub import Hub
from events.stream.relay import Relay
from events.stream.stream import Stream, StreamOpening
from gateway.filters import EVERYTHING, Selection
from gateway.http.authentication import Caller
from gateway.identity.principals import Principal, Snapshot, Standing
from ledger import clock as database_clock
from tests.events.stream.listening_client import ListeningClient

EPOCH = "k7f3"
READER = Principal("p-1", "principal", "reader", frozenset({"events:read"}))


def opening(principal: Principal = READER, **fields: Any) -> StreamOpening:
    values = {"ticket_id": "", "selection": EVERYTHING, "caller": Caller("", "c-1"), "follow": True, **fields}
    return StreamOpening(principal=principal, **values)


def snapshot(*standings: Standing, version: int = 1) -> Snapshot:
    return Snapshot(version, {}, {standing.principal.public_id: standing for standing in standings})


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(seq, "info", "m", "t", "c", b'{"type":"event","seq":%d}' % seq) for seq in range(first, last + 1)]


@pytest.fixture(autouse=True)
def _no_joining_of_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 0.0)


@pytest.fixture
def relay() -> Relay:
    """One that receives events only from the test."""
    relay = Relay(Hub())
    relay.hub.reset(Head(EPOCH, 7, 1))
    return relay


@pytest.fixture
def client() -> ListeningClient:
    return ListeningClient()


@pytest.fixture
async def run() -> AsyncIterator[Callable[[Stream], "asyncio.Task[bool]"]]:
    """Runs streams; those that have not ended when the test does are cancelled."""
    tasks: list[asyncio.Task[bool]] = []

    def start(stream: Stream) -> "asyncio.Task[bool]":
        tasks.append(asyncio.create_task(stream.run()))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Run = Callable[[Stream], "asyncio.Task[bool]"]


async def live(relay: Relay, client: ListeningClient, run: Run, **fields: Any) -> Stream:
    stream = Stream(opening(**fields), relay, client)
    stream.stream_id = "s-1"
    run(stream)
    await client.until(lambda: "caught-up" in client.names)
    return stream


async def test_a_stream_begins_with_retry_and_connected_and_says_when_it_is_live(
    relay: Relay, client: ListeningClient, run: Run
) -> None:
    stream = Stream(opening(), relay, client)
    stream.stream_id = "s-1"
    run(stream)
    await client.until(lambda: "caught-up" in client.names)

    connected, caught_up = client.frames
    assert client.received.startswith(b"retry: ")
    assert sse.RETRY_MIN_MS <= int(client.received.split()[1]) <= sse.RETRY_MAX_MS
    said = json.loads(connected.data)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(said.pop("time"))) < timedelta(seconds=10)
    assert said == {
        "type": "connected",
        "message": "SSE stream established",
        "stream_id": "s-1",
        "cursor": "k7f3-7",
        "heartbeat_sec": 10,
    }
    assert (connected.id, caught_up.id, json.loads(caught_up.data)) == ("k7f3-7", "k7f3-7", {"cursor": "k7f3-7"})


async def test_live_events_come_as_they_are_accepted(relay: Relay, client: ListeningClient, run: Run) -> None:
    stream = await live(relay, client, run)
    for seq in range(8, 12):
        relay.hub.accept(entries(seq, seq))
        await client.until(lambda seq=seq: client.seqs and client.seqs[-1] == seq)  # type: ignore[misc]
    assert client.seqs == [8, 9, 10, 11]
    assert stream.events_sent == 4
    assert stream.bytes_sent == len(client.received)


async def test_a_stream_that_is_cancelled_leaves_the_hub(relay: Relay, client: ListeningClient, run: Run) -> None:
    await live(relay, client, run)
    assert len(relay.hub.subscribers) == 1
    other = ListeningClient()
    task = run(Stream(opening(), relay, other))
    await other.until(lambda: "caught-up" in other.names)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(relay.hub.subscribers) == 1
    # Its client is gone: nothing more is sent there.
    assert (other.abandoned, client.abandoned) == (True, False)


async def test_a_heartbeat_comes_when_it_is_due_and_moves_the_cursor_of_a_reader_that_sees_nothing(
    relay: Relay, client: ListeningClient, run: Run
) -> None:
    stream = await live(relay, client, run, selection=Selection(modules=frozenset({"other"})))
    relay.hub.accept(entries(8, 9))
    now = time.monotonic()
    stream.tick(now, None)
    stream.tick(now + 10.1, None)
    stream.tick(now + 10.2, None)
    await client.until(lambda: client.said("heartbeat"))
    stream.tick(now + 20.3, None)
    await client.until(lambda: len(client.said("heartbeat")) == 2)

    assert b": keep-alive 0\n\nid: k7f3-9\nevent: heartbeat\n" in client.received
    assert b": keep-alive 1\n\n" in client.received
    assert [beat["cursor"] for beat in client.said("heartbeat")] == ["k7f3-9", "k7f3-9"]
    assert str(stream.cursor) == "k7f3-9"


async def test_a_heartbeat_never_overtakes_an_event_that_is_due(
    relay: Relay, client: ListeningClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await live(relay, client, run)
    relay.hub.accept(entries(8, 8))
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 3600.0)
    relay.hub.accept(entries(9, 9))
    stream.tick(time.monotonic() + 11, None)
    await client.until(lambda: client.said("heartbeat"))
    assert client.names[-3:] == ["event", "event", "heartbeat"]
    assert [frame.id for frame in client.frames[-3:]] == ["k7f3-8", "k7f3-9", "k7f3-9"]


# How a stream ends


async def ended(client: ListeningClient) -> str:
    await client.until(lambda: client.said("stream-end"))
    (end,) = client.said("stream-end")
    assert sse.RETRY_MIN_MS <= int(str(end["retry_ms"])) <= sse.RETRY_MAX_MS
    return str(end["reason"])


async def test_a_stream_ends_at_its_age_give_or_take_a_fifth(relay: Relay, client: ListeningClient, run: Run) -> None:
    stream = await live(relay, client, run)
    now = time.monotonic()
    assert 3600 * 0.79 < stream._ends_at - now < 3600 * 1.21
    stream.tick(stream._ends_at - 0.001, None)
    assert not stream.end_reason
    stream.tick(stream._ends_at, None)
    assert await ended(client) == "max_age"


def test_streams_that_open_together_do_not_end_together(relay: Relay, client: ListeningClient) -> None:
    opened = [Stream(opening(), relay, client) for _ in range(30)]
    half_way = time.monotonic() + 3600
    for stream in opened:
        stream.tick(half_way, None)
    assert 0 < sum(bool(stream.end_reason) for stream in opened) < 30


NARROWED = dataclasses.replace(READER, modules=frozenset({"madre"}))
SHRUNK = dataclasses.replace(READER, scopes=frozenset({"tickets:issue"}))
PAST = timezone.now() - timedelta(seconds=1)
LOSSES = {
    "revoked": (snapshot(Standing(READER, "revoked")), "revoked"),
    "deleted": (snapshot(), "revoked"),
    "user disabled": (snapshot(Standing(READER, "user disabled")), "revoked"),
    "scope lost": (snapshot(Standing(SHRUNK)), "revoked"),
    "modules narrowed": (snapshot(Standing(NARROWED)), "rights_changed"),
    "expired": (snapshot(Standing(dataclasses.replace(READER, expires_at=PAST))), "expired"),
    "ended by an admin": (
        dataclasses.replace(snapshot(Standing(READER)), ended_streams=frozenset({"s-1"})),
        "disconnected_by_admin",
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a19_a_stream_ends_when_its_rights_do(loss: str, relay: Relay, client: ListeningClient, run: Run) -> None:
    stream = await live(relay, client, run)
    after, reason = LOSSES[loss]
    stream.tick(time.monotonic(), after)
    assert await ended(client) == reason


async def test_after_rights_ended_no_event_is_written(relay: Relay, client: ListeningClient, run: Run) -> None:
    stream = await live(relay, client, run)
    stream.tick(time.monotonic(), snapshot())
    relay.hub.accept(entries(8, 9))
    await ended(client)
    assert client.seqs == []


async def test_a_stream_goes_on_while_its_rights_do_and_while_they_are_not_known(
    relay: Relay, client: ListeningClient, run: Run
) -> None:
    stream = await live(relay, client, run)
    stream.tick(time.monotonic(), snapshot(Standing(READER)))
    stream.tick(time.monotonic(), snapshot(Standing(dataclasses.replace(READER, name="renamed")), version=2))
    stream.tick(time.monotonic(), None)
    assert not stream.end_reason


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the time of day."""
    start = timezone.now()
    return lambda later: monkeypatch.setattr(database_clock, "now", lambda: start + later)


async def test_a21_a_stream_ends_when_its_principal_expires(
    relay: Relay, client: ListeningClient, run: Run, clock: Callable[[timedelta], None]
) -> None:
    reader = dataclasses.replace(READER, expires_at=timezone.now() + timedelta(seconds=5))
    stream = await live(relay, client, run, principal=reader)
    known = snapshot(Standing(reader))
    stream.tick(time.monotonic(), known)
    assert not stream.end_reason
    clock(timedelta(seconds=6))
    stream.tick(time.monotonic(), known)
    assert await ended(client) == "expired"


async def test_a21_an_expiry_that_is_set_while_a_stream_is_open_ends_it_too(
    relay: Relay, client: ListeningClient, run: Run, clock: Callable[[timedelta], None]
) -> None:
    stream = await live(relay, client, run)
    stream.tick(time.monotonic(), snapshot(Standing(READER)))
    changed = dataclasses.replace(READER, expires_at=timezone.now() + timedelta(seconds=5))
    known = snapshot(Standing(changed), version=2)
    stream.tick(time.monotonic(), known)
    assert not stream.end_reason
    clock(timedelta(seconds=6))
    stream.tick(time.monotonic(), known)
    assert await ended(client) == "expired"


async def test_an_expiry_that_is_put_off_while_a_stream_is_open_lets_it_go_on(
    relay: Relay, client: ListeningClient, run: Run, clock: Callable[[timedelta], None]
) -> None:
    reader = dataclasses.replace(READER, expires_at=timezone.now() + timedelta(seconds=5))
    stream = await live(relay, client, run, principal=reader)
    known = snapshot(Standing(dataclasses.replace(reader, expires_at=None)), version=2)
    stream.tick(time.monotonic(), known)
    clock(timedelta(seconds=6))
    stream.tick(time.monotonic(), known)
    assert not stream.end_reason


async def test_an_end_that_comes_while_the_reader_is_slow_is_said_when_it_reads_again(
    relay: Relay, client: ListeningClient, run: Run
) -> None:
    stream = await live(relay, client, run)
    client.pause()
    relay.hub.accept(entries(8, 8))
    stream.end("draining")
    stream.end("max_age")
    client.resume()
    assert await ended(client) == "draining"
