"""A response that is made bit by bit, on a real socket: straight, held, in order, told when there is room."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.crowd import ChunkedBody
from tests.vx11_site.server.connections import GET, SocketConnection, begin, idle_server
from vx11_site.server.response_writer import ResponseWriter, framed

CHUNKED = [(b"Content-Type", b"text/event-stream")]
END = {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.fixture
def connection() -> Iterator[SocketConnection]:
    connection = SocketConnection(idle_server(connections=10))
    yield connection
    connection.lose()


def opened(connection: SocketConnection) -> ResponseWriter:
    """The writer of a stream whose head and first bytes are with the client."""
    request = connection.ask()
    writer = request.open_writer()
    begin(request, CHUNKED)
    writer.write(b"first")
    connection.flush()
    assert connection.receive().endswith(b"\r\n\r\n5\r\nfirst\r\n")
    return writer


def fill(writer: ResponseWriter, body: bytearray) -> None:
    """Writes until it is told to stop, into `body` too."""
    chooser = random.Random(7)
    while True:
        data = chooser.randbytes(chooser.randint(1, 20_000))
        body += data
        if not writer.write(data):
            return


def empty(writer: ResponseWriter, connection: SocketConnection) -> bytes:
    """The client reads until nothing is held; gives what it read."""
    sent = b""
    while writer.full:
        sent += connection.receive()
        connection.flush()
    return sent


# --- chunks ---


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=10), st.integers(1, 30))
def test_chunks_carry_what_was_written_however_they_are_cut(pieces: list[bytes], step: int) -> None:
    sent = b"".join(framed(piece) for piece in pieces) + b"0\r\n\r\n"
    body = ChunkedBody()
    got = b"".join(body.feed(sent[start : start + step]) for start in range(0, len(sent), step))
    assert (got, body.whole) == (b"".join(pieces), True)


def test_one_chunk_for_many_streams_is_framed_once() -> None:
    data = b"data: {}\n\n"
    assert framed(data) is framed(data)
    assert framed(b"other") == b"5\r\nother\r\n"
    assert framed(data) == b"a\r\ndata: {}\n\n\r\n"


# --- the way to the socket ---


async def test_the_body_never_overtakes_the_head(connection: SocketConnection) -> None:
    request = connection.ask()
    writer = request.open_writer()
    begin(request, CHUNKED)
    assert not writer.write(b"first"), "the head waits in Twisted, so what follows must too"
    writer.write(b"second")
    assert connection.receive() == b""
    connection.flush()
    sent = connection.receive()
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n")


async def test_what_the_socket_takes_is_there_at_once(connection: SocketConnection) -> None:
    writer = opened(connection)
    assert writer.write(b"now")
    assert (connection.receive(), writer.held_bytes) == (b"3\r\nnow\r\n", 0)


async def test_what_the_socket_does_not_take_is_held_and_counted_and_arrives_in_order(
    connection: SocketConnection,
) -> None:
    writer = opened(connection)
    body, reader, got = bytearray(), ChunkedBody(), bytearray()
    for _ in range(5):
        fill(writer, body)
        assert writer.full
        assert writer.held_bytes > 0
        # More is taken all the same, behind what is held.
        body += b"behind"
        assert not writer.write(b"behind")
        got += reader.feed(empty(writer, connection))
        assert writer.held_bytes == 0
    writer.write(b"last")
    got += reader.feed(connection.receive())
    assert bytes(got) == bytes(body) + b"last"
    assert writer.straight_bytes > 0


@pytest.mark.parametrize("seed", range(10))
async def test_nothing_overtakes_however_writing_reading_and_flushing_take_turns(
    connection: SocketConnection, seed: int
) -> None:
    """A socket that has room again, while something is held, is the dangerous moment."""
    chooser = random.Random(seed)
    writer, reader = opened(connection), ChunkedBody()
    body, got = bytearray(), bytearray()
    for number in range(600):
        data = b"<%d>" % number * chooser.choice([1, 10, 2000])
        turns = [lambda: got.extend(reader.feed(connection.receive())), connection.flush, lambda: None, lambda: None]
        chooser.choice(turns)()
        body += data
        writer.write(data)
    for _ in range(1000):
        connection.flush()
        got += reader.feed(connection.receive())
    assert got == body


async def test_a_stream_behind_an_answer_that_is_held_begins_with_its_head(connection: SocketConnection) -> None:
    large = b"x" * 300_000
    first = connection.ask(GET + GET)
    begin(first, [(b"Content-Length", b"%d" % len(large))])
    first.handle_reply({"type": "http.response.body", "body": large})
    second = connection.channel.requests[0]
    assert second is not first
    writer = second.open_writer()
    sent = bytearray()
    while not sent.endswith(large):
        sent += connection.receive()
        connection.flush()
    begin(second, CHUNKED)
    writer.write(b"first")
    connection.flush()
    head, _, body = connection.receive().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"5\r\nfirst\r\n"


async def test_whoever_waits_goes_on_when_all_is_taken_and_not_before(connection: SocketConnection) -> None:
    writer = opened(connection)
    fill(writer, bytearray())
    waiting = [asyncio.create_task(writer.drained()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    empty(writer, connection)
    await asyncio.wait_for(asyncio.gather(*waiting), 1)
    await writer.drained()


async def test_what_a_client_has_taken_can_be_seen_while_it_is_full(connection: SocketConnection) -> None:
    writer = opened(connection)
    fill(writer, bytearray())
    before = writer.taken_bytes
    assert before > 0
    assert writer.taken_bytes == before
    while writer.taken_bytes == before:
        connection.receive()
        connection.flush()
    assert writer.taken_bytes > before


async def test_a_byte_from_the_client_is_no_end_of_its_stream(connection: SocketConnection) -> None:
    writer = opened(connection)
    connection.client.sendall(b"\r\n" + GET)
    connection.transport.doRead()
    assert connection.transport.connected
    assert writer.write(b"still here")
    assert connection.receive() == b"a\r\nstill here\r\n"


@pytest.mark.parametrize("full", [False, True])
async def test_a_lost_connection_lets_go_of_whoever_waits_and_of_what_is_written(
    connection: SocketConnection, *, full: bool
) -> None:
    writer = opened(connection)
    if full:
        fill(writer, bytearray())
    waiting = asyncio.create_task(writer.drained())
    await asyncio.sleep(0)
    connection.lose()
    await asyncio.wait_for(waiting, 1)
    assert writer.held_bytes == 0
    for _ in range(3):
        writer.write(b"to nobody")
    assert writer.held_bytes == 0
    assert writer.taken_bytes == 0


async def test_a_connection_serves_another_answer_after_a_stream_and_a_stream_after_that(
    connection: SocketConnection,
) -> None:
    for _ in range(3):
        request = connection.ask()
        writer = request.open_writer()
        begin(request, CHUNKED)
        writer.write(b"first")
        connection.flush()
        writer.write(b"second")
        request.handle_reply(END)
        connection.flush()
        assert connection.receive().endswith(b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")
        request = connection.ask()
        begin(request, [(b"Content-Length", b"2")])
        request.handle_reply({"type": "http.response.body", "body": b"ok"})
        connection.flush()
        assert connection.receive().endswith(b"\r\n\r\nok")


async def test_the_end_waits_behind_what_is_held(connection: SocketConnection) -> None:
    request = connection.ask()
    writer = request.open_writer()
    begin(request, CHUNKED)
    body, reader = bytearray(), ChunkedBody()
    fill(writer, body)
    fill(writer, body)
    request.handle_reply(END)
    sent = bytearray()
    while not sent.endswith(b"\r\n0\r\n\r\n"):
        sent += connection.receive()
        connection.flush()
    assert reader.feed(bytes(sent).partition(b"\r\n\r\n")[2]) == bytes(body)
    assert reader.whole


async def test_for_http_1_0_nothing_is_framed(connection: SocketConnection) -> None:
    request = connection.ask(GET.replace(b"1.1", b"1.0"))
    writer = request.open_writer()
    begin(request, CHUNKED)
    writer.write(b"first")
    connection.flush()
    writer.write(b"second")
    head, _, body = connection.receive().partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert body == b"firstsecond"


async def test_n13_a_client_that_left_while_it_was_admitted_is_written_to_in_vain_and_is_no_error() -> None:
    connection = SocketConnection(idle_server(connections=10))
    request = connection.ask()
    connection.lose()
    writer = request.open_writer()
    assert writer.write(b"never read") is True
    assert (writer.held_bytes, writer.taken_bytes, writer.full) == (0, 0, False)
    writer.release()
    writer.abandon()
