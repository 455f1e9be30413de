"""A process that stood still: nothing is written by rights of before, and nothing is lost to those who keep theirs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from events.log.cursors import Cursor, Head
from events.log.records import Entry
from events.stream import hub as hub_module
from events.stream import subscribers
from events.stream.connections import Connections
from events.stream.hub import Hub
from events.stream.relay import the_relay
from events.stream.stream import Stream
from events.stream.subscribers import Subscriber
from gateway.filters import EVERYTHING, Selection
from gateway.identity import principals
from gateway.identity.principals import directory
from tests.events.stream.hub_samples import EPOCH, Inbox, entry
from tests.events.stream.listening_client import ListeningClient
from tests.events.stream.open_streams import new_stream
from tests.events.stream.rights_ends import expire, narrow, revoke_elsewhere
from tests.events.uptime import Uptime
from tests.events.waiting import until
from tests.gateway.samples import issue

WARNINGS = Selection(severities=frozenset({"warn"}))


@pytest.fixture
def hub(uptime: Uptime, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 0.0)
    hub = Hub(clock=lambda: 0.0, work_clock=lambda: 0.0)
    hub.reset(Head(EPOCH, 0, 1))
    hub.trusted_until = uptime.now + 2
    return hub


def joined(hub: Hub, inbox: Inbox, selection: Selection = EVERYTHING) -> Subscriber:
    subscriber = Subscriber(selection, Cursor(EPOCH, hub.seq), inbox.write)
    assert hub.join(subscriber)
    return subscriber


def test_n03_what_comes_after_a_stall_is_held_until_rights_were_looked_at(hub: Hub, uptime: Uptime) -> None:
    inbox, asked = Inbox(), []
    joined(hub, inbox)
    hub.on_hold = lambda: asked.append(uptime.now)
    uptime.now += 25
    hub.accept([entry(1)])
    hub.accept([entry(2)])
    assert inbox.seqs == []
    assert asked
    hub.trust(uptime.now + 2)
    hub.accept([entry(3)])
    assert inbox.seqs == [1, 2, 3]


def test_n03_who_ends_while_events_are_held_gets_none_of_them(hub: Hub, uptime: Uptime) -> None:
    inbox, other = Inbox(), Inbox()
    subscriber, _ = joined(hub, inbox), joined(hub, other)
    uptime.now += 5
    hub.accept([entry(1)])
    subscriber.end("revoked")
    hub.trust(uptime.now + 2)
    assert (inbox.seqs, other.seqs) == ([], [1])


def test_n03_what_waits_for_the_next_tick_is_held_too(hub: Hub, uptime: Uptime) -> None:
    inbox = Inbox()
    joined(hub, inbox)
    hub._due = [entry(1)]
    uptime.now += 5
    hub.flush()
    assert inbox.seqs == []


def test_n03_nothing_is_caught_up_with_while_rights_are_not_known(hub: Hub, uptime: Uptime) -> None:
    hub.accept([entry(1)])
    inbox = Inbox()
    uptime.now += 5
    assert not hub.join(Subscriber(EVERYTHING, Cursor(EPOCH, 0), inbox.write))
    assert inbox.seqs == []


@pytest.mark.parametrize(
    "selections", [[EVERYTHING] * 3, [EVERYTHING, WARNINGS, Selection(modules=frozenset({"madre"}))]]
)
def test_n03_a_stall_in_the_middle_of_writing_stops_it(
    hub: Hub, uptime: Uptime, monkeypatch: pytest.MonkeyPatch, selections: list[Selection]
) -> None:
    for module in (hub_module, subscribers):
        monkeypatch.setattr(module, "TURN_STREAMS", 1)
    inboxes: list[Inbox] = []

    class StallingInbox(Inbox):
        def write(self, chunk: bytes) -> bool:
            uptime.now += 25
            return super().write(chunk)

    members = []
    for selection in selections:
        inboxes.append(StallingInbox())
        members.append(joined(hub, inboxes[-1], selection))
    hub.accept([entry(1, "warn")])
    assert sorted(inbox.seqs for inbox in inboxes) == [[], [], [1]]
    # Those that got it stand after it, the others before it.
    for subscriber, inbox in zip(members, inboxes, strict=True):
        assert subscriber.cursor.seq == len(inbox.seqs)
    # When rights are known again each gets what it has not got, and the next event after that.
    hub.trust(uptime.now + 1_000)
    for subscriber in members:
        assert subscriber.live or hub.join(subscriber)
    hub.accept([entry(2, "warn")])
    assert [inbox.seqs for inbox in inboxes] == [[1, 2]] * 3


def test_n03_what_is_held_for_long_is_read_again_and_not_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RECENT_LIMIT_BYTES", 100)
    inbox = Inbox()
    subscriber = joined(hub, inbox)
    hub.trusted_until = float("-inf")
    for seq in range(1, 10):
        hub.accept([entry(seq, size_bytes=50)])
    assert (inbox.seqs, subscriber.live, subscriber.cursor.seq) == ([], False, 0)
    assert not hub._due


# With everything around it


@pytest.fixture
async def connections(ledger: None, uptime: Uptime) -> AsyncIterator[Connections]:
    the_relay().hub.reset(Head("k7f3", 7, 1))
    connections = Connections()
    yield connections
    assert connections._keeper is not None
    connections._keeper.cancel()
    await asyncio.gather(connections._keeper, return_exceptions=True)


@pytest.fixture
async def running() -> AsyncIterator[set["asyncio.Task[bool]"]]:
    tasks: set[asyncio.Task[bool]] = set()
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def next_event(seq: int) -> Entry:
    return Entry(seq, "info", "madre", "test.happened", "c-1", b'{"type":"event","seq":%d}' % seq)


async def opened(connections: Connections, running: set[Any], text: str) -> tuple[Stream, ListeningClient]:
    stream = new_stream(await directory.holder_of(text), relay=the_relay(), selection=EVERYTHING)
    client = stream._transport
    assert isinstance(client, ListeningClient)
    connections.open(stream)
    running.add(asyncio.create_task(stream.run()))
    return stream, client


@pytest.mark.parametrize("change", [narrow, revoke_elsewhere, expire])
async def test_n03_after_a_stall_rights_are_read_before_anything_is_written(
    connections: Connections, running: set[Any], uptime: Uptime, change: Any
) -> None:
    (token, text), (_, other) = [await sync_to_async(issue)() for _ in range(2)]
    stream, client = await opened(connections, running, text)
    _, other_client = await opened(connections, running, other)
    await until(lambda: "caught-up" in client.names and "caught-up" in other_client.names)
    await sync_to_async(change)(token)
    uptime.now += 25
    the_relay().hub.accept([next_event(8)])
    assert client.seqs == other_client.seqs == []
    await other_client.until(lambda: other_client.seqs == [8])
    await until(lambda: stream.end_reason)
    assert client.seqs == []


async def test_n03_a_stream_that_was_admitted_before_a_stall_is_looked_at_before_it_reads(
    connections: Connections, running: set[Any], uptime: Uptime
) -> None:
    token, text = await sync_to_async(issue)()
    admitted = new_stream(await directory.holder_of(text), relay=the_relay(), selection=EVERYTHING)
    await sync_to_async(revoke_elsewhere)(token)
    # Others have made the process read rights meanwhile.
    uptime.now += 25
    await directory.current()
    connections.open(admitted)
    assert admitted.end_reason == "revoked"


async def test_n03_no_caller_goes_on_with_rights_of_before_a_stall_while_another_reads_them(
    ledger: None, uptime: Uptime
) -> None:
    token, text = await sync_to_async(issue)()
    await directory.holder_of(text)
    await sync_to_async(revoke_elsewhere)(token)
    uptime.now += 5
    outcomes = await asyncio.gather(*(directory.holder_of(text) for _ in range(5)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {principals.InvalidCredential}


async def test_n03_a_check_that_a_stall_cut_in_two_is_made_again(
    ledger: None, uptime: Uptime, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, text = await sync_to_async(issue)()
    await directory.holder_of(text)
    read = principals._read

    def read_and_stall(*arguments: Any, **options: Any) -> Any:
        found = read(*arguments, **options)
        if uptime.now < 1_020:
            # The process stood still after the rows were read, and the token was revoked then.
            uptime.now += 25
            revoke_elsewhere(token)
        return found

    monkeypatch.setattr(principals, "_read", read_and_stall)
    uptime.now += 1.5
    with pytest.raises(principals.InvalidCredential):
        await directory.holder_of(text)
