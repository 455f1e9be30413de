"""Who is connected: rows that begin and end with their streams, also when processes die."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from events.models import Node, StreamSession
from events.stream import connections as sessions_module
from events.stream.connection_rows import touch_node
from events.stream.connections import Connections
from events.stream.stream import Stream
from gateway.identity.principals import directory
from gateway.models import AccessToken
from ledger.writer import writer
from tests.database_faults import database_away
from tests.events.stream.open_streams import new_stream
from tests.events.waiting import until
from tests.gateway.samples import issue
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "TICK_SECONDS", 0.01)


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    connections = Connections()
    yield connections
    if connections._keeper is not None:
        connections._keeper.cancel()
        await asyncio.gather(connections._keeper, return_exceptions=True)


@sync_to_async
def row_of(stream: Stream) -> StreamSession | None:
    """After all that was handed to the writer is written."""
    writer.close()
    return StreamSession.objects.filter(pk=stream.stream_id).first()


async def test_an_open_stream_has_a_row_that_says_who_reads_what(connections: Connections) -> None:
    stream = new_stream()
    connections.open(stream)
    row = await row_of(stream)
    assert row is not None
    assert (row.principal_id, row.principal_name, row.ticket_id) == ("p-1", "reader", "t-1")
    assert (row.address, row.correlation_id, row.cursor) == ("192.0.2.1", "c-1", "k7f3-7")
    assert (row.selection, row.node, row.closed_at) == ({"modules": ["madre"]}, connections.node.pk, None)
    assert await sync_to_async(Node.objects.filter(pk=row.node).exists)()
    connections.close(stream)


@pytest.mark.parametrize(("end_reason", "noted"), [("max_age", "max_age"), ("", "client_closed")])
async def test_when_a_stream_ends_its_row_says_why_and_how_much_it_got(
    connections: Connections, end_reason: str, noted: str
) -> None:
    stream = new_stream()
    connections.open(stream)
    stream._subscriber.wrote(123)
    if end_reason:
        stream.end(end_reason)
    connections.close(stream)
    row = await row_of(stream)
    assert row is not None
    assert (row.end_reason, row.bytes_sent, row.events_sent) == (noted, 123, 0)
    assert row.closed_at is not None


async def test_streams_that_open_and_end_within_one_commit_are_not_left_open(connections: Connections) -> None:
    lasting = new_stream()
    connections.open(lasting)
    await row_of(lasting)

    # All of this is in the queue before the writer can take any of it.
    with writer._changed:
        short = [new_stream() for _ in range(5)]
        connections.close(lasting)
        for stream in short:
            connections.open(stream)
            connections.close(stream)

    rows = [await row_of(stream) for stream in [lasting, *short]]
    assert all(row is not None and row.closed_at is not None for row in rows)


async def test_opening_and_closing_are_logged_without_anything_secret(
    connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stream = new_stream()
    connections.open(stream)
    connections.close(stream)
    lines = [record.getMessage() for record in caplog.records if record.name == "vx11.streams"]
    assert [line.split(" stream=")[0] for line in lines] == ["stream opened", "stream closed"]
    assert all(stream.stream_id in line and "p-1" in line for line in lines)
    assert "reason=client_closed" in lines[1]


# The keeper


async def test_a18_a_stream_whose_token_is_revoked_ends(connections: Connections) -> None:
    token, text = await sync_to_async(issue)()
    stream = new_stream(await directory.holder_of(text))
    connections.open(stream)
    await sync_to_async(AccessToken.objects.filter(pk=token.pk).delete)()
    await until(lambda: stream.end_reason)
    assert stream.end_reason == "revoked"
    connections.close(stream)


async def test_a_process_reports_also_without_streams(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "NODE_TOUCH_SECONDS", 0.01)

    @sync_to_async
    def said_again(before: datetime | None) -> datetime:
        def now() -> datetime | None:
            seen_at = Node.objects.filter(pk=connections.node.pk).values_list("seen_at", flat=True).first()
            return seen_at if seen_at != before else None

        return wait_until(now, "the process says that it lives")

    connections.start()
    first = await said_again(None)
    await said_again(first)


async def test_what_a_process_reports_is_as_of_now(connections: Connections) -> None:
    stream = new_stream()
    connections.open(stream)
    presence = connections._presence()
    connections.close(stream)
    assert (presence.node.streams, presence.node.draining) == (1, False)
    connections.draining = True
    assert (connections._presence().node.streams, connections._presence().node.draining) == (0, True)
    assert presence.node.streams == 1


async def test_what_goes_wrong_with_one_look_does_not_end_looking(
    connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    token, text = await sync_to_async(issue)()
    stream = new_stream(await directory.holder_of(text))
    broken = new_stream()
    del broken._ends_at
    connections.open(broken)
    connections.open(stream)
    await until(lambda: "could not be looked after" in caplog.text)
    connections.close(broken)

    await sync_to_async(token.delete)()
    await until(lambda: stream.end_reason)
    connections.close(stream)


async def test_f08_while_the_database_is_away_streams_go_on_and_age(connections: Connections) -> None:
    stream = new_stream()
    with database_away():
        connections.open(stream)
        stream._ends_at = 0
        await until(lambda: stream.end_reason)
    assert stream.end_reason == "max_age"
    connections.close(stream)


# Ends that are lost


async def test_f08_a_stream_whose_end_the_database_did_not_take_is_closed_later(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "NODE_TOUCH_SECONDS", 0.1)
    _, text = await sync_to_async(issue)()
    holder = await directory.holder_of(text)
    ended, lasting = new_stream(holder), new_stream(holder)
    for stream in (ended, lasting):
        connections.open(stream)
    await row_of(ended)
    with database_away():
        connections.close(ended)
        await sync_to_async(writer.close)()

    async with asyncio.timeout(10):
        while (row := await row_of(ended)) and not row.closed_at:  # noqa: ASYNC110 - the writer's thread writes it
            await asyncio.sleep(0.02)
    assert row is not None
    assert row.end_reason == "unknown"

    other = await row_of(lasting)
    assert other is not None
    assert (other.closed_at, other.end_reason) == (None, "")
    connections.close(lasting)
    other = await row_of(lasting)
    assert other is not None
    assert other.end_reason == "client_closed"


async def test_a_stream_that_opens_while_a_touch_waits_for_the_writer_stays_open(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now
    with monkeypatch.context() as a_minute_ago:
        a_minute_ago.setattr(timezone, "now", lambda: now() - timedelta(seconds=60))
        # It is being opened already, but the process does not count it among its own yet.
        stream = new_stream()
        presence = connections._presence()
        connections.open(stream)
    assert await row_of(stream) is not None

    await sync_to_async(touch_node)([presence])

    row = await row_of(stream)
    assert row is not None
    assert row.closed_at is None
    connections.close(stream)
