"""How a relay reads what is missing: once for all streams, again after an error, and with figures of all that."""

import asyncio
from typing import Any

import pytest

from events import log
from events.log import Cursor, Page
from events.stream import relay as relay_module
from events.stream.relay import Relay
from ledger.faults import LedgerUnavailable
from tests.events.stream import deaf_relay
from tests.events.stream.deaf_relay import append, entry, newest
from tests.events.waiting import until
from tests.metrics import counting

pytestmark = pytest.mark.usefixtures("ledger")

# Fixtures of this module too.
relay, reads = deaf_relay.relay, deaf_relay.reads


@pytest.mark.parametrize("error", [LedgerUnavailable("away"), ValueError("wrong")])
async def test_a_log_that_could_not_be_read_is_read_again_without_another_message(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await append(3)
    read_after, tries = log.read_after, list[int]()

    def fails_once(*arguments: Any, **options: Any) -> Page:
        tries.append(1)
        if len(tries) == 1:
            raise error
        return read_after(*arguments, **options)

    monkeypatch.setattr(log, "read_after", fails_once)
    relay.nudge()
    position = await newest()
    await until(lambda: relay.hub.cursor == position)
    assert relay.is_running()
    assert len(tries) == 2


async def test_a_log_that_cannot_be_read_is_left_alone_for_a_moment(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 3600.0)
    tries: list[int] = []

    async def fails() -> None:
        tries.append(1)
        raise ValueError("wrong")

    monkeypatch.setattr(relay, "_catch_up", fails)
    relay.nudge()
    await until(lambda: tries)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not relay._must_read
    assert tries == [1]


async def test_many_nudges_are_one_read(relay: Relay, reads: list[Cursor]) -> None:
    start = relay.hub.cursor
    await append(3)
    for _ in range(50):
        relay.nudge()
    position = await newest()
    await until(lambda: relay.hub.cursor == position)
    # A later one makes it read again; nothing else does.
    relay.nudge()
    await until(lambda: len(reads) > 1)
    assert reads == [start, position]


async def test_a_gap_that_was_read_from_the_log_is_counted_and_a_read_that_found_nothing_is_not(
    relay: Relay, reads: list[Cursor]
) -> None:
    healed, by_message = counting("vx11_relay_gaps_healed_total"), counting("vx11_relay_gaps_found_total", by="message")
    relay.nudge()
    await until(lambda: len(reads) == 1)
    await append(3)
    position = await newest()
    relay.nudge()
    await until(lambda: relay.hub.cursor == position)
    await until(lambda: healed() == 1)
    assert by_message() == 0


async def test_a_message_before_its_turn_is_a_gap_only_if_what_is_missing_does_not_come_soon(relay: Relay) -> None:
    healed, by_message = counting("vx11_relay_gaps_healed_total"), counting("vx11_relay_gaps_found_total", by="message")
    epoch, seq = relay.hub.cursor
    await append(4)
    relay._take(epoch, [entry(seq + 2)])
    relay._take(epoch, [entry(seq + 1)])
    assert (relay.hub.seq, relay._early) == (seq + 2, [])
    # The wake-up of the first message finds nothing to do.
    await until(lambda: not relay._behind.is_set())
    relay._take(epoch, [entry(seq + 4)])
    await until(lambda: relay.hub.seq == seq + 4)
    assert (by_message(), healed()) == (1, 1)
    assert relay._early == []


async def test_messages_before_their_turn_are_kept_up_to_a_limit_and_then_the_log_is_read(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "GAP_PATIENCE_SECONDS", 3600.0)
    monkeypatch.setattr(relay_module, "EARLY_LIMIT_ENTRIES", 3)
    epoch, seq = relay.hub.cursor
    relay._take(epoch, [entry(seq + 2), entry(seq + 3)])
    relay._take(epoch, [entry(seq + 5)])
    assert (len(relay._early), relay._must_read) == (2, False)
    relay._take(epoch, [entry(seq + 7)])
    assert (len(relay._early), relay._must_read) == (2, True)
