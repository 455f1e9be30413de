"""Streams while rights are not known: they stay open, and nothing passes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from events.log.records import Entry
from events.stream import connections as sessions_module
from events.stream import stream
from events.stream.connections import Connections
from events.stream.relay import the_relay
from events.stream.stream import Stream
from gateway.filters import EVERYTHING
from gateway.identity import principals
from gateway.identity.principals import directory
from gateway.models import AccessToken
from ledger.faults import LedgerUnavailable
from tests.database_faults import database_away
from tests.events.stream.listening_client import ListeningClient
from tests.events.stream.open_streams import new_stream
from tests.events.waiting import until
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")

NEXT = Entry(8, "info", "madre", "test.happened", "c-1", b'{"type":"event","seq":8}')


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(principals, "STALE_LIMIT_SECONDS", 0.3)
    monkeypatch.setattr(principals, "FRESH_SECONDS", 0.05)
    monkeypatch.setattr(stream, "PAUSE_SECONDS", 0.02)


class Open:
    """A live stream of a token of its own, looked after by connections."""

    def __init__(self, stream: Stream, token: AccessToken) -> None:
        self.stream = stream
        self.token = token
        assert isinstance(stream._transport, ListeningClient)
        self.client = stream._transport
        self.relay = stream._relay


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    token, text = await sync_to_async(issue)()
    stream = new_stream(await directory.holder_of(text), relay=the_relay(), selection=EVERYTHING)
    running = asyncio.create_task(stream.run())
    connections = Connections()
    connections.open(stream)
    one = Open(stream, token)
    await one.client.until(lambda: "caught-up" in one.client.names)
    yield one
    assert connections._keeper is not None
    for task in (running, connections._keeper):
        task.cancel()
    await asyncio.gather(running, connections._keeper, return_exceptions=True)


async def rights_are_unknown() -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await directory.current()
            except LedgerUnavailable:
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("revoked", [True, False])
async def test_a18_no_event_passes_while_rights_cannot_be_known_and_then_those_of_now_count(
    opened: Open,
    revoked: bool,  # noqa: FBT001 - a case
) -> None:
    with database_away():
        await rights_are_unknown()
        await until(lambda: not opened.stream._subscriber.live)
        # Another process, which reaches the database, publishes an event.
        opened.relay.committed(opened.relay.hub.epoch, [NEXT])
        opened.relay._take(opened.relay.hub.epoch, [NEXT])
        assert opened.client.seqs == []
        if revoked:
            await sync_to_async(AccessToken.objects.filter(pk=opened.token.pk).update)(revoked_at=timezone.now())
    if revoked:
        await until(lambda: opened.stream.end_reason == "revoked")
        assert opened.client.seqs == []
    else:
        await opened.client.until(lambda: opened.client.seqs == [8])
