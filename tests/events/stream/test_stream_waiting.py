"""A stream whose history cannot be read now: it stays open, says that it is there, and goes on when it can."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from events import log
from events.log.cursors import Cursor
from events.stream import stream
from events.stream.hub import Hub
from events.stream.relay import Relay
from events.stream.stream import Stream, StreamOpening
from gateway.filters import EVERYTHING
from gateway.http.authentication import Caller
from gateway.identity.principals import Principal
from ledger.faults import LedgerUnavailable
from ledger.reader import replays
from tests.database_faults import database_away
from tests.events.samples import append_events
from tests.events.stream.listening_client import ListeningClient
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")
READER = Principal("p-1", "principal", "reader", frozenset({"events:read"}))


async def test_a_database_that_is_away_costs_a_reader_time_and_the_reader_gets_heartbeats(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.HEARTBEAT_SECONDS = 0
    monkeypatch.setattr(stream, "PAUSE_SECONDS", 0.01)
    await sync_to_async(append_events)(5)
    head = await sync_to_async(log.head)()
    relay, client = Relay(Hub()), ListeningClient()
    relay.hub.reset(head)
    waiting = Stream(StreamOpening(READER, "", EVERYTHING, Caller("", "c-1"), follow=True), relay, client)
    # As after a fall back to the log: the hub has forgotten these events.
    waiting._subscriber.move_to(Cursor(head.epoch, 2))
    with database_away():
        task = asyncio.create_task(waiting.run())
        await client.until(lambda: client.names.count("heartbeat") >= 2)
        assert client.seqs == []
    await client.until(lambda: client.seqs == [3, 4, 5])
    assert all(said["cursor"] for said in client.said("heartbeat"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_database_that_is_away_is_not_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAUSE_SECONDS", 3600.0)
    head = await sync_to_async(log.head)()
    relay = Relay(Hub())
    relay.hub.reset(head._replace(last_seq=5))
    waiting = Stream(StreamOpening(READER, "", EVERYTHING, Caller("", "c-1"), follow=True), relay, ListeningClient())
    waiting._subscriber.move_to(Cursor(head.epoch, 2))
    tries: list[int] = []

    async def fail(*arguments: object, **options: object) -> None:
        tries.append(1)
        raise LedgerUnavailable("away")

    monkeypatch.setattr(replays, "run_for", fail)
    task = asyncio.create_task(waiting.run())
    await until(lambda: tries)
    for _ in range(10):
        await asyncio.sleep(0)
    assert tries == [1]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
