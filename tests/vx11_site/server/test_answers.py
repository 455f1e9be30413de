"""Answers that an application sends bit by bit, without a writer of its own: no faster than the client takes them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vx11_site.server.connections import GET, SocketConnection, begin, idle_server
from vx11_site.server import daphne as server_module
from vx11_site.server.daphne import Mailbox, OperatorServer
from vx11_site.server.http1 import Request

PART = b"x" * 50_000
# More than both ends of the connection hold.
PARTS = 40


@pytest.fixture
def server() -> OperatorServer:
    return idle_server(connections=10)


@pytest.fixture
def connection(server: OperatorServer) -> Iterator[SocketConnection]:
    connection = SocketConnection(server)
    yield connection
    connection.lose()


async def send_all(server: OperatorServer, request: Request) -> None:
    """What a file's answer is."""
    begin(request, [])
    for _ in range(PARTS):
        await server.handle_reply(request, {"type": "http.response.body", "body": PART, "more_body": True})
    await server.handle_reply(request, {"type": "http.response.body", "body": b""})


async def test_an_application_waits_for_a_client_that_does_not_read(
    server: OperatorServer, connection: SocketConnection
) -> None:
    request = connection.ask()
    sending = asyncio.create_task(send_all(server, request))
    for _ in range(3 * PARTS):
        connection.flush()
        await asyncio.sleep(0)
    assert not sending.done()
    assert request.writer is not None
    assert request.writer.held_bytes < 2 * len(PART)

    got = bytearray()
    while not got.endswith(b"\r\n0\r\n\r\n"):
        got += connection.receive()
        connection.flush()
        await asyncio.sleep(0)
    await sending
    assert got.count(b"x") == PARTS * len(PART)


async def test_an_application_is_not_held_for_ever_by_a_client_that_takes_nothing(
    server: OperatorServer, connection: SocketConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "ANSWER_STALL_SECONDS", 0.001)
    async with asyncio.timeout(10):
        await send_all(server, connection.ask())


async def test_an_application_is_let_go_when_its_client_goes(
    server: OperatorServer, connection: SocketConnection
) -> None:
    sending = asyncio.create_task(send_all(server, connection.ask()))
    for _ in range(3 * PARTS):
        connection.flush()
        await asyncio.sleep(0)
    assert not sending.done()
    connection.lose()
    async with asyncio.timeout(10):
        await sending


async def test_an_answer_in_one_piece_needs_no_writer(server: OperatorServer, connection: SocketConnection) -> None:
    request = connection.ask(GET)
    begin(request, [(b"Content-Length", b"2")])
    await server.handle_reply(request, {"type": "http.response.body", "body": b"ok"})
    assert request.writer is None
    connection.flush()
    assert connection.receive().endswith(b"\r\n\r\nok")


# --- mailboxes ---


async def test_a_mailbox_gives_what_was_put_into_it_in_order() -> None:
    mailbox = Mailbox()
    messages: list[dict[str, Any]] = [{"number": number} for number in range(5)]
    for message in messages:
        mailbox.put_nowait(message)
    assert [await mailbox.get() for _ in messages] == messages


async def test_a_mailbox_wakes_whoever_waits_and_survives_one_who_gave_up() -> None:
    mailbox = Mailbox()
    gave_up = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    gave_up.cancel()
    await asyncio.gather(gave_up, return_exceptions=True)
    waiting = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put_nowait({"type": "http.disconnect"})
    async with asyncio.timeout(1):
        assert await waiting == {"type": "http.disconnect"}
