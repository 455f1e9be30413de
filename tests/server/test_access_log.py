"""The log of streams and requests: one line each, also when the client goes without a word (L05)."""

import re
import secrets

import pytest

from tests.client import API, Client
from tests.conftest import OwnStack
from tests.server.watching import wait_for_line
from tests.server.wire import STREAM, Wire, WireStream, request
from tests.stacks import Stack

pytestmark = pytest.mark.once

CLOSED = re.compile(
    r"stream closed stream=(?P<stream>[0-9a-f-]{36}) principal=(?P<principal>p-[0-9a-f]+) seconds=(?P<seconds>[\d.]+)"
    r" events=(?P<events>\d+) bytes=(?P<bytes>\d+) reason=(?P<reason>\w+)"
)


def access_lines(stack: Stack, mark: str) -> list[str]:
    return [line for line in stack.a.process.log().splitlines() if " vx11.access " in line and mark in line]


def closing_record(stack: Stack, correlation_id: str) -> dict[str, str]:
    line = wait_for_line(stack.a, " vx11.streams ", "stream closed", f"[{correlation_id}]")
    found = CLOSED.search(line)
    assert found, line
    return found.groupdict()


@pytest.fixture
def reader(stack: Stack) -> tuple[str, str]:
    """A principal of one's own: its token and public id."""
    return stack.issue_token("principal", scopes=("events:read", "tickets:issue"))


def test_l05_a_stream_that_its_client_closed_has_one_line_of_each_kind(
    stack: Stack, service: Client, reader: tuple[str, str], marker: str
) -> None:
    token, public_id = reader
    with WireStream(stack.a.url, token, f"correlation_id={marker}").caught_up() as stream:
        correlation_id = stream.opened.headers["X-Correlation-Id"]
        service.published([{"event_type": "a", "summary": "a", "correlation_id": marker}] * 3)
        stream.read_events(3)
    record = closing_record(stack, correlation_id)
    assert (record["principal"], record["events"], record["reason"]) == (public_id, "3", "client_closed")
    assert float(record["seconds"]) < 10
    assert int(record["bytes"]) > 3 * 100
    assert f"stream={record['stream']}" in wait_for_line(stack.a, "stream opened", correlation_id)

    line = wait_for_line(stack.a, " vx11.access ", f"[{correlation_id}]")
    assert line.endswith("(the client hung up)")
    assert f"GET {STREAM}?" in line
    assert f" {record['bytes']} bytes" in line
    assert len(access_lines(stack, correlation_id)) == 1


def test_l05_a_stream_that_the_server_ended_has_one_line_of_each_kind(
    stack: Stack, principal: Client, service: Client, reader: tuple[str, str], marker: str
) -> None:
    cursor = principal.cursor()
    service.published([{"event_type": "a", "summary": "a", "correlation_id": marker}] * 2)
    query = f"follow=false&correlation_id={marker}&last_event_id={cursor}"
    with WireStream(stack.a.url, reader[0], query) as stream:
        correlation_id = stream.opened.headers["X-Correlation-Id"]
        stream.read_to_end()
    record = closing_record(stack, correlation_id)
    assert (record["principal"], record["events"], record["reason"]) == (reader[1], "2", "end_of_log")
    line = wait_for_line(stack.a, " vx11.access ", f"[{correlation_id}]")
    assert line.endswith(f" {record['bytes']} bytes")
    assert len(access_lines(stack, correlation_id)) == 1


def test_l05_streams_that_are_open_when_the_server_is_stopped_have_their_lines(own_stack: OwnStack) -> None:
    stack = own_stack()
    with WireStream(stack.a.url, stack.principal_token).caught_up() as stream:
        correlation_id = stream.opened.headers["X-Correlation-Id"]
        stack.a.stop()
    assert closing_record(stack, correlation_id)["reason"] == "draining"
    assert len(access_lines(stack, correlation_id)) == 1


def test_a_ticket_is_not_in_the_line_of_its_stream(stack: Stack, principal: Client) -> None:
    ticket = principal.ticket()
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", f"{STREAM}?token={ticket}"))
        correlation_id = wire.response().headers["X-Correlation-Id"]
    line = wait_for_line(stack.a, " vx11.access ", f"[{correlation_id}]")
    assert "token=***" in line
    assert ticket not in stack.a.process.log()


def test_a_refused_stream_has_one_line_with_its_status(stack: Stack) -> None:
    mark = secrets.token_hex(8)
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", f"{STREAM}?mark={mark}"))
        assert wire.answer().status == 401
    assert f"{STREAM}?mark={mark} 401 " in wait_for_line(stack.a, " vx11.access ", mark)


def test_requests_on_one_connection_have_one_line_each_in_their_order(stack: Stack) -> None:
    mark = secrets.token_hex(8)
    with Wire(stack.a.url) as wire:
        wire.send(b"".join(request("GET", f"/health?{mark}-{number}") for number in range(5)))
        for _ in range(5):
            wire.answer()
    wait_for_line(stack.a, f"{mark}-4")
    assert [line.split("?")[1].split()[0] for line in access_lines(stack, mark)] == [f"{mark}-{n}" for n in range(5)]


def test_a_client_that_goes_before_its_answer_leaves_the_log_clean(
    stack: Stack, principal: Client, marker: str
) -> None:
    cursor = principal.cursor()
    with Wire(stack.a.url) as wire:
        token = {"X-VX11-Token": stack.principal_token, "X-Correlation-Id": marker}
        wire.send(request("GET", f"{API}/events?since={cursor}&wait=20&correlation_id={marker}", token))
        assert principal.get("/health").status_code == 200
    # The stack's own look at its logs finds a traceback, if there is one.
    assert principal.get("/health").status_code == 200
