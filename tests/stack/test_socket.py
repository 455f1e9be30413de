"""The stream over WebSocket: what it brings, how it ends, what is refused, and what a client may send."""

import json
import signal
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from events.stream.socket_frames import CLOSE, PING, PONG, TEXT
from tests.answers import assert_problem
from tests.client import Client, Json
from tests.conftest import OwnStack
from tests.server.wire import Wire, request
from tests.sockets import HANDSHAKE, SOCKET, frames, is_event, masked, opened, received, socket, until
from tests.stacks import Stack

NewEvent = Callable[..., Json]


def test_a_ticket_opens_a_socket_that_brings_what_a_stream_brings(
    principal: Client, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="before"))
    before = principal.polled(correlation_id=marker)["cursor"]
    service.published(new_event(summary="missed, é \U0001f600"))
    with principal.stream(last_event_id=before, correlation_id=marker) as stream:
        connected, missed, caught_up = stream.connected(), stream.event(), stream.named("caught-up")
        with socket(principal, last_event_id=before, correlation_id=marker) as connection:
            first = received(connection)
            assert (first["id"], first["event"], first["data"].keys()) == (before, None, connected.data.keys())
            second, third = received(connection), received(connection)
            assert second == {"id": second["id"], "event": None, "data": missed}
            assert third == {"id": caught_up.cursor, "event": "caught-up", "data": caught_up.data}
            service.published(new_event(summary="live"))
            live = until(connection, is_event)[-1]
            assert live["data"] == stream.event()
            assert live["data"]["summary"] == "live"


def test_a_ticket_opens_one_stream_by_either_transport(principal: Client) -> None:
    ticket = principal.ticket()
    url = principal.url.replace("http", "ws", 1)
    with connect(f"{url}{SOCKET}?token={ticket}", proxy=None) as connection:
        assert received(connection)["data"]["type"] == "connected"
        assert principal.stream_status(token=ticket) == 401
        with Wire(principal.url) as wire:
            wire.send(request("GET", f"{SOCKET}?token={ticket}", HANDSHAKE))
            assert_problem(wire.answer(), 401, "invalid_token")


def test_a_query_filters_and_the_end_of_the_log_closes_with_its_reason(
    principal: Client, service: Client, new_event: NewEvent, marker: str
) -> None:
    start = principal.cursor()
    service.published([new_event(severity="info"), new_event(severity="error")])
    asked = {"last_event_id": start, "q": f"severity>=error correlation:{marker}", "follow": "false"}
    with socket(principal, by_header=True, **asked) as connection:
        messages = until(connection, lambda message: message["event"] == "stream-end")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=20)
    assert [message["data"]["severity"] for message in messages if is_event(message)] == ["error"]
    assert messages[-1]["data"]["reason"] == "end_of_log"
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4007, "end_of_log")


def test_a_cursor_of_another_log_is_a_reset(principal: Client) -> None:
    with socket(principal, last_event_id=f"{'0' * 8}-1") as connection:
        (reset,) = [one for one in (received(connection), received(connection)) if one["event"] == "stream-reset"]
    assert reset["data"].keys() == {"reason", "oldest", "newest"}
    assert reset["id"] == reset["data"]["newest"]


def test_a_heartbeat_is_a_ping_and_a_message_that_moves_the_cursor(principal: Client) -> None:
    with Wire(principal.url) as wire:
        opened(wire, principal)
        opcode, _ = next(frame for frame in frames(wire) if frame[0] == PING)
        assert opcode == PING
        beat = json.loads(next(payload for opcode, payload in frames(wire) if opcode == TEXT))
    assert (beat["event"], beat["id"]) == ("heartbeat", beat["data"]["cursor"])


def test_a_server_that_stops_says_so(own_stack: OwnStack) -> None:
    stack = own_stack()
    principal = stack.client(stack.principal_token)
    with socket(principal) as connection:
        assert received(connection)["data"]["type"] == "connected"
        stack.a.process.send(signal.SIGTERM)
        end = until(connection, lambda message: message["event"] == "stream-end")[-1]
        assert end["data"]["reason"] == "draining"
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "draining")


def test_a_socket_of_a_revoked_token_ends(stack: Stack) -> None:
    token, public_id = stack.issue_token("principal", scopes=("events:read",))
    principal = stack.client(token)
    with socket(principal, by_header=True) as connection:
        assert received(connection)["data"]["type"] == "connected"
        stack.revoke_token(public_id)
        end = until(connection, lambda message: message["event"] == "stream-end")[-1]
    assert end["data"]["reason"] == "revoked"


# --- what is refused, before the handshake ---


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Upgrade": ""}, 400, "bad_request"),
        ({"Connection": "close"}, 400, "bad_request"),
        ({"Upgrade": "h2c"}, 400, "bad_request"),
        ({"Sec-WebSocket-Version": "8"}, 400, "bad_request"),
        ({"Sec-WebSocket-Key": "short"}, 400, "bad_request"),
        ({"Sec-WebSocket-Key": "=" * 24}, 400, "bad_request"),
        ({"Sec-WebSocket-Key": ""}, 400, "bad_request"),
        ({"Origin": "https://elsewhere.example"}, 403, "cross_site"),
        ({"Origin": "null"}, 403, "cross_site"),
        ({"Host": "elsewhere.example"}, 400, "bad_request"),
    ],
    ids=str,
)
def test_a_handshake_that_is_none_is_refused_and_the_ticket_stays(
    principal: Client, headers: dict[str, str], status: int, reason: str
) -> None:
    ticket = principal.ticket()
    with Wire(principal.url) as wire:
        raw = request("GET", f"{SOCKET}?token={ticket}", {**HANDSHAKE, **headers})
        if "Host" in headers:
            raw = raw.replace(b"Host: localhost\r\n", b"")
        wire.send(raw)
        assert_problem(wire.answer(), status, reason)
    assert principal.stream_status(token=ticket) == 200


def test_another_version_is_told_the_right_one(principal: Client) -> None:
    with Wire(principal.url) as wire:
        wire.send(request("GET", SOCKET, {**HANDSHAKE, "Sec-WebSocket-Version": "8"}))
        assert wire.answer().headers["sec-websocket-version"] == "13"


# Without a ticket a token in a header is sent, but for the first.
@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("", 401, "missing_token"),
        (f"token={'f' * 8}-{'f' * 4}-4{'f' * 3}-8{'f' * 3}-{'f' * 12}", 401, "invalid_token"),
        ("token=vx11p_long-lived", 400, "token_in_query"),
        ("last_event_id=nonsense", 400, "bad_cursor"),
        ("q=severity:", 422, "validation_error"),
        ("follow=true&follow=false", 400, "duplicate_parameter"),
    ],
)
def test_refusals_are_those_of_the_stream(stack: Stack, query: str, status: int, reason: str) -> None:
    own = {} if not query or "token" in query else {"X-VX11-Token": stack.principal_token}
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", f"{SOCKET}?{query}", {**HANDSHAKE, **own}))
        assert_problem(wire.answer(), status, reason)


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
def test_other_methods_are_refused(principal: Client, method: str) -> None:
    response = principal.request(method, SOCKET)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, OPTIONS"


def test_http_1_0_has_no_socket(stack: Stack) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", SOCKET, {**HANDSHAKE, "X-VX11-Token": stack.principal_token}, version="1.0"))
        assert_problem(wire.answer(), 400, "bad_request")


# --- what a client may send ---


def test_a_ping_is_answered_with_its_payload_also_in_pieces(principal: Client) -> None:
    with Wire(principal.url) as wire:
        opened(wire, principal)
        for byte in masked(PING, b"are you there"):
            wire.send(bytes((byte,)))
        assert next(payload for opcode, payload in frames(wire) if opcode == PONG) == b"are you there"


def test_a_close_is_answered_and_the_stream_is_over(principal: Client) -> None:
    with Wire(principal.url) as wire:
        opened(wire, principal)
        wire.send(masked(CLOSE, (1000).to_bytes(2)))
        assert [payload for opcode, payload in frames(wire) if opcode == CLOSE] == [(1000).to_bytes(2)]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (masked(TEXT, b"hello"), 1003),
        (masked(0x2, b"\x00"), 1003),
        (masked(0x0), 1003),
        (masked(TEXT, first=0x00), 1003),
        (b"\x89\x00", 1002),
        (masked(PING, first=0x00), 1002),
        (masked(PING, first=0xC0), 1002),
        (masked(0x3), 1002),
        (masked(0xF), 1002),
        (b"\x89\xfe\x00\x7e", 1002),
        (b"\x89\xff" + b"\xff" * 8, 1002),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1002),
        (masked(PING) * 100, 1008),
    ],
    ids=[
        "text",
        "binary",
        "continued",
        "unfinished",
        "not masked",
        "ping in parts",
        "reserved bit",
        "data of the future",
    ]
    + ["control of the future", "long ping", "endless ping", "another request", "pings without end"],
)
def test_what_a_client_may_not_send_ends_its_connection_with_a_code(principal: Client, sent: bytes, code: int) -> None:
    with Wire(principal.url) as wire:
        opened(wire, principal)
        wire.send(sent)
        (payload,) = [payload for opcode, payload in frames(wire) if opcode == CLOSE]
    assert int.from_bytes(payload[:2]) == code


def test_the_next_stream_of_the_same_client_works(principal: Client) -> None:
    for _ in range(3):
        with socket(principal) as connection:
            assert received(connection)["data"]["type"] == "connected"
