"""A relay compares itself with the log: how far it is behind, whether another database holds it, and what it notes."""

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async

from events import log
from events.log import Cursor, appending, incarnation
from events.models import Event
from events.stream import relay as relay_module
from events.stream.hub import Hub
from events.stream.relay import Relay
from ledger.faults import LedgerUnavailable
from tests.events.stream import deaf_relay
from tests.events.stream.deaf_relay import append, entry, newest
from tests.events.waiting import until
from tests.metrics import counting, here

pytestmark = pytest.mark.usefixtures("ledger")

# Fixtures of this module too.
relay, reads = deaf_relay.relay, deaf_relay.reads


async def test_a_comparison_says_how_far_the_relay_is_behind_and_where_the_log_begins_and_ends(relay: Relay) -> None:
    by_look = counting("vx11_relay_gaps_found_total", by="look")
    await append(5)
    await sync_to_async(log.prune)(keep_days=1, keep_rows=3)
    await relay._compare_head(relay.hub.cursor)
    assert (here("vx11_relay_lag_events"), by_look()) == (5, 1)
    assert (here("vx11_log_head_seq"), here("vx11_log_oldest_seq")) == (5, 3)
    assert abs(here("vx11_relay_looked_timestamp_seconds") - time.time()) < 60
    position = await newest()
    await until(lambda: relay.hub.cursor == position)
    await relay._compare_head(position)
    assert (here("vx11_relay_lag_events"), by_look()) == (0, 1)


async def test_a_relay_of_another_epoch_is_one_event_behind_however_far_it_is(relay: Relay) -> None:
    by_look = counting("vx11_relay_gaps_found_total", by="look")
    await append(5)
    relay.hub.reset(log.Head("other1", 5, 1))
    await relay._compare_head(Cursor("", 0))
    assert (here("vx11_relay_lag_events"), by_look()) == (1, 1)
    position = await newest()
    await until(lambda: relay.hub.cursor == position)


async def test_what_arrives_a_moment_after_the_log_showed_it_is_no_gap(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_look = counting("vx11_relay_gaps_found_total", by="look")
    await append(2)
    head, (epoch, seq) = relay._head, relay.hub.cursor

    async def head_and_then_the_message(seen: Cursor | None) -> log.Head:
        found = await head(seen)
        asyncio.get_running_loop().call_soon(relay._take, epoch, [entry(seq + 1), entry(seq + 2)])
        return found

    monkeypatch.setattr(relay, "_head", head_and_then_the_message)
    await relay._compare_head(relay.hub.cursor)
    assert (by_look(), here("vx11_relay_lag_events")) == (0, 0)


async def test_while_the_head_cannot_be_read_the_relay_goes_on_comparing_and_does_not_log_each_time(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 0.001)
    compare, tries = relay._compare_head, list[int]()

    async def fails_at_first(seen: Cursor) -> None:
        tries.append(1)
        if len(tries) < 5:
            raise LedgerUnavailable("away")
        await compare(seen)

    monkeypatch.setattr(relay, "_compare_head", fails_at_first)
    await relay.stop()
    await relay.start()
    appending._listeners.remove(relay.committed)
    await append(1)
    position = await newest()
    await until(lambda: relay.hub.cursor == position)
    assert "cannot be read" not in caplog.text


# Another database that kept the epoch


@pytest.fixture
async def remembering(relay: Relay) -> Relay:
    """Has the log's six events in memory."""
    await append(6)
    relay.nudge()
    position = await newest()
    await until(lambda: relay.hub.cursor == position)
    return relay


def pages_hold(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of the log has at most so many entries."""
    read_after = log.read_after
    monkeypatch.setattr(log, "read_after", lambda *arguments: read_after(*arguments, limit=entries))


@pytest.mark.parametrize("pages_of", [500, 2])
async def test_a_database_that_holds_what_was_seen_keeps_the_epoch(
    remembering: Relay, monkeypatch: pytest.MonkeyPatch, pages_of: int
) -> None:
    pages_hold(pages_of, monkeypatch)
    before = await newest()
    await append(2, prefix="n")
    await remembering._compare_memory()
    assert (await newest()).epoch == before.epoch


@pytest.mark.parametrize("changed", [1, 3, 6])
@pytest.mark.parametrize("pages_of", [500, 2])
async def test_a_database_that_holds_another_event_than_was_seen_gets_a_new_epoch(
    remembering: Relay, monkeypatch: pytest.MonkeyPatch, changed: int, pages_of: int
) -> None:
    pages_hold(pages_of, monkeypatch)
    before = await newest()
    await sync_to_async(Event.objects.filter(seq=changed).update)(summary="another")
    await remembering._compare_memory()
    after = await newest()
    assert after.epoch != before.epoch
    assert after.seq == before.seq


async def test_another_database_is_noticed_by_the_first_comparison_and_compared_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(incarnation, "columns", lambda: "'00000001-1', 1 = 1, NULL")
    await append(3)
    relay, compared = Relay(Hub()), list[int]()

    async def note() -> None:
        compared.append(1)

    monkeypatch.setattr(relay, "_compare_memory", note)
    await relay.start()
    await relay._compare_head(relay.hub.cursor)
    assert compared == []
    # A standby that every commit waited for: the epoch stays.
    monkeypatch.setattr(incarnation, "columns", lambda: "'00000002-1', 1 = 1, NULL")
    await append(1, prefix="n")
    for _ in range(2):
        await relay._compare_head(relay.hub.cursor)
    assert compared == [1]
    await relay.stop()


async def test_what_is_not_remembered_or_not_there_any_more_is_not_compared(
    remembering: Relay, reads: list[Cursor]
) -> None:
    before = await newest()
    await sync_to_async(log.prune)(keep_days=1, keep_rows=2)
    await remembering._compare_memory()
    assert reads == [before._replace(seq=0)]
    remembering.hub.reset(await sync_to_async(log.head)())
    await remembering._compare_memory()
    assert len(reads) == 1
    assert await newest() == before


# Noting how far the log goes


async def test_a_position_is_noted_once_and_one_without_a_log_is_not(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in relay._tasks:
        task.cancel()
    noted: list[Cursor] = []

    def advance(cursor: Cursor) -> Cursor:
        noted.append(cursor)
        return cursor

    monkeypatch.setattr(log, "advance_watermark", advance)
    for _ in range(3):
        await relay.note_position()
    relay.hub.cursor = Cursor("", 0)
    await relay.note_position()
    relay.hub.cursor = Cursor("other1", 3)
    await relay.note_position()
    assert len(set(noted)) == len(noted)
    assert noted[-1] == Cursor("other1", 3)
    assert Cursor("", 0) not in noted


async def test_a_position_that_could_not_be_noted_is_noted_at_the_next_turn(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in relay._tasks:
        task.cancel()
    tries: list[Cursor] = []

    def fails_once(cursor: Cursor) -> Cursor:
        tries.append(cursor)
        if len(tries) == 1:
            raise OSError("no space")
        return cursor

    monkeypatch.setattr(log, "advance_watermark", fails_once)
    relay.hub.cursor = Cursor("other1", 3)
    for _ in range(3):
        await relay.note_position()
    assert tries == [Cursor("other1", 3)] * 2
