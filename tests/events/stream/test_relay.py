"""From the log to the hub: events that no message brought are found, and the relay survives faults around it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from events import log
from events.log import appending, epochs
from events.log.cursors import Cursor
from events.log.records import Entry
from events.models import Event, LogHead
from events.stream import relay as relay_module
from events.stream.hub import Hub
from events.stream.peers import Peers
from events.stream.relay import Relay
from gateway.filters import EVERYTHING
from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from tests.database_faults import database_away
from tests.events.samples import append_events
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")


append = sync_to_async(append_events)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test waits for a second."""
    monkeypatch.setattr(relay_module, "TIP_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.02)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay(Hub())
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
def deaf(relay: Relay) -> Relay:
    """A relay that receives no commits: it has to find them."""
    appending._listeners.remove(relay.committed)
    return relay


async def reached(relay: Relay, cursor: Cursor) -> None:
    await until(lambda: relay.hub.cursor == cursor)


async def newest() -> Cursor:
    return (await sync_to_async(log.head)()).newest


@sync_to_async
def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


async def page_after(seq: int) -> list[Entry]:
    return (await sync_to_async(log.read_after)(Cursor((await newest()).epoch, seq), EVERYTHING)).entries


async def test_a_relay_begins_at_the_head_of_the_log() -> None:
    await append(3)
    relay = Relay(Hub())
    await relay.start()
    assert relay.hub.cursor == await newest()
    await relay.stop()


async def test_what_this_process_commits_arrives_without_a_look_at_the_log(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither of the two tasks that could find it runs any more.
    for task in relay._tasks:
        task.cancel()
    await append(3)
    await reached(relay, await newest())


async def test_f12_a_commit_that_no_message_brings_is_found(deaf: Relay) -> None:
    await append(700)
    await reached(deaf, await newest())


async def test_a_nudge_is_enough_to_find_it(deaf: Relay) -> None:
    deaf._tasks[1].cancel()
    await append(2)
    deaf.nudge()
    await reached(deaf, await newest())


async def test_a_wake_up_with_a_gap_before_it_makes_the_relay_read_the_gap(deaf: Relay) -> None:
    deaf._tasks[1].cancel()
    await append(5)
    deaf.committed((await newest()).epoch, (await page_after(3)))
    await reached(deaf, await newest())


async def test_late_and_doubled_wake_ups_change_nothing(deaf: Relay) -> None:
    await append(5)
    await reached(deaf, await newest())
    deaf.committed((await newest()).epoch, await page_after(2))
    deaf.committed((await newest()).epoch, await page_after(0))
    await append(1, prefix="n")
    await reached(deaf, await newest())
    assert deaf.hub.seq == 6


async def test_wake_ups_of_another_log_are_not_believed(relay: Relay) -> None:
    before = relay.hub.cursor
    relay._take("another", [Entry(before.seq + 1, "info", "m", "t", "c", b"{}")])
    assert relay.hub.cursor == before


async def test_its_own_echo_from_the_channel_layer_is_ignored(relay: Relay) -> None:
    before = relay.hub.cursor
    peers = Peers(None, relay._received)
    echo = ["info", "m", "t", "c", b"{}", 0.0]
    message = {"from": peers._id, "epoch": before.epoch, "entries": [[before.seq + 1, *echo]]}
    peers.take(message)
    assert relay.hub.cursor == before
    peers.take({**message, "from": "another process"})
    assert relay.hub.seq == before.seq + 1


@pytest.mark.parametrize("message", [{}, {"entries": [[1, 2]]}, {"entries": 3, "epoch": "e"}])
async def test_a_message_of_another_version_makes_the_relay_look(deaf: Relay, message: dict[str, Any]) -> None:
    deaf._tasks[1].cancel()
    await append(1)
    Peers(None, deaf._received).take(message)
    await reached(deaf, await newest())


async def test_messages_that_overtook_each_other_are_joined_up_without_the_log(
    deaf: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf._tasks[1].cancel()
    monkeypatch.setattr(relay_module, "GAP_PATIENCE_SECONDS", 3600.0)
    epoch, seq = deaf.hub.cursor
    later = [Entry(seq + number, "info", "m", "t", "c", b"{}") for number in (1, 2, 3, 4)]
    for entries in (later[3:], later[1:3], later[:1]):
        deaf._take(epoch, entries)
    assert deaf.hub.seq == seq + 4
    assert deaf._early == []


async def test_a_message_without_entries_makes_the_relay_look(deaf: Relay) -> None:
    deaf._tasks[1].cancel()
    await append(2)
    deaf._received(deaf.hub.epoch, None)
    await reached(deaf, await newest())


# A log that is not what it was


async def test_f23_a_log_that_went_back_gets_a_new_epoch(relay: Relay, caplog: pytest.LogCaptureFixture) -> None:
    await append(10)
    await reached(relay, await newest())
    before = relay.hub.cursor

    await sync_to_async(_restore_to)(4)

    await until(lambda: relay.hub.epoch != before.epoch)
    await reached(relay, await newest())
    assert (await append(1, prefix="n")).ids == [("n0", 11)]
    assert "went back" in caplog.text


async def test_f23_events_that_come_at_once_after_the_log_went_back_are_not_taken_for_those_that_were_lost(
    relay: Relay,
) -> None:
    # The log is not compared meanwhile.
    relay._tasks[1].cancel()
    await append(10)
    await reached(relay, await newest())
    before = relay.hub.cursor

    await sync_to_async(_restore_to)(4)
    appended = await append(8, prefix="n")

    assert [seq for _, seq in appended.ids] == list(range(11, 19))
    assert appended.epoch != before.epoch
    await reached(relay, await newest())
    assert relay.hub.cursor == Cursor(appended.epoch, 18)


def _restore_to(seq: int) -> None:
    LogHead.objects.update(last_seq=seq)
    Event.objects.filter(seq__gt=seq).delete()


async def test_a_new_epoch_of_another_process_is_followed(relay: Relay) -> None:
    await append(3)
    await sync_to_async(epochs.start_new_epoch)()
    await reached(relay, await newest())
    await append(1, prefix="n")
    await reached(relay, await newest())


async def test_a_relay_whose_position_was_pruned_goes_on_at_the_head(deaf: Relay) -> None:
    for task in deaf._tasks:
        task.cancel()
    await append(10)
    await sync_to_async(log.prune)(keep_days=1, keep_rows=2)
    await deaf.start()
    await reached(deaf, await newest())


@pytest.mark.parametrize("hole", [[3], [3, 4, 5], [9, 10], [1, 10]])
async def test_rows_that_were_deleted_by_hand_do_not_stop_the_relay(deaf: Relay, hole: list[int]) -> None:
    await append(10)
    await sync_to_async(Event.objects.filter(seq__in=hole).delete)()
    await reached(deaf, await newest())
    await append(1, prefix="n")
    await reached(deaf, await newest())


# Faults


async def test_f08_a_database_that_was_away_is_read_again_when_it_is_back(relay: Relay) -> None:
    with database_away():
        relay.nudge()
        with pytest.raises(LedgerUnavailable):
            await reader.run(log.head)
    await append(3)
    await reached(relay, await newest())
    assert relay.is_running()


async def test_tables_that_a_restore_takes_away_for_a_moment_do_not_end_the_relay(
    deaf: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    await execute("ALTER TABLE events_loghead RENAME TO events_loghead_away")
    deaf.nudge()
    await until(lambda: "the log cannot be read" in caplog.text)
    await execute("ALTER TABLE events_loghead_away RENAME TO events_loghead")

    await append(3)
    await reached(deaf, await newest())
    assert deaf.is_running()


async def test_a_relay_that_cannot_start_says_so_and_can_later() -> None:
    relay = Relay(Hub())
    with database_away(), pytest.raises(LedgerUnavailable):
        await relay.start()
    assert not relay.is_running()
    await relay.start()
    await append(2)
    await reached(relay, await newest())
    await relay.stop()


async def test_starting_is_once_however_many_streams_ask(relay: Relay) -> None:
    before = list(relay._tasks)
    await asyncio.gather(*(relay.start() for _ in range(20)))
    assert relay._tasks == before


async def test_a_relay_whose_task_ended_is_started_again_by_the_next_stream(relay: Relay) -> None:
    relay._tasks[0].cancel()
    await until(lambda: not relay.is_running())
    await relay.start()
    assert relay.is_running()
    await append(2)
    await reached(relay, await newest())


async def test_a_relay_that_was_stopped_leaves_no_task(relay: Relay) -> None:
    tasks: list[asyncio.Task[Any]] = list(relay._tasks)
    await relay.stop()
    assert all(task.done() for task in tasks)
    assert not relay.is_running()


@pytest.fixture(autouse=True)
def _log_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def test_a_relay_that_starts_knows_the_end_of_the_log_for_those_who_come_back(relay: Relay) -> None:
    await relay.stop()
    await append(20)
    again = Relay(Hub())
    await again.start()
    try:
        position = await newest()
        entries, reached = again.hub.recall(position._replace(seq=position.seq - 15), EVERYTHING)
        assert [entry.seq for entry in entries] == list(range(position.seq - 14, position.seq + 1))
        assert reached == position
    finally:
        await again.stop()
