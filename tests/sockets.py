"""The stream over WebSocket: by a client library that is not ours, and frame by frame."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

from events.stream.socket_frames import TEXT, accept_key
from tests.client import API, Client, Json
from tests.server.wire import Wire, request

SOCKET = f"{API}/events/socket"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


@contextmanager
def socket(client: Client, *, by_header: bool = False, **params: str) -> Iterator[ClientConnection]:
    """Opened with a ticket, as browsers do, or with the token itself in a header."""
    url = client.url.replace("http", "ws", 1) + SOCKET
    given = params if by_header else {"token": client.ticket(), **params}
    headers = {"X-VX11-Token": client.token or ""} if by_header else {}
    with connect(f"{url}?{urlencode(given)}", additional_headers=headers, proxy=None) as connection:
        yield connection


def received(connection: ClientConnection) -> Json:
    message: Json = json.loads(connection.recv(timeout=20))
    assert message.keys() == {"id", "event", "data"}
    return message


def until(connection: ClientConnection, condition: Callable[[Json], bool]) -> list[Json]:
    found = [received(connection)]
    while not condition(found[-1]):
        found.append(received(connection))
    return found


def is_event(message: Json) -> bool:
    return message["event"] is None and message["data"]["type"] == "event"


def opened(wire: Wire, principal: Client, query: str = "") -> None:
    wire.send(request("GET", f"{SOCKET}?{query}", {**HANDSHAKE, "X-VX11-Token": principal.token or ""}))
    response = wire.response()
    assert response.status == 101
    assert response.getheader("Sec-WebSocket-Accept") == accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def exactly(wire: Wire, count: int) -> bytes:
    data = wire.take(count)
    if len(data) < count:
        raise EOFError
    return data


def frames(wire: Wire) -> Iterator[tuple[int, bytes]]:
    """Until the server closes."""
    while True:
        try:
            first, size = exactly(wire, 2)
            if size >= 126:
                size = int.from_bytes(exactly(wire, 2 if size == 126 else 8))
            yield first & 0x0F, exactly(wire, size)
        except EOFError:
            return


def texts(wire: Wire) -> Iterator[bytes]:
    return (payload for opcode, payload in frames(wire) if opcode == TEXT)


def masked(opcode: int, payload: bytes = b"", *, first: int = 0x80) -> bytes:
    mask = os.urandom(4)
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes((first | opcode, 0x80 | len(payload))) + mask + body
