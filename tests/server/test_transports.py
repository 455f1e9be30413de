"""The same server by Daphne's command line: TLS and Unix sockets, where nothing may go past what encrypts."""

import socket
import ssl
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.certificates import make_self_signed
from tests.conftest import OwnStack
from tests.processes import free_port
from tests.server.big_events import BATCH_EVENTS, RECEIVE_BUFFER_BYTES, big_event, publish
from tests.server.watching import serve_with
from tests.server.wire import STREAM, WireStream, request
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.once

EVENTS = 6 * BATCH_EVENTS
PIECE_BYTES = 4096
SLOW_BYTES_PER_SECOND = 20 * 1024
# More than a reader who takes nothing is waited for.
SLOW_SECONDS = 14


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate that signs itself, for localhost, in one file."""
    make_self_signed(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text("".join((tmp_path / name).read_text() for name in ("key.pem", "certificate.pem")))
    return both


class Transports:
    """A stack whose server `a` also listens with TLS and on a Unix socket."""

    def __init__(self, stack: Stack, certificate: Path, folder: Path) -> None:
        self.stack = stack
        self.certificate = certificate
        self.tls_port = free_port()
        # Its path may be 108 bytes long.
        self.path = folder / "s"
        tls = f"ssl:{self.tls_port}:privateKey={certificate}:certKey={certificate}:interface=127.0.0.1"
        listen = ["--port", str(stack.a.port), "--endpoint", tls, "--unix-socket", str(self.path)]
        serve_with(stack.a, [sys.executable, "-m", "vx11_site", "--bind", "127.0.0.1", *listen])

    def http(self, kind: str) -> httpx2.Client:
        if kind == "unix":
            return httpx2.Client(transport=httpx2.HTTPTransport(uds=str(self.path)), base_url="http://localhost")
        context = ssl.create_default_context(cafile=str(self.certificate))
        return httpx2.Client(verify=context, base_url=f"https://localhost:{self.tls_port}", trust_env=False)


@pytest.fixture
def transports(own_stack: OwnStack, certificate: Path, tmp_path: Path) -> Transports:
    return Transports(own_stack(), certificate, tmp_path)


def test_streams_of_big_events_arrive_whole_over_tls_and_unix_sockets_and_plain(transports: Transports) -> None:
    stack = transports.stack
    service, headers = stack.client(stack.service_token), {"X-VX11-Token": stack.principal_token}
    with (
        WireStream(stack.a.url, stack.principal_token).caught_up() as plain,
        transports.http("tls") as tls,
        tls.stream("GET", STREAM, headers=headers, timeout=10) as by_tls,
        transports.http("unix") as unix,
        unix.stream("GET", STREAM, headers=headers, timeout=10) as by_unix,
    ):
        lines = {"tls": by_tls.iter_lines(), "unix": by_unix.iter_lines()}
        for stream in lines.values():
            assert any(line == "event: caught-up" for line in stream)
        # While nobody reads, much of it is held.
        seqs = publish(service, big_event("all"), EVENTS)
        for kind, stream in lines.items():
            got: list[int] = []
            for line in stream:
                if line.startswith('data: {"type":"event"'):
                    got.append(httpx2.Response(200, text=line.removeprefix("data: ")).json()["seq"])
                if len(got) == EVENTS:
                    break
            assert got == seqs, kind
        assert [event["seq"] for event in plain.read_events(EVENTS)] == seqs


@pytest.mark.faults
def test_over_tls_a_reader_that_is_slow_but_reads_is_not_closed(transports: Transports) -> None:
    stack = transports.stack
    context = ssl.create_default_context(cafile=str(transports.certificate))
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        plain.connect(("127.0.0.1", transports.tls_port))
        with context.wrap_socket(plain, server_hostname="localhost") as slow:
            slow.sendall(request("GET", STREAM, {"X-VX11-Token": stack.principal_token}))
            while b"caught-up" not in slow.recv(PIECE_BYTES):
                pass
            publish(stack.client(stack.service_token), big_event("all"), EVENTS)
            began = due = time.monotonic()
            while time.monotonic() < began + SLOW_SECONDS:
                assert slow.recv(PIECE_BYTES), "closed, though it read"
                due += PIECE_BYTES / SLOW_BYTES_PER_SECOND
                wait_until(lambda: time.monotonic() >= due, "it is time to read more")  # noqa: B023 - called at once
    assert "slow_consumer" not in stack.a.process.log()


def test_over_tls_nothing_goes_past_the_encryption(transports: Transports) -> None:
    """What the socket carries after the handshake is TLS records, and nothing that can be read."""
    stack = transports.stack
    context = ssl.create_default_context(cafile=str(transports.certificate))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    carried = b""
    with socket.create_connection(("127.0.0.1", transports.tls_port), timeout=10) as connection:

        def step() -> None:
            nonlocal carried
            if outgoing.pending:
                connection.sendall(outgoing.read())
            piece = connection.recv(65536)
            assert piece, "the server has closed"
            carried += piece
            incoming.write(piece)

        done = False
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                step()
        tls.write(f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\nX-VX11-Token: {stack.principal_token}\r\n\r\n".encode())
        read = b""
        while b"event: heartbeat" not in read:
            try:
                read += tls.read(65536)
            except ssl.SSLWantReadError:
                step()
    assert b"event: caught-up" in read
    for clear in (b"caught-up", b"heartbeat", b"data: "):
        assert clear not in carried
