"""One process's end of the channel layer: what it sends, what it drops, and how it goes on after an error."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.log import Entry
from events.stream import peers as peers_module
from events.stream.peers import GROUP, WIRE_VERSION, Peers
from gateway import tracing
from tests.events.stream.hub_samples import EPOCH, entry
from tests.events.traces import Recorder
from tests.events.waiting import until
from tests.metrics import counting


class Layer:
    """A channel layer without a server behind it, which fails while it is told to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.tries: list[str] = []
        self.left: list[str] = []
        self.fails = False
        self.messages: asyncio.Queue[Any] = asyncio.Queue()

    def _note(self, name: str) -> None:
        self.tries.append(name)
        if self.fails:
            raise OSError(name)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self._note("group_send")
        assert group == GROUP
        self.sent.append(message)

    async def new_channel(self) -> str:
        self._note("new_channel")
        return f"channel-{len(self.tries)}"

    async def group_add(self, group: str, channel: str) -> None:
        assert group == GROUP

    async def group_discard(self, group: str, channel: str) -> None:
        self.left.append(channel)

    async def flush(self) -> None:
        self._note("flush")

    async def receive(self, channel: str) -> Any:
        message = await self.messages.get()
        if isinstance(message, Exception):
            raise message
        return message


class Received:
    """What other processes committed."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[Entry] | None]] = []

    def __call__(self, epoch: str, entries: list[Entry] | None) -> None:
        self.taken.append((epoch, entries))


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> Layer:
    monkeypatch.setattr(peers_module, "RETRY_SECONDS", 0.001)
    return Layer()


@pytest.fixture
async def peers(layer: Layer) -> AsyncIterator[Peers]:
    peers = Peers(layer, Received())
    tasks = [asyncio.create_task(coroutine) for coroutine in peers.work()]
    yield peers
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_message_holds_the_entries_and_with_a_trace_its_parent(
    peers: Peers, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sent(*entries: Entry) -> dict[str, Any]:
        peers.publish(EPOCH, list(entries))
        await until(lambda: layer.sent)
        return layer.sent.pop()

    common = {"type": "events.appended", "from": peers._id, "epoch": EPOCH, "version": WIRE_VERSION}
    assert await sent(entry(1), entry(2)) == {**common, "seq": 2, "entries": [list(entry(1)), list(entry(2))]}
    monkeypatch.setattr(tracing, "tracer", Recorder())
    assert (await sent(entry(3), entry(4)))["traceparent"] == f"{EPOCH}-4"
    monkeypatch.setattr(tracing, "tracer", Recorder(traced=False))
    assert "traceparent" not in await sent(entry(5))


async def test_entries_of_exactly_the_limit_are_sent_and_larger_ones_are_only_announced(
    peers: Peers, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers_module, "MESSAGE_LIMIT_BYTES", 6)
    for sizes in ((2, 4), (3, 4)):
        peers.publish(EPOCH, [entry(number, size_bytes=size) for number, size in enumerate(sizes, 1)])
    await until(lambda: len(layer.sent) == 2)
    assert ["entries" in message for message in layer.sent] == [True, False]
    assert layer.sent[1] == {"type": "events.appended", "from": peers._id, "epoch": EPOCH, "seq": 2}


async def test_what_does_not_fit_into_the_outbox_is_dropped_and_counted_and_room_comes_back(
    peers: Peers, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers_module, "OUTBOX_LIMIT_ENTRIES", 3)
    dropped = counting("vx11_relay_untold_total")
    for _ in range(3):
        peers.publish(EPOCH, [entry(1), entry(2)])
        peers.publish(EPOCH, [entry(3), entry(4)])
        peers.publish(EPOCH, [entry(5)])
        await until(lambda: not peers._outbox.qsize())
    await until(lambda: len(layer.sent) == 6)
    assert [message["seq"] for message in layer.sent] == [2, 5] * 3
    assert dropped() == 3


async def test_a_message_that_cannot_be_sent_is_counted_and_the_next_one_is_sent(peers: Peers, layer: Layer) -> None:
    dropped = counting("vx11_relay_untold_total")
    layer.fails = True
    peers.publish(EPOCH, [entry(1)])
    await until(lambda: dropped() == 1)
    layer.fails = False
    peers.publish(EPOCH, [entry(2)])
    await until(lambda: layer.sent)
    assert layer.sent[0]["seq"] == 2


@pytest.mark.parametrize("work", ["_send", "_listen"])
async def test_after_an_error_the_channel_layer_is_left_alone_for_a_moment(
    layer: Layer, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    monkeypatch.setattr(peers_module, "RETRY_SECONDS", 3600.0)
    layer.fails = True
    peers = Peers(layer, Received())
    for number in (1, 2):
        peers.publish(EPOCH, [entry(number)])
    task = asyncio.create_task(getattr(peers, work)())
    await until(lambda: layer.tries)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(layer.tries) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_subscription_that_breaks_is_left_and_made_anew(peers: Peers, layer: Layer) -> None:
    received = peers._received
    assert isinstance(received, Received)
    await until(lambda: layer.tries == ["new_channel"])
    layer.messages.put_nowait(OSError("gone"))
    await until(lambda: layer.tries == ["new_channel", "new_channel"])
    assert layer.left == ["channel-1"]
    layer.messages.put_nowait({"from": "another", "epoch": EPOCH, "seq": 1, "entries": [list(entry(1))]})
    await until(lambda: received.taken)
    assert received.taken == [(EPOCH, [entry(1)])]


async def test_a_subscription_is_renewed_with_new_connections_when_that_is_asked_for_and_it_is_old_enough(
    peers: Peers, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = counting("vx11_relay_resubscriptions_total")
    await until(lambda: peers._subscribed_at > 0)
    peers.resubscribe()
    assert not peers._renew.is_set()
    monkeypatch.setattr(peers_module, "RESUBSCRIBE_SECONDS", 0.0)
    peers.resubscribe()
    await until(lambda: layer.tries == ["new_channel", "flush", "new_channel"])
    assert renewed() == 1
    # Once.
    assert not peers._renew.is_set()
    assert layer.left == []


async def test_the_trace_of_another_process_goes_on_here(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    received, recorder = Received(), Recorder()
    peers = Peers(layer, received)
    message = {"from": "another", "epoch": EPOCH, "seq": 1, "entries": [list(entry(1))]}
    peers.take({**message, "traceparent": "parent"})
    monkeypatch.setattr(tracing, "tracer", recorder)
    peers.take(message)
    assert recorder.calls == []
    peers.take({**message, "traceparent": "parent"})
    assert recorder.calls == [("received", EPOCH, 1, "parent")]
    assert received.taken == [(EPOCH, [entry(1)])] * 3


async def test_a_message_of_its_own_or_of_an_unknown_shape_brings_no_entries(layer: Layer) -> None:
    received = Received()
    peers = Peers(layer, received)
    message = {"from": "another", "epoch": EPOCH, "seq": 1, "entries": [list(entry(1))]}
    peers.take({**message, "from": peers._id})
    assert received.taken == []
    for unknown in ({**message, "version": WIRE_VERSION + 1}, {**message, "entries": [[1]]}, {"from": "another"}):
        peers.take(unknown)
    assert [entries for _, entries in received.taken] == [None, None, None]
