"""A head that two readers could read in two ways is refused, at every address and in however many pieces it comes."""

import pytest

from tests.vx11_site.server.connections import MemoryConnection, idle_server
from vx11_site.server.daphne import OperatorServer

PATHS = [
    *("/health", "/ready", "/metrics", "/operator/api/events", "/operator/api/events/stream", "/operator/login"),
    *("/operator/api/events/sse-token", "/admin/login/", "/static/operator_api/console.js", "/nowhere", "/"),
]
TOKEN = "vx11p_" + "a" * 43
HOST = "Host: localhost\r\n"
LENGTH = "Content-Length: 2\r\n"

CONTROLS = (1, 7, 8, 11, 12, 27, 28, 31, 127)

UNCLEAR = {
    "no host": "",
    "two hosts": HOST + HOST,
    "two hosts that differ": f"{HOST}Host: evil.example\r\n",
    "two hosts in one": "Host: localhost, evil.example\r\n",
    "an empty host": "Host: \r\n",
    "a host with a user": "Host: a@localhost\r\n",
    "a host with a path": "Host: localhost/a\r\n",
    "a host with a space": "Host: local host\r\n",
    "a host beyond ascii": "Host: localhost\xa0\r\n",
    "identity and a length": f"{HOST}{LENGTH}Transfer-Encoding: identity\r\n",
    "a length and identity": f"{HOST}Transfer-Encoding: Identity\r\n{LENGTH}",
    "identity alone": f"{HOST}Transfer-Encoding: identity\r\n",
    "identity and chunked": f"{HOST}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    "te identity and a length": f"{HOST}{LENGTH}TE: identity\r\n",
    "te that names identity": f"{HOST}{LENGTH}TE: trailers, identity;q=0.5\r\n",
    "a length of 5000 digits": f"{HOST}Content-Length: {'9' * 5000}\r\n",
    "a header in two lines": f"{HOST}X-Y: a\r\n b\r\n",
    "a coding in two lines": f"{HOST}Transfer-Encoding:\r\n\tchunked\r\n",
    "a first header that goes on": f" X-Y: a\r\n{HOST}",
    "a token beyond ascii": f"{HOST}X-VX11-Token: \xa0{TOKEN}\r\n",
    "a token with a space beyond ascii": f"{HOST}Authorization: Bearer {TOKEN}\x85\r\n",
    "a token in UTF-8": f"{HOST}Authorization: Bearer \xc3\xa9\r\n",
    **{f"control {code:02x} in a value": f"{HOST}X-Y: a{chr(code)}b\r\n" for code in CONTROLS},
    **{f"control {code:02x} at an end": f"{HOST}X-VX11-Token: {chr(code)}{TOKEN}\r\n" for code in CONTROLS},
    "a control in a cookie": f"{HOST}Cookie: a=\x1fb\r\n",
    "a control in the host": "Host: localhost\x1f\r\n",
}
CLEAR = {
    "usual": HOST,
    "a port": "Host: 127.0.0.1:8000\r\n",
    "a tab and spaces": "Host:\t localhost \r\n",
    "IPv6": "Host: [::1]:8000\r\n",
    "a tab in a value": f"{HOST}X-Y: a\tb\r\n",
    "UTF-8 in a value": f"{HOST}User-Agent: caf\xc3\xa9\r\n",
    "a space around a token": f"{HOST}X-VX11-Token:  {TOKEN} \t\r\n",
    "te trailers": f"{HOST}TE: trailers\r\n",
    "chunked": f"{HOST}Transfer-Encoding: Chunked\r\n",
}


@pytest.fixture
def server() -> OperatorServer:
    return idle_server(connections=100)


def pieces(head: bytes, length: int) -> list[bytes]:
    return [head[start : start + length] for start in range(0, len(head), length)]


def sent(server: OperatorServer, head: str, *, piece_bytes: int) -> MemoryConnection:
    connection = MemoryConnection(server)
    for piece in pieces(head.encode("latin-1"), piece_bytes):
        connection.receive(piece)
    return connection


@pytest.mark.parametrize("name", UNCLEAR)
async def test_an_unclear_head_is_a_bad_request_and_the_end_at_every_address(server: OperatorServer, name: str) -> None:
    for path in PATHS:
        for piece_bytes in (100_000, 1 if path == "/health" else 37):
            head = f"POST {path} HTTP/1.1\r\n{UNCLEAR[name]}\r\n"
            connection = sent(server, head + "{}GET /health HTTP/1.1\r\nHost: x\r\n\r\n", piece_bytes=piece_bytes)
            said = connection.transport.value()
            assert said.startswith(b"HTTP/1.1 400 "), (path, said)
            assert said.count(b"HTTP/1.1 ") == 1, (path, said)
            assert connection.answer()["reason"] == "bad_request"
            assert connection.closing
            connection.lose()
    # No application was told of any of them.
    assert not [one for one in server.connections.values() if "application_instance" in one]


@pytest.mark.parametrize("name", CLEAR)
async def test_a_clear_head_reaches_the_application(server: OperatorServer, name: str) -> None:
    end = "0\r\n\r\n" if "Encoding" in CLEAR[name] else ""
    for piece_bytes in (100_000, 1):
        connection = sent(server, f"POST / HTTP/1.1\r\n{CLEAR[name]}\r\n{end}", piece_bytes=piece_bytes)
        assert connection.transport.value() == b""
        assert [one for one in server.connections.values() if "application_instance" in one]
        connection.lose()
        server.connections.clear()


async def test_http_1_0_needs_no_host_and_knows_no_chunks(server: OperatorServer) -> None:
    connection = sent(server, "GET /health HTTP/1.0\r\n\r\n", piece_bytes=7)
    assert connection.transport.value() == b""
    connection.lose()
    connection = sent(server, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", piece_bytes=7)
    assert connection.answer()["reason"] == "bad_request"
    connection.lose()
