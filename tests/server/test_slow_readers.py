"""Readers that are slow, or stop for a while: nothing is lost, nothing is out of order, and they are not closed."""

import time

import pytest

from tests.client import Client
from tests.server.big_events import MUCH_EVENTS, big_event, publish, reader, seqs_of, small_event
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

# A reader that takes nothing for so long is closed.
STALL_LIMIT_SECONDS = 8
# Some four megabytes in eleven seconds.
SLOW_EVENTS = 70
SLOW_PIECE_BYTES = 8 * 1024
SLOW_BYTES_PER_SECOND = 380 * 1024


def test_r01_a_reader_that_stops_for_three_seconds_and_goes_on_misses_nothing(
    stack: Stack, service: Client, marker: str
) -> None:
    with reader(stack, marker).caught_up() as stopped:
        stopped_at = time.monotonic()
        seqs = publish(service, big_event(marker), MUCH_EVENTS)
        while time.monotonic() < stopped_at + 3:
            seqs += publish(service, small_event(marker), 1)
        assert [event["seq"] for event in stopped.read_events(len(seqs))] == seqs
        # And it is live again.
        seqs = publish(service, small_event(marker), 3)
        assert [event["seq"] for event in stopped.read_events(3)] == seqs


def test_r01_a_reader_that_stops_while_it_is_given_history_and_goes_on_misses_nothing(
    stack: Stack, principal: Client, service: Client, marker: str
) -> None:
    cursor = principal.cursor()
    seqs = publish(service, big_event(marker), MUCH_EVENTS)
    with reader(stack, marker, f"last_event_id={cursor}") as stopped:
        stopped_at = time.monotonic()
        while time.monotonic() < stopped_at + 3:
            seqs += publish(service, small_event(marker), 1)
        assert [event["seq"] for event in stopped.read_events(len(seqs))] == seqs


def test_r01_a_reader_that_is_slow_but_reads_is_not_closed_and_gets_everything_in_order(
    stack: Stack, service: Client, marker: str
) -> None:
    with reader(stack, marker).caught_up() as slow:
        seqs, got = publish(service, big_event(marker), SLOW_EVENTS), list[int]()
        began = due = time.monotonic()
        while len(got) < len(seqs):
            frames = slow.frames(SLOW_PIECE_BYTES)
            assert frames is not None, "closed, though it read"
            got += seqs_of(frames)
            due += SLOW_PIECE_BYTES / SLOW_BYTES_PER_SECOND
            wait_until(lambda: time.monotonic() >= due, "it is time to read more")  # noqa: B023 - called at once
        assert got == seqs
        assert time.monotonic() - began > STALL_LIMIT_SECONDS
