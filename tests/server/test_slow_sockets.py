"""Sockets whose clients read slowly or not at all: as streams."""

import json
import time

import pytest

from tests.client import Client
from tests.metrics import metric
from tests.server.big_events import MUCH_EVENTS, RECEIVE_BUFFER_BYTES, big_event, publish
from tests.server.watching import SLOW_CLOSED
from tests.server.wire import Wire
from tests.sockets import opened, texts
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

PAUSE_SECONDS = 3
CLOSED_WITHIN_SECONDS = 30


def test_a_socket_that_stops_for_three_seconds_and_goes_on_misses_nothing(
    stack: Stack, principal: Client, service: Client, marker: str
) -> None:
    with Wire(stack.a.url, receive_buffer_bytes=RECEIVE_BUFFER_BYTES) as wire:
        opened(wire, principal, f"correlation_id={marker}")
        messages = (json.loads(text) for text in texts(wire))
        assert next(messages)["data"]["type"] == "connected"
        continues_at = time.monotonic() + PAUSE_SECONDS
        seqs = publish(service, big_event(marker), MUCH_EVENTS)
        wait_until(lambda: time.monotonic() >= continues_at, "the pause is over")
        got: list[int] = []
        while len(got) < len(seqs):
            message = next(messages)
            if message["event"] is None:
                got.append(message["data"]["seq"])
        assert got == seqs


def test_a_socket_that_is_not_read_is_closed(stack: Stack, principal: Client, service: Client, marker: str) -> None:
    before = metric(principal, SLOW_CLOSED)
    with Wire(stack.a.url, receive_buffer_bytes=RECEIVE_BUFFER_BYTES) as wire:
        opened(wire, principal, f"correlation_id={marker}")
        publish(service, big_event(marker), MUCH_EVENTS)
        wait_until(
            lambda: metric(principal, SLOW_CLOSED) > before,
            "the reader that takes nothing is ended",
            timeout_seconds=CLOSED_WITHIN_SECONDS,
        )
        # What was on its way, and then the end of the connection.
        assert list(texts(wire))
