"""A stream whose rights end: what was read before that is not written after it, in any state of the stream."""

import asyncio
import dataclasses
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from events import log
from events.log.cursors import Cursor, Head
from events.log.records import Entry
from events.stream import stream as stream_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from events.stream.stream import Stream, StreamOpening
from events.stream.subscribers import Subscriber
from gateway.filters import EVERYTHING
from gateway.http.authentication import Caller
from gateway.identity.principals import Principal, Snapshot, Standing
from tests.events.samples import append_events
from tests.events.stream.listening_client import ListeningClient
from tests.events.waiting import until

OPERATOR = Principal("u-1", "session", "operator", frozenset({"events:read"}), generation="of this password")
ENDS_AT = timezone.now() + timedelta(hours=1)
IN_SESSION = dataclasses.replace(OPERATOR, session_id="s-1", session_row="row-1", expires_at=ENDS_AT)


def snapshot(standing: Principal = OPERATOR, **fields: Any) -> Snapshot:
    """Rights by which the stream of IN_SESSION may go on, with `fields` put over them."""
    values = {"session_ends": {"row-1": ENDS_AT}, **fields}
    return Snapshot(1, {}, {standing.public_id: Standing(standing)}, **values)


class Opened:
    """A stream, its client and the hub that it may join."""

    def __init__(self, head: Head, cursor: Cursor) -> None:
        self.client = ListeningClient()
        self.relay = Relay(Hub())
        self.hub = self.relay.hub
        self.hub.reset(head)
        opening = StreamOpening(IN_SESSION, "", EVERYTHING, Caller("", "c-1"), follow=True)
        self.stream = Stream(opening, self.relay, self.client)
        self.stream._subscriber.move_to(cursor)
        self._running: asyncio.Task[bool] | None = None

    def run(self) -> None:
        self._running = asyncio.create_task(self.stream.run())

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def ended(self) -> None:
        await self.client.until(lambda: self.client.said("stream-end"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "PAUSE_SECONDS", 0.01)


@pytest.fixture
async def live() -> AsyncIterator[Opened]:
    """A stream that the hub writes to."""
    opened = Opened(Head("k7f3", 7, 1), Cursor("k7f3", 7))
    opened.run()
    await opened.client.until(lambda: "caught-up" in opened.client.names)
    yield opened
    await opened.close()


@pytest.fixture
async def behind(ledger: None) -> AsyncIterator[Opened]:
    """A stream, not running yet, that must read five events from the log before it can join the hub."""
    await sync_to_async(append_events)(5)
    head = await sync_to_async(log.head)()
    opened = Opened(head, Cursor(head.epoch, 0))
    yield opened
    await opened.close()


@asynccontextmanager
async def page_under_way(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The stream runs, and its first page has been read from the log; it arrives only after this."""
    was_read, may_arrive, read_after = threading.Event(), threading.Event(), log.read_after

    def read_and_wait(*arguments: Any, **options: Any) -> log.Page:
        page = read_after(*arguments, **options)
        was_read.set()
        assert may_arrive.wait(10)
        return page

    with monkeypatch.context() as patched:
        patched.setattr(log, "read_after", read_and_wait)
        opened.run()
        await until(was_read.is_set)
        try:
            yield
        finally:
            may_arrive.set()


# What takes a right away


LOSSES = {
    "signed out": (snapshot(ended_sessions=frozenset({"s-1"})), "revoked"),
    "session deleted": (snapshot(session_ends={}), "revoked"),
    "session over": (snapshot(session_ends={"row-1": timezone.now() - timedelta(seconds=1)}), "expired"),
    "password changed": (snapshot(dataclasses.replace(OPERATOR, generation="of another password")), "revoked"),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_stream_of_a_console_session_ends_with_the_session_and_with_the_password(
    live: Opened, loss: str
) -> None:
    live.stream.tick(time.monotonic(), snapshot())
    assert not live.stream.end_reason
    after, reason = LOSSES[loss]
    live.stream.tick(time.monotonic(), after)
    live.hub.accept([Entry(8, "info", "madre", "test.happened", "c-1", b'{"type":"event","seq":8}')])
    await live.ended()
    assert live.client.said("stream-end")[0]["reason"] == reason
    assert live.client.seqs == []


async def test_a_stream_of_another_session_of_the_same_user_goes_on(live: Opened) -> None:
    live.stream.tick(time.monotonic(), snapshot(ended_sessions=frozenset({"s-2"})))
    assert not live.stream.end_reason


# What was read before


async def test_a_page_that_was_read_before_the_end_of_rights_is_not_written_after_it(
    behind: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with page_under_way(behind, monkeypatch):
        behind.stream.check_rights(snapshot(ended_sessions=frozenset({"s-1"})))
    await behind.ended()
    assert behind.client.names == ["connected", "stream-end"]


async def test_a_page_that_was_read_is_kept_back_while_rights_are_not_known(
    behind: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    behind.hub.on_hold = asked.set
    async with page_under_way(behind, monkeypatch):
        behind.hub.distrust()
    # The page is there, and the stream asks for rights instead of writing it.
    await asyncio.wait_for(asked.wait(), 10)
    assert behind.client.names == ["connected"]

    behind.hub.trust(float("inf"))
    await behind.client.until(lambda: "caught-up" in behind.client.names)
    assert behind.client.seqs == [1, 2, 3, 4, 5]


async def test_a_page_that_was_kept_back_is_not_written_when_the_rights_that_are_read_are_fewer(
    behind: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    behind.hub.on_hold = asked.set
    async with page_under_way(behind, monkeypatch):
        behind.hub.distrust()
    await asyncio.wait_for(asked.wait(), 10)
    behind.stream.check_rights(snapshot(ended_sessions=frozenset({"s-1"})))
    behind.hub.trust(float("inf"))
    await behind.ended()
    assert behind.client.seqs == []


# Joining the hub


async def test_a_stream_that_ended_while_its_reader_was_slow_does_not_join_the_hub(
    live: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.client.pause()
    live.hub.accept([Entry(8, "info", "madre", "test.happened", "c-1", b'{"type":"event","seq":8}')])
    await until(lambda: not live.stream._subscriber.live)
    # The stream's task waits for the reader by now, and goes on after what happens here.
    await asyncio.sleep(0)
    asked_to_join: list[object] = []
    join = live.hub.join

    def note_and_join(subscriber: Subscriber) -> bool:
        asked_to_join.append(subscriber)
        return join(subscriber)

    monkeypatch.setattr(live.hub, "join", note_and_join)
    live.stream.end("revoked")
    live.hub.accept([Entry(9, "info", "madre", "test.happened", "c-1", b'{"type":"event","seq":9}')])
    live.client.resume()
    await live.ended()
    assert asked_to_join == []
    assert live.client.seqs == [8]
