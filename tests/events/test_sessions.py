"""Who is connected: rows that begin and end with their streams, also when processes die."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from events import sessions as sessions_module
from events.models import Node, StreamSession
from events.sessions import Presence, Sessions, touch_node
from events.streams import Stream
from gateway.models import AccessToken
from gateway.principals import directory
from ledger.writer import writer
from tests.database_faults import database_away
from tests.events.open_streams import new_stream
from tests.events.waiting import until
from tests.gateway.samples import issue
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "TICK_SECONDS", 0.01)


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    sessions = Sessions()
    yield sessions
    if sessions._keeper is not None:
        sessions._keeper.cancel()
        await asyncio.gather(sessions._keeper, return_exceptions=True)


@sync_to_async
def row_of(stream: Stream) -> StreamSession | None:
    """After all that was handed to the writer is written."""
    writer.close()
    return StreamSession.objects.filter(pk=stream.stream_id).first()


async def test_an_open_stream_has_a_row_that_says_who_reads_what(sessions: Sessions) -> None:
    stream = new_stream()
    sessions.open(stream)
    row = await row_of(stream)
    assert row is not None
    assert (row.principal_id, row.principal_name, row.ticket_id) == ("p-1", "reader", "t-1")
    assert (row.address, row.correlation_id, row.cursor) == ("192.0.2.1", "c-1", "k7f3-7")
    assert (row.selection, row.node, row.closed_at) == ({"modules": ["madre"]}, sessions.node.pk, None)
    assert await sync_to_async(Node.objects.filter(pk=row.node).exists)()
    sessions.close(stream)


@pytest.mark.parametrize(("end_reason", "noted"), [("max_age", "max_age"), ("", "client_closed")])
async def test_when_a_stream_ends_its_row_says_why_and_how_much_it_got(
    sessions: Sessions, end_reason: str, noted: str
) -> None:
    stream = new_stream()
    sessions.open(stream)
    stream._subscriber.wrote(123)
    if end_reason:
        stream.end(end_reason)
    sessions.close(stream)
    row = await row_of(stream)
    assert row is not None
    assert (row.end_reason, row.bytes_sent, row.events_sent) == (noted, 123, 0)
    assert row.closed_at is not None


async def test_streams_that_open_and_end_within_one_commit_are_not_left_open(sessions: Sessions) -> None:
    lasting = new_stream()
    sessions.open(lasting)
    await row_of(lasting)

    # All of this is in the queue before the writer can take any of it.
    with writer._changed:
        short = [new_stream() for _ in range(5)]
        sessions.close(lasting)
        for stream in short:
            sessions.open(stream)
            sessions.close(stream)

    rows = [await row_of(stream) for stream in [lasting, *short]]
    assert all(row is not None and row.closed_at is not None for row in rows)


async def test_opening_and_closing_are_logged_without_anything_secret(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stream = new_stream()
    sessions.open(stream)
    sessions.close(stream)
    lines = [record.getMessage() for record in caplog.records if record.name == "vx11.streams"]
    assert [line.split(" stream=")[0] for line in lines] == ["stream opened", "stream closed"]
    assert all(stream.stream_id in line and "p-1" in line for line in lines)
    assert "reason=client_closed" in lines[1]


# The keeper


async def test_a18_a_stream_whose_token_is_revoked_is_told_to_end(sessions: Sessions) -> None:
    token, text = await sync_to_async(issue)()
    stream = new_stream(await directory.holder_of(text))
    sessions.open(stream)
    await sync_to_async(AccessToken.objects.filter(pk=token.pk).delete)()
    await until(lambda: stream.end_reason)
    assert stream.end_reason == "revoked"
    sessions.close(stream)


async def test_a_process_says_that_it_lives_also_without_streams(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "NODE_TOUCH_SECONDS", 0.01)

    @sync_to_async
    def said_again(before: datetime | None) -> datetime:
        def now() -> datetime | None:
            seen_at = Node.objects.filter(pk=sessions.node.pk).values_list("seen_at", flat=True).first()
            return seen_at if seen_at != before else None

        return wait_until(now, "the process says that it lives")

    sessions.start()
    first = await said_again(None)
    await said_again(first)


async def test_what_a_process_says_of_itself_is_as_of_now(sessions: Sessions) -> None:
    stream = new_stream()
    sessions.open(stream)
    presence = sessions._presence()
    sessions.close(stream)
    assert (presence.node.streams, presence.node.draining) == (1, False)
    sessions.draining = True
    assert (sessions._presence().node.streams, sessions._presence().node.draining) == (0, True)
    assert presence.node.streams == 1


async def test_what_goes_wrong_with_one_look_does_not_end_looking(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    token, text = await sync_to_async(issue)()
    stream = new_stream(await directory.holder_of(text))
    broken = new_stream()
    del broken._ends_at
    sessions.open(broken)
    sessions.open(stream)
    await until(lambda: "could not be looked after" in caplog.text)
    sessions.close(broken)

    await sync_to_async(token.delete)()
    await until(lambda: stream.end_reason)
    sessions.close(stream)


async def test_f08_while_the_database_is_away_streams_go_on_and_age(sessions: Sessions) -> None:
    stream = new_stream()
    with database_away():
        sessions.open(stream)
        stream._ends_at = 0
        await until(lambda: stream.end_reason)
    assert stream.end_reason == "max_age"
    sessions.close(stream)


# Ends that are lost


async def test_f08_a_stream_whose_end_the_database_did_not_take_is_closed_later(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "NODE_TOUCH_SECONDS", 0.1)
    _, text = await sync_to_async(issue)()
    holder = await directory.holder_of(text)
    ended, lasting = new_stream(holder), new_stream(holder)
    for stream in (ended, lasting):
        sessions.open(stream)
    await row_of(ended)
    with database_away():
        sessions.close(ended)
        await sync_to_async(writer.close)()

    async with asyncio.timeout(10):
        while (row := await row_of(ended)) and not row.closed_at:  # noqa: ASYNC110 - the writer's thread writes it
            await asyncio.sleep(0.02)
    assert row is not None
    assert row.end_reason == "unknown"

    other = await row_of(lasting)
    assert other is not None
    assert (other.closed_at, other.end_reason) == (None, "")
    sessions.close(lasting)
    other = await row_of(lasting)
    assert other is not None
    assert other.end_reason == "client_closed"


async def test_a_stream_that_opens_while_a_touch_waits_for_the_writer_stays_open(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now
    with monkeypatch.context() as a_minute_ago:
        a_minute_ago.setattr(timezone, "now", lambda: now() - timedelta(seconds=60))
        # It is being opened already, but the process does not count it among its own yet.
        stream = new_stream()
        presence = sessions._presence()
        sessions.open(stream)
    assert await row_of(stream) is not None

    await sync_to_async(touch_node)([presence])

    row = await row_of(stream)
    assert row is not None
    assert row.closed_at is None
    sessions.close(stream)


# Processes that die


def presence_of(node: Node, *open_rows: StreamSession) -> Presence:
    return Presence(node, frozenset(str(row.pk) for row in open_rows), timezone.now())


def open_row(node: Node) -> StreamSession:
    return StreamSession.objects.create(
        id=uuid.uuid4(), node=node.pk, principal_id="p-1", cursor="k7f3-1", opened_at=timezone.now()
    )


def test_f13_streams_of_a_process_that_is_silent_are_closed_and_those_of_others_are_not() -> None:
    dead, alive = Node(name="dead"), Node(name="alive")
    touch_node([presence_of(dead), presence_of(alive)])
    rows = {node: open_row(node) for node in (dead, alive)}
    Node.objects.filter(pk=dead.pk).update(seen_at=timezone.now() - timedelta(seconds=31))

    touch_node([presence_of(alive, rows[alive])])

    for row in rows.values():
        row.refresh_from_db()
    assert (rows[dead].end_reason, rows[alive].end_reason) == ("node_lost", "")
    assert rows[dead].closed_at is not None
    assert list(Node.objects.values_list("name", flat=True)) == ["alive"]


def test_a_process_closes_only_what_is_its_own_and_not_open_there() -> None:
    one, other = Node(name="one"), Node(name="other")
    touch_node([presence_of(other)])
    still_open, lost, elsewhere = open_row(one), open_row(one), open_row(other)

    touch_node([presence_of(one, still_open)])

    reasons = dict(StreamSession.objects.values_list("pk", "end_reason"))
    assert reasons == {still_open.pk: "", lost.pk: "unknown", elsewhere.pk: ""}


@pytest.mark.parametrize("ahead_seconds", [90, -90])
def test_f19_a_process_whose_clock_is_wrong_neither_loses_streams_nor_takes_them(
    monkeypatch: pytest.MonkeyPatch, ahead_seconds: int
) -> None:
    right, wrong = Node(name="right"), Node(name="wrong")
    rows = [open_row(right), open_row(wrong)]
    presences = [presence_of(node, *rows) for node in (right, wrong)]
    touch_node(presences)

    now = timezone.now
    with monkeypatch.context() as patched:
        patched.setattr(timezone, "now", lambda: now() + timedelta(seconds=ahead_seconds))
        touch_node(presences[1:])
    touch_node(presences[:1])

    assert StreamSession.objects.filter(closed_at=None).count() == 2
    assert set(Node.objects.values_list("name", flat=True)) == {"right", "wrong"}


def silence(seconds: float, *nodes: Node) -> None:
    """None of these could say for so long that it lives."""
    pks = [node.pk for node in nodes]
    Node.objects.filter(pk__in=pks).update(seen_at=Now() - timedelta(seconds=seconds))


def is_open(row: StreamSession) -> bool:
    row.refresh_from_db()
    return (row.closed_at, row.end_reason) == (None, "")


def test_n07_after_the_database_was_away_nobody_is_taken_for_dead_before_it_can_say_that_it_lives() -> None:
    nodes = first, second = Node(name="first"), Node(name="second")
    touch_node([presence_of(node) for node in nodes])
    rows = [open_row(node) for node in nodes]
    presences = [presence_of(node, row) for node, row in zip(nodes, rows, strict=True)]
    silence(60, *nodes)

    touch_node(presences[:1])
    assert all(map(is_open, rows))
    touch_node(presences[1:])
    assert all(map(is_open, rows))

    # One that says nothing for as long after it is dead all the same.
    silence(60, second)
    touch_node(presences[:1])
    assert is_open(rows[1])
    sessions_module._back_at[first.pk] -= sessions_module.NODE_LOST_SECONDS
    touch_node(presences[:1])
    assert [is_open(row) for row in rows] == [True, False]


def test_n03_streams_of_a_process_that_was_taken_for_dead_are_open_again() -> None:
    stopped, other = Node(name="stopped"), Node(name="other")
    went_on, ended = open_row(stopped), open_row(stopped)
    touch_node([presence_of(stopped, went_on, ended)])
    silence(60, stopped)
    touch_node([presence_of(other)])
    assert not is_open(went_on)
    assert not is_open(ended)
    touch_node([presence_of(stopped, went_on)])
    assert is_open(went_on)
    assert not is_open(ended)


def test_two_processes_that_find_a_dead_one_do_not_wait_for_each_other() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock for all")
    dead = Node.objects.create(name="dead")
    silence(60, dead)
    rows = [open_row(dead) for _ in range(4)]
    held = rows[2]

    def sweep() -> None:
        try:
            with transaction.atomic():
                touch_node([presence_of(Node(name="other"))])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        StreamSession.objects.select_for_update().get(pk=held.pk)
        Node.objects.select_for_update().get(pk=dead.pk)
        pool.submit(sweep).result()
        assert [is_open(row) for row in rows] == [row == held for row in rows]
    touch_node([presence_of(Node(name="third"))])
    assert not is_open(held)
    assert not Node.objects.filter(pk=dead.pk).exists()


def test_a_process_that_was_taken_for_dead_comes_back() -> None:
    node = Node(name="back")
    touch_node([presence_of(node)])
    Node.objects.all().delete()
    touch_node([presence_of(node)])
    assert Node.objects.filter(pk=node.pk).exists()
