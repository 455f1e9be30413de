"""Clients that say nothing, or nearly nothing: cut off in time, however they spread it, while others are served."""

import time
from collections.abc import Callable

import pytest

from tests.client import API, Client
from tests.server.watching import wait_for_metric
from tests.server.wire import Wire, request
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(90)]

EACH = 100
CUT_WITHIN_SECONDS = 32
# A byte now and then, so that no silence is ever long.
TRICKLE_SECONDS = 1.0

HALF_HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HALF_BODY = request("POST", f"{API}/events", {"Content-Length": "1000"})
HALF_CHUNK = request("POST", f"{API}/events", {"Transfer-Encoding": "chunked"}, b"3e8\r\n")
REFUSED_BODY = request("POST", f"{API}/events", {"Content-Length": str(10**9)})


class Trickle:
    """Connections that begin with some bytes and go on with one at a time, or none."""

    def __init__(self, stack: Stack, beginning: bytes, more: bytes) -> None:
        self.wires = [Wire(stack.a.url) for _ in range(EACH)]
        self._more = more
        self._next = 0.0
        for wire in self.wires:
            wire.send(beginning)

    def go_on(self) -> list[Wire]:
        """Sends a byte on each if it is time; gives those that are still open."""
        if self._more and time.monotonic() >= self._next:
            self._next = time.monotonic() + TRICKLE_SECONDS
            for wire in self.wires:
                wire.send(self._more)
        for wire in [wire for wire in self.wires if wire.is_closed()]:
            wire.close()
            self.wires.remove(wire)
        return self.wires


def test_r06_hundreds_who_say_nothing_or_trickle_are_cut_off_while_others_are_served(
    stack: Stack, principal: Client, service: Client, new_event: Callable[..., dict[str, object]]
) -> None:
    began = time.monotonic()
    kinds = {
        "silent": Trickle(stack, b"", b""),
        "a head, byte by byte": Trickle(stack, HALF_HEAD, b"x"),
        "a body, byte by byte": Trickle(stack, HALF_BODY, b"x"),
        "a chunk, byte by byte": Trickle(stack, HALF_CHUNK, b"x"),
        "a refused body, byte by byte": Trickle(stack, REFUSED_BODY, b"x"),
        "empty lines": Trickle(stack, b"\r\n", b"\r\n"),
    }
    slowest = 0.0

    def all_are_cut() -> bool:
        nonlocal slowest
        asked_at = time.monotonic()
        assert service.publish(new_event()).status_code == 201
        slowest = max(slowest, time.monotonic() - asked_at)
        return not any([kind.go_on() for kind in kinds.values()])

    wait_until(all_are_cut, "all are cut off", timeout_seconds=CUT_WITHIN_SECONDS, pause_seconds=0.1)
    assert time.monotonic() - began < CUT_WITHIN_SECONDS + TRICKLE_SECONDS
    assert slowest < 1
    wait_for_metric(principal, "vx11_connections_open", 1)
