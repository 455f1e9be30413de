"""Servers that die between evaluation and delivery: each firing is one event, and its notice arrives."""

from typing import Any

import orjson
import pytest

from tests.client import API, Client
from tests.conftest import OwnStack
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.waiting import wait_until
from tests.watches.delivery.receivers import Received, http_receiver

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

MAKE_TARGET = """
from watches.delivery import secrets
from watches.models import Target
Target.objects.create(name="there", address=secrets.encrypt({address!r}), masked="json://***")
"""
# The lease of a process that was killed runs out, and its claim of a notice.
TAKEN_OVER_SECONDS = 30
CLAIMED_SECONDS = 100
COUNT = """
from watches.models import Firing, Notice
from events.models import Event
print(Firing.objects.count(), Event.objects.filter(event_type="watch.fired").count())
"""


def make_watch(stack: Stack, address: str) -> Client:
    stack.a.python(MAKE_TARGET.format(address=address))
    client = stack.client(stack.principal_token)
    definition = {
        "name": "each",
        "query": "type:test.happened",
        "condition": {"kind": "every"},
        "group_by": "payload.n",
        "notify": ["there"],
    }
    assert client.post(f"{API}/watches", json=definition).status_code == 201
    return client


def happen(stack: Stack, server: RunningServer, number: int) -> None:
    event = {"event_type": "test.happened", "summary": f"event {number}", "payload": {"n": f"n{number}"}}
    stack.client(stack.service_token, server=server).published(event)


def counted(server: RunningServer) -> tuple[int, ...]:
    return tuple(map(int, server.python(COUNT).split()))


def groups_in(received: Received) -> set[str]:
    """Of all notices: Apprise's JSON has the groups in its text."""
    lines = [line for _, _, body in received.requests for line in orjson.loads(body)["message"].splitlines()]
    return {line.split(":")[0].removeprefix("- ") for line in lines if line.startswith("- ")}


def test_a_server_that_is_killed_again_and_again_fires_each_time_once_and_all_notices_arrive(
    own_stack: OwnStack,
) -> None:
    stack = own_stack(VX11_DELIVERY_NETWORKS="127.0.0.0/8")
    with http_receiver() as (server, received):
        make_watch(stack, f"json://127.0.0.1:{server.port}/")
        for number in range(4):
            # The receiver hangs while this is sent, so that a notice is claimed when the server dies.
            server.free.clear()
            happen(stack, stack.a, number)
            seen = len(received.requests)
            wait_until(lambda n=number: counted(stack.a)[0] > n, "it fires", timeout_seconds=TAKEN_OVER_SECONDS)  # type: ignore[misc]
            if number == 0:
                wait_until(lambda seen=seen: len(received.requests) > seen, "it is being sent", timeout_seconds=20)  # type: ignore[misc]
            stack.a.kill()
            server.free.set()
            stack.a.start()
        wait_until(
            lambda: groups_in(received) >= {f"n{number}" for number in range(4)},
            "all notices arrive",
            timeout_seconds=CLAIMED_SECONDS,
        )
    assert counted(stack.a) == (4, 4)


def test_when_the_process_that_evaluates_dies_another_goes_on(scaled_only: None, own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DELIVERY_NETWORKS="127.0.0.0/8")
    with http_receiver() as (server, received):
        make_watch(stack, f"json://127.0.0.1:{server.port}/")
        for number in range(3):
            dying, living = (stack.a, stack.b) if number % 2 == 0 else (stack.b, stack.a)
            happen(stack, dying, 2 * number)
            dying.kill()
            happen(stack, living, 2 * number + 1)
            wait_until(
                lambda n=number, living=living: counted(living)[0] == 2 * n + 2,  # type: ignore[misc]
                "both fire",
                timeout_seconds=TAKEN_OVER_SECONDS,
            )
            dying.start()
        wait_until(
            lambda: groups_in(received) == {f"n{number}" for number in range(6)},
            "all notices arrive",
            timeout_seconds=CLAIMED_SECONDS,
        )
    assert counted(stack.a) == (6, 6)


def test_a_receiver_that_is_away_for_a_while_gets_one_notice_for_what_fired_meanwhile(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_DELIVERY_NETWORKS="127.0.0.0/8")
    with http_receiver() as (server, received):
        received.answers = [503, 200]
        make_watch(stack, f"json://127.0.0.1:{server.port}/")
        happen(stack, stack.a, 0)
        wait_until(lambda: len(received.requests) == 1, "the first attempt", timeout_seconds=20)
        for number in range(1, 4):
            happen(stack, stack.a, number)
        wait_until(lambda: len(received.requests) == 3, "two more", timeout_seconds=40)
    titles: list[Any] = [orjson.loads(body)["title"] for _, _, body in received.requests]
    assert titles == ["each: fired", "each: fired", "each: fired 3 times"]
    assert len({headers["x-vx11-notice"] for _, headers, _ in received.requests}) == 2
