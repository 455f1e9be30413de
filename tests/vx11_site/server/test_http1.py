"""One connection without a network: deadlines by a clock that is turned by hand, and what is asked of the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vx11_site.server.connections import MemoryConnection, idle_server
from vx11_site.server import channel
from vx11_site.server.daphne import OperatorServer

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /operator/api/events HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def server() -> OperatorServer:
    return idle_server(connections=2)


@pytest.fixture
def connection(server: OperatorServer) -> Iterator[MemoryConnection]:
    connection = MemoryConnection(server)
    yield connection
    connection.lose()


async def test_silence_from_the_start_is_cut_off_as_a_slow_head_is(connection: MemoryConnection) -> None:
    connection.clock.advance(channel.HEADERS_SECONDS - 1)
    assert not connection.closing
    connection.clock.advance(1)
    assert connection.closing


@pytest.mark.parametrize("beginning", [b"G", b"\r\n", REQUEST, REQUEST + b"X-Slow: "])
async def test_r06_a_byte_now_and_then_does_not_move_the_deadline_of_the_head(
    connection: MemoryConnection, beginning: bytes
) -> None:
    connection.receive(beginning)
    assert connection.trickle(b"x", 60) == channel.HEADERS_SECONDS


@pytest.mark.parametrize("length", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
async def test_r06_a_byte_now_and_then_does_not_move_the_deadline_of_the_body(
    connection: MemoryConnection, length: bytes
) -> None:
    connection.receive(POST + length + b"\r\n\r\n" + b"3e8\r\n")
    assert connection.trickle(b"x", 60) == channel.BODY_SECONDS


async def test_the_head_and_the_body_together_take_half_a_minute_at_most(connection: MemoryConnection) -> None:
    connection.clock.advance(channel.HEADERS_SECONDS - 1)
    connection.receive(POST + b"Content-Length: 1000\r\n\r\n")
    assert channel.HEADERS_SECONDS - 1 + connection.trickle(b"x", 60) <= 30


async def test_a_request_that_came_whole_has_no_deadline(connection: MemoryConnection) -> None:
    connection.receive(REQUEST + b"\r\n")
    connection.clock.advance(100_000)
    assert not connection.closing


async def test_a_client_that_does_not_take_its_end_is_cut_off(connection: MemoryConnection) -> None:
    connection.clock.advance(channel.HEADERS_SECONDS)
    assert not connection.cut
    connection.clock.advance(channel.ABORT_SECONDS)
    assert connection.cut


async def test_between_two_requests_a_connection_may_rest_but_the_next_head_has_its_deadline(
    connection: MemoryConnection,
) -> None:
    connection.receive(POST + b"Content-Length: 3\r\n\r\nabc")
    connection.respond()
    connection.clock.advance(channel.KEEP_ALIVE_SECONDS - 1)
    assert not connection.closing
    connection.receive(b"G")
    assert connection.trickle(b"x", 60) == channel.HEADERS_SECONDS


async def test_a_connection_that_rests_too_long_is_closed(connection: MemoryConnection) -> None:
    connection.receive(REQUEST + b"\r\n")
    connection.respond()
    connection.clock.advance(channel.KEEP_ALIVE_SECONDS)
    assert connection.closing


async def test_connections_beyond_the_limit_are_refused_and_those_beyond_that_are_cut(
    server: OperatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.stream.capacity.OVERFLOW_CONNECTIONS", 1)
    served, refused, cut = (
        [MemoryConnection(server) for _ in range(2)],
        MemoryConnection(server),
        MemoryConnection(server),
    )
    assert cut.cut
    cut.lose()
    refused.receive(POST + b"\r\n")
    assert refused.answer()["reason"] == "at_capacity"
    assert refused.closing
    # Room again for one.
    served[0].lose()
    served[1].receive(REQUEST + b"\r\n")
    assert served[1].transport.value() == b""
    for connection in (served[1], refused):
        connection.lose()
    assert not server._channels


@pytest.mark.parametrize("ending", ["whole", "aborted", "too large"])
async def test_what_a_body_took_of_the_room_for_bodies_is_given_back(server: OperatorServer, ending: str) -> None:
    size = 1024 * 1024
    connection = MemoryConnection(server)
    connection.receive(
        POST + b"Authorization: Basic x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % size + b"x" * size
    )
    assert server.body_room.held_bytes > size / 2
    if ending == "whole":
        connection.receive(b"\r\n0\r\n\r\n")
        connection.respond()
        assert server.body_room.held_bytes == 0
    elif ending == "too large":
        connection.receive(b"\r\n%x\r\n" % (4 * size) + b"x" * 4 * size)
        assert connection.answer()["reason"] == "payload_too_large"
        assert server.body_room.held_bytes == 0
    connection.lose()
    assert server.body_room.held_bytes == 0


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("length", [b"Transfer-Encoding: chunked\r\n\r\n1\r\nx", b"Content-Length: 200000\r\n\r\nx"])
async def test_r05_a_body_takes_no_file_of_its_own(server: OperatorServer, length: bytes) -> None:
    connection = MemoryConnection(server)
    before = open_files()
    connection.receive(POST + b"Authorization: Basic x\r\n" + length)
    assert server.body_room.held_bytes == 0
    assert open_files() == before
    connection.lose()


async def test_a_connection_that_we_close_does_not_wait_for_its_client_without_end(server: OperatorServer) -> None:
    connection = MemoryConnection(server)
    cut: list[bool] = []
    connection.transport.abortConnection = lambda: cut.append(True)
    connection.receive(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    connection.respond()
    assert connection.transport.disconnecting
    # As under TLS, where the other end has to say goodbye too.
    connection.clock.advance(channel.CLOSE_SECONDS - 1)
    assert not cut
    connection.clock.advance(1)
    assert cut
    connection.lose()
