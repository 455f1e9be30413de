"""Two servers whose clocks are three minutes apart: nothing that clients are promised hangs on what time it is."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from tests.client import Client, Json
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

SKEWS = ("+90s", "-90s")
TTL_MS = 60_000
EVENTS = 20


def put_clock(server: RunningServer, skew: str) -> None:
    """Start it anew with another time of day; what it measures (time.monotonic) stays right, as on a real machine."""
    start_with(server, {"FAKETIME": skew})


def start_with(server: RunningServer, faked: dict[str, str]) -> None:
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "the package faketime is not installed; `make test` says how to get it"
    server.stop()
    server.environment |= {
        **faked,
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    server.start()


@pytest.fixture
def stack(redis_stack: Stack) -> Stack:
    for server, skew in zip(redis_stack.servers, SKEWS, strict=True):
        put_clock(server, skew)
        # The first of each takes its time on a busy machine.
        service = redis_stack.client(redis_stack.service_token, server=server)
        wait_until(lambda s=service: s.publish(FIRST).status_code == 201, "events are taken")  # type: ignore[misc]
        wait_until(lambda s=server: gives_tickets(redis_stack, s), "tickets are given")  # type: ignore[misc]
    redis_stack.redis.ask("FLUSHALL")
    return redis_stack


FIRST = {"event_type": "test.begun", "summary": "the first"}


def gives_tickets(stack: Stack, server: RunningServer) -> bool:
    return stack.client(stack.principal_token, server=server).issue_ticket().status_code == 200


def left_ms(stack: Stack) -> list[int]:
    """How long each ticket still lives, by the clock of Redis."""
    return [stack.redis.ask("PTTL", key) for key in stack.redis.ask("KEYS", "vx11:sse_token:*")]


def test_f19_tickets_events_and_messages_do_not_mind_clocks_that_are_wrong(
    stack: Stack, new_event: Callable[..., Json]
) -> None:
    readers = [stack.client(stack.principal_token, server=server) for server in stack.servers]
    services = [stack.client(stack.service_token, server=server) for server in stack.servers]
    tickets = [reader.ticket() for reader in readers]
    left = left_ms(stack)
    assert len(left) == len(tickets)
    assert all(TTL_MS - 10_000 < ms <= TTL_MS for ms in left)
    # Each is good at the other.
    with (
        stack.client(None, server=stack.a).stream(token=tickets[1]) as at_a,
        stack.client(None, server=stack.b).stream(token=tickets[0]) as at_b,
    ):
        at_a.connected()
        at_b.connected()
        published = [services[number % 2].published(new_event()) for number in range(EVENTS)]
        seqs = [event["seq"] for event in published]
        assert seqs == list(range(seqs[0], seqs[0] + EVENTS))
        heard = [at_a.events(EVENTS), at_b.events(EVENTS)]
        assert [[event["seq"] for event in events] for events in heard] == [seqs, seqs]
    # The servers' clocks are wrong, and what they stored is dated right.
    for event in heard[0]:
        assert abs(datetime.fromisoformat(event["created_at"]) - datetime.now(UTC)) < timedelta(seconds=60)
    # All of it was heard, and was not looked for in the log: but for a message or two that came after the next event.
    looked_for = [metric(reader, "vx11_relay_gaps_healed_total") for reader in readers]
    assert max(looked_for) < EVENTS / 4, looked_for


def test_f19_tickets_of_a_server_whose_clock_is_wrong_are_revoked_as_others_are(stack: Stack) -> None:
    tickets = [stack.client(stack.principal_token, server=server).ticket() for server in stack.servers]
    said = stack.a.manage("revoke_tickets", "--all", "--yes")
    assert "2 of them were taken out of Redis" in said
    for server in stack.servers:
        client = stack.client(None, server=server)
        for ticket in tickets:
            wait_until(lambda c=client, t=ticket: c.stream_status(method="HEAD", token=t) == 401, "it is refused")  # type: ignore[misc]


def test_f19_the_doctor_names_a_clock_that_is_wrong(stack: Stack) -> None:
    done = stack.b.run_manage("doctor")
    assert done.returncode == 1
    assert re.search(r"FAIL  clock .*ahead of this machine", done.stdout)


TICKETS, EVENTS_ALLOWED, WINDOW_SECONDS = 5, 20, 3


@pytest.mark.parametrize("step", ["-3600", "+3600"])
def test_n05_limits_go_on_as_before_when_the_clock_is_set_while_a_server_serves(
    scaled_only: None, own_stack: OwnStack, tmp_path: Path, new_event: Callable[..., Json], step: str
) -> None:
    # Not on SQLite, whose writer sleeps: the library fails at that. tests/gateway has the same without a server.
    stack = own_stack(
        VX11_TOKEN_RATE=f"{TICKETS}/{WINDOW_SECONDS}s", VX11_PUBLISH_RATE=f"{EVENTS_ALLOWED}/{WINDOW_SECONDS}s"
    )
    time_of_day = tmp_path / "time_of_day"
    time_of_day.write_text("+0")
    start_with(stack.a, {"FAKETIME_TIMESTAMP_FILE": str(time_of_day), "FAKETIME_NO_CACHE": "1"})
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with reader.stream() as stream:
        stream.connected()
        exhaust(reader, service, new_event)
        time_of_day.write_text(step)
        # The window that was open ends in its time, and the next is as long.
        wait_until(lambda: reader.issue_ticket().status_code == 200, "a ticket", timeout_seconds=30)
        wait_until(lambda: service.publish(new_event()).status_code == 201, "an event", timeout_seconds=30)
        exhaust(reader, service, new_event)
        assert stream.event()["seq"] == 1


def exhaust(reader: Client, service: Client, new_event: Callable[..., Json]) -> None:
    """Until both are told to wait, and not for longer than the window is."""
    for refused in (
        wait_until(lambda: limited(reader.issue_ticket()), "no more tickets"),
        wait_until(lambda: limited(service.publish([new_event() for _ in range(5)])), "no more events"),
    ):
        assert 1 <= int(refused.headers["retry-after"]) <= WINDOW_SECONDS


def limited(answer: httpx2.Response) -> httpx2.Response | None:
    return answer if answer.status_code == 429 else None
