"""More connections and streams than there is room for: told so, at no cost, and all is well when they have left."""

import contextlib

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.server.crowd import Crowd
from tests.server.watching import open_files, serve_with_files, wait_for_metric
from tests.server.wire import STREAM, Answer, Wire, WireStream, request
from tests.stacks import Stack
from tests.waiting import wait_until

# Room for 160 connections, of which streams leave 32 to ordinary requests; 32 more are told that there is no room.
FILES = 256
CONNECTIONS, STREAMS, TOLD = 160, 128, 32


def test_r04_a_stream_that_its_client_closes_is_forgotten_at_once(own_stack: OwnStack) -> None:
    # Heartbeats would notice too; here none comes.
    stack = own_stack(VX11_HEARTBEAT_SECONDS="60")
    principal = stack.client(stack.principal_token)
    with Crowd() as crowd:
        crowd.open(stack.a.url, stack.principal_token, 20)
        assert metric(principal, "vx11_streams_active") == 20
        crowd.close()
        wait_for_metric(principal, "vx11_streams_active", 0, seconds=1)


@pytest.fixture
def small(own_stack: OwnStack) -> Stack:
    """Server `a` may have few files open."""
    stack = own_stack()
    serve_with_files(stack.a, FILES)
    return stack


def crowd_in(stack: Stack, count: int) -> list[Wire]:
    """So many connections, without those that were cut before they were made."""
    wires: list[Wire] = []
    for _ in range(count):
        with contextlib.suppress(ConnectionResetError):
            wires.append(Wire(stack.a.url))
    return wires


def is_ready(stack: Stack) -> bool:
    """Whether it says so; while there are too many connections it may cut ours."""
    try:
        return stack.client(None).get("/ready").status_code == 200
    except httpx2.TransportError:
        return False


def refused_stream(stack: Stack, ticket: str) -> Answer:
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", f"{STREAM}?token={ticket}"))
        return wire.answer()


@pytest.mark.faults
def test_r05_streams_beyond_the_limit_are_told_so_and_burn_no_ticket(small: Stack) -> None:
    principal, service = small.client(small.principal_token), small.client(small.service_token)
    ticket = principal.ticket()
    with Crowd() as crowd:
        readers = crowd.open(small.a.url, small.principal_token, STREAMS)
        refused = refused_stream(small, ticket)
        assert_problem(refused, 503, "at_capacity")
        assert int(refused.headers["retry-after"]) > 0
        # Streams leave room for everything else.
        seq = service.published({"event_type": "test.full", "summary": "no room for more streams"})["seq"]
        assert principal.get(f"{API}/window/status").status_code == 200
        wait_until(lambda: all(reader.seqs == [seq] for reader in readers), "every stream has the event")
        crowd.close()
    wait_for_metric(principal, "vx11_streams_active", 0)
    assert principal.stream_status(token=ticket) == 200


@pytest.mark.faults
def test_r05_connections_beyond_the_limit_are_refused_or_cut_and_health_is_answered(small: Stack) -> None:
    principal = small.client(small.principal_token)
    ticket = principal.ticket()
    wires = [Wire(small.a.url) for _ in range(CONNECTIONS)]
    # Those in the kernel's queue are not accepted yet.
    wait_for_metric(principal, "vx11_connections_open", CONNECTIONS + 1)

    assert small.client(None).get("/health").status_code == 200
    refused = refused_stream(small, ticket)
    assert_problem(refused, 503, "at_capacity")
    assert refused.headers["connection"] == "close"
    assert int(refused.headers["retry-after"]) > 0

    more = crowd_in(small, 2 * TOLD)
    wait_until(lambda: sum(not wire.is_closed() for wire in more) <= TOLD, "those beyond are cut")
    assert open_files(small.a) < FILES
    for wire in [*wires, *more]:
        wire.close()
    wait_until(lambda: principal.stream_status(token=ticket) == 200, "all is well again")
    assert metric(principal, "vx11_connections_refused_total") >= TOLD
    log = small.a.process.log()
    assert "EMFILE" not in log
    assert "Too many open files" not in log


@pytest.mark.faults
def test_r05_a_flood_of_connections_leaves_the_server_working(small: Stack) -> None:
    """Ten times what there is room for, opened and dropped, while one stream is read."""
    service = small.client(small.service_token)
    with WireStream(small.a.url, small.principal_token).caught_up() as stream:
        for _ in range(10):
            for wire in crowd_in(small, FILES):
                wire.close()
        wait_until(lambda: is_ready(small), "the server answers")
        seq = service.published({"event_type": "test.flood", "summary": "after the flood"})["seq"]
        assert [event["seq"] for event in stream.read_events(1)] == [seq]
    wait_until(lambda: open_files(small.a) < FILES // 2, "the files are closed again")


def test_r05_the_limit_on_streams_can_be_set(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_MAX_STREAMS="3")
    principal = stack.client(stack.principal_token)
    ticket = principal.ticket()
    with Crowd() as crowd:
        crowd.open(stack.a.url, stack.principal_token, 3)
        for method in ("HEAD", "GET"):
            with principal.stream(method=method, token=ticket) as fourth:
                fourth.response.read()
                assert fourth.response.status_code == 503
                assert int(fourth.response.headers["retry-after"]) > 0
        assert_problem(refused_stream(stack, ticket), 503, "at_capacity")
        crowd.close()
    wait_for_metric(principal, "vx11_streams_active", 0)
    assert opens(principal, ticket)


def opens(client: Client, ticket: str) -> bool:
    return client.stream_status(token=ticket) == 200
