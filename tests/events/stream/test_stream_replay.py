"""Streams over the real log: each reader gets what it may see, once, in order, also when messages and reads fail."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from events import log
from events.log import appending, epochs, reading
from events.log.cursors import Cursor
from events.log.records import Entry
from events.models import Event
from events.stream import hub as hub_module
from events.stream import relay as relay_module
from events.stream import stream
from events.stream.hub import Hub
from events.stream.relay import Relay
from events.stream.stream import Stream, StreamOpening
from gateway.filters import EVERYTHING, SEVERITIES, Selection
from gateway.http.authentication import Caller
from gateway.identity.principals import Principal
from ledger.writer import writer
from tests.database_faults import database_away
from tests.events.samples import append_events, new_event, submission
from tests.events.stream.listening_client import ListeningClient
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")

READER = Principal("p-1", "principal", "reader", frozenset({"events:read"}))

append = sync_to_async(append_events)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(stream, "PAUSE_SECONDS", 0.02)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay(Hub())
    await relay.start()
    yield relay
    await relay.stop()


class Readers:
    """Streams of one relay, each with a client of its own."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.streams: list[Stream] = []
        self._tasks: list[asyncio.Task[bool]] = []

    async def open(
        self,
        cursor: Cursor | None = None,
        *,
        selection: Selection = EVERYTHING,
        follow: bool = True,
        stops_at: bytes | None = None,
    ) -> ListeningClient:
        """A client whose stream has been admitted at this cursor."""
        opening = StreamOpening(
            principal=READER, ticket_id="", selection=selection, caller=Caller("", "c-1"), follow=follow
        )
        client = ListeningClient()
        client.stops_at = stops_at
        stream = Stream(opening, self.relay, client)
        self.streams.append(stream)
        await stream.prepare(cursor)
        self._tasks.append(asyncio.create_task(stream.run()))
        return client

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(outcome, bool | asyncio.CancelledError), outcome


@pytest.fixture
async def readers(relay: Relay) -> AsyncIterator[Readers]:
    readers = Readers(relay)
    yield readers
    await readers.close()


async def at(seq: int) -> Cursor:
    return Cursor((await sync_to_async(log.head)()).epoch, seq)


async def test_history_comes_first_then_caught_up_then_what_happens(readers: Readers) -> None:
    await append(5)
    client = await readers.open(await at(2))
    await client.until(lambda: "caught-up" in client.names)
    await append(2, prefix="n")
    await client.until(lambda: 7 in client.seqs)
    assert client.names == ["connected", "event", "event", "event", "caught-up", "event", "event"]
    assert client.seqs == [3, 4, 5, 6, 7]


async def test_history_of_many_pages_is_whole(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_SPAN_SEQS", 7)
    await append(40)
    await append(3, prefix="w", severity="warn")
    epoch = await at(0)
    client = await readers.open(epoch)
    sparse = await readers.open(epoch, selection=Selection(severities=frozenset({"warn"})))
    await client.until(lambda: "caught-up" in client.names)
    await sparse.until(lambda: "caught-up" in sparse.names)
    assert client.seqs == list(range(1, 44))
    assert sparse.seqs == [41, 42, 43]
    assert sparse.said("caught-up") == [{"cursor": str(await at(43))}]


async def test_without_following_a_stream_ends_at_the_end_of_the_log(readers: Readers) -> None:
    await append(3)
    client = await readers.open(await at(1), follow=False)
    await client.until(lambda: client.said("stream-end"))
    assert client.names == ["connected", "event", "event", "stream-end"]
    assert client.said("stream-end")[0]["reason"] == "end_of_log"


async def test_without_a_cursor_only_what_happens_from_now_on_comes_also_if_the_hub_is_behind(
    relay: Relay, readers: Readers
) -> None:
    appending._listeners.remove(relay.committed)
    await append(3)
    client = await readers.open()
    await append(1, prefix="n")
    await client.until(lambda: client.seqs)
    assert client.seqs == [4]


@pytest.mark.parametrize("reset", ["expired", "epoch", "unknown"])
async def test_a_cursor_from_which_not_all_is_there_is_reset_before_anything_else(
    readers: Readers, monkeypatch: pytest.MonkeyPatch, reset: str
) -> None:
    # What the hub still has in memory it may give, though it is pruned.
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 0)
    await append(10)
    cursor = {"expired": await at(2), "epoch": Cursor("another", 3), "unknown": await at(99)}[reset]
    await sync_to_async(log.prune)(keep_days=1, keep_rows=4)
    client = await readers.open(cursor)
    await client.until(lambda: "caught-up" in client.names)
    await append(1, prefix="n")
    await client.until(lambda: client.seqs)

    assert client.names == ["connected", "stream-reset", "caught-up", "event"]
    assert client.said("stream-reset") == [{"reason": reset, "oldest": str(await at(6)), "newest": str(await at(10))}]
    assert {frame.id for frame in client.frames[:3]} == {str(await at(10))}
    assert client.seqs == [11]


async def test_a_new_epoch_resets_streams_that_are_live(readers: Readers) -> None:
    await append(2)
    client = await readers.open(await at(0))
    await client.until(lambda: "caught-up" in client.names)
    head = await sync_to_async(epochs.start_new_epoch)()
    await client.until(lambda: client.said("stream-reset"))
    await append(1, prefix="n")
    await client.until(lambda: 3 in client.seqs)
    assert client.said("stream-reset") == [
        {"reason": "epoch", "oldest": f"{head.epoch}-0", "newest": f"{head.epoch}-2"}
    ]
    assert client.seqs == [1, 2, 3]


async def test_a_reader_that_is_slow_gets_everything_and_no_other_waits_for_it(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "CATCH_UP_LIMIT_BYTES", 2_000)
    slow, quick = await readers.open(), await readers.open()
    await slow.until(lambda: "caught-up" in slow.names)
    await quick.until(lambda: "caught-up" in quick.names)
    slow.pause()
    for number in range(20):
        await append(5, prefix=f"n{number}-")
    await quick.until(lambda: len(quick.seqs) == 100)
    assert slow.seqs == []
    slow.resume()
    await slow.until(lambda: len(slow.seqs) == 100)
    assert slow.seqs == quick.seqs == list(range(1, 101))


async def test_a_heartbeat_that_comes_when_a_reader_falls_behind_does_not_pass_over_what_it_missed(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await readers.open()
    await client.until(lambda: "caught-up" in client.names)
    # What comes next is due and not written yet, and it is the heartbeat that finds out that it cannot be.
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 3600.0)
    await append(1, prefix="first")
    await client.until(lambda: client.seqs == [1])
    client.pause()
    await append(3, prefix="due")
    await until(lambda: readers.relay.hub.seq == 4)
    readers.streams[0].tick(time.monotonic() + 11, None)
    assert client.held_bytes
    assert not client.said("heartbeat")
    client.resume()

    await append(1, prefix="later")
    await until(lambda: readers.relay.hub.seq == 5)
    readers.relay.hub.flush()
    await client.until(lambda: 5 in client.seqs)
    assert client.seqs == [1, 2, 3, 4, 5]


async def test_f08_a_database_that_is_away_delays_history_and_loses_none_of_it(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 0)
    await append(600)
    client = await readers.open(await at(0))
    client.pause()
    with database_away():
        client.resume()
        await client.until(lambda: 500 in client.seqs)
        await asyncio.sleep(0.05)
    await client.until(lambda: "caught-up" in client.names)
    assert client.seqs == list(range(1, 601))


class UnreliableWakeUps:
    """Notifies the relay of commits late, twice, in another order, or not at all."""

    def __init__(self, relay: Relay, chance: random.Random) -> None:
        self.relay, self.chance = relay, chance
        self.loop = asyncio.get_running_loop()
        appending._listeners.remove(relay.committed)
        log.on_append(self.committed)

    def committed(self, epoch: str, entries: list[Entry]) -> None:
        for _ in range(self.chance.choice([0, 1, 1, 2])):
            delay_seconds = self.chance.choice([0.0, 0.0, 0.01, 0.03])
            self.loop.call_soon_threadsafe(self.loop.call_later, delay_seconds, self.relay._take, epoch, entries)

    def end(self) -> None:
        appending._listeners.remove(self.committed)


async def _publish(chance: random.Random, publisher: int) -> None:
    for turn in range(12):
        events = [
            new_event(f"p{publisher}-{turn}-{number}", severity=chance.choice(SEVERITIES))
            for number in range(chance.randint(1, 5))
        ]
        await writer.commit(log.append_many, submission(*events, publisher=f"s-{publisher}"))
        await asyncio.sleep(chance.uniform(0, 0.01))


def _any_selection(chance: random.Random) -> Selection:
    if chance.random() < 0.4:
        return EVERYTHING
    severities = frozenset(chance.sample(SEVERITIES, chance.randint(1, 3)))
    asked = frozenset({f"severity:({','.join(severities)}) -nothing"})
    return Selection(severities) if chance.random() < 0.7 else Selection(queries=asked)


async def _read_restlessly(readers: Readers, chance: random.Random) -> tuple[ListeningClient, Selection, int]:
    """A client that comes at some moment, from some place, and stops reading now and then."""
    await asyncio.sleep(chance.uniform(0, 0.15))
    last_seq = (await sync_to_async(log.head)()).last_seq
    start = chance.randint(0, last_seq)
    selection = _any_selection(chance)
    client = await readers.open(await at(start), selection=selection)
    for _ in range(chance.randint(0, 3)):
        client.pause()
        await asyncio.sleep(chance.uniform(0, 0.03))
        client.resume()
        await asyncio.sleep(chance.uniform(0, 0.03))
    return client, selection, start


def _expected(selection: Selection, start: int) -> list[int]:
    rows = Event.objects.filter(seq__gt=start).order_by("seq").values_list("seq", "severity")
    named = selection.severities or "".join(selection.queries or SEVERITIES)
    return [seq for seq, severity in rows if severity in named]


@pytest.mark.parametrize("seed", range(4))
async def test_f05_readers_that_come_at_any_moment_get_the_filtered_log_though_wake_ups_are_unreliable(
    relay: Relay, readers: Readers, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(hub_module, "CATCH_UP_LIMIT_BYTES", 1_500)
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 4_000)
    monkeypatch.setattr(hub_module, "QUERIED_LIMIT_BYTES", 2_000)
    monkeypatch.setattr(reading, "PAGE_SPAN_SEQS", 9)
    monkeypatch.setattr(reading, "QUERIED_SPAN_SEQS", 4)
    wake_ups = UnreliableWakeUps(relay, chance)
    try:
        publishing = [asyncio.create_task(_publish(random.Random(seed * 10 + n), n)) for n in range(4)]
        seeds = [chance.random() for _ in range(15)]
        opened = await asyncio.gather(*(_read_restlessly(readers, random.Random(value)) for value in seeds))
        await asyncio.gather(*publishing)
        for client, selection, start in opened:
            expected = await sync_to_async(_expected)(selection, start)
            await client.until_received(len(expected))
            assert client.seqs == expected
            assert client.said("stream-reset") == []
            _assert_ids_never_go_back(client)
    finally:
        wake_ups.end()


def _assert_ids_never_go_back(client: ListeningClient) -> None:
    positions: list[Any] = [int(frame.id.rpartition("-")[2]) for frame in client.frames if frame.id]
    assert positions == sorted(positions)
