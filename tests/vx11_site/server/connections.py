"""Connections of the real server without its reactor: what comes and goes, and when, is in a test's hands."""

import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.tcp import Server as ServerTransport
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from vx11_site.server.channel import Channel
from vx11_site.server.daphne import OperatorServer
from vx11_site.server.http1 import Request

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
BUFFER_BYTES = 32 * 1024


async def nobody(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    """An application that never answers."""
    while (await receive())["type"] != "http.disconnect":
        pass


def idle_server(*, connections: int) -> OperatorServer:
    """As run() leaves it, but for the reactor; with room for so many connections."""
    server = OperatorServer(application=nobody, endpoints=["tcp:port=0"])
    server.http_factory, server.connections = None, {}
    server._connection_limit = connections
    return server


class MemoryConnection:
    """Over a transport in memory, with a clock that is turned by hand."""

    def __init__(self, server: OperatorServer) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        self.channel: Channel = server.http_factory.buildProtocol(self.transport.getPeer())
        self.channel.callLater = self.clock.callLater
        self.channel.makeConnection(self.transport)

    def receive(self, data: bytes) -> None:
        self.channel.dataReceived(data)

    def respond(self) -> None:
        """What an application would say."""
        begin(self.channel.requests[0], [(b"Content-Length", b"0")])
        self.channel.requests[0].handle_reply({"type": "http.response.body", "body": b""})

    def answer(self) -> dict[str, Any]:
        """The one error body."""
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        assert b"application/problem+json" in head
        answer: dict[str, Any] = json.loads(body)
        return answer

    @property
    def closing(self) -> bool:
        return bool(self.transport.disconnecting)

    @property
    def cut(self) -> bool:
        return bool(self.transport.disconnected)

    def trickle(self, byte: bytes, seconds: int) -> int:
        """A byte every second, at most so long; gives after how many the server closes."""
        for second in range(seconds):
            if self.closing:
                return second
            self.receive(byte)
            self.clock.advance(1)
        return seconds

    def lose(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))


class SocketConnection:
    """Over a socket, with a reactor that does nothing until it is told to."""

    def __init__(self, server: OperatorServer) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.client = socket.socket()
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            self.client.connect(listener.getsockname())
            self.client.setblocking(False)  # noqa: FBT003 - the only way to say it
            accepted, _ = listener.accept()
        accepted.setblocking(False)  # noqa: FBT003 - as above
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        peer = self.client.getsockname()
        self.channel: Channel = server.http_factory.buildProtocol(IPv4Address("TCP", *peer))
        port = SimpleNamespace(_realPortNumber=0)
        self.transport = ServerTransport(accepted, self.channel, peer, port, 0, MemoryReactorClock())
        self.channel.makeConnection(self.transport)

    def ask(self, request: bytes = GET) -> Request:
        """Sends a request; gives it as the server has it."""
        self.client.sendall(request)
        while not self.channel.requests:
            self.transport.doRead()
        asked: Request = self.channel.requests[0]
        return asked

    def flush(self) -> None:
        """What the reactor does when the socket takes something."""
        if self.transport in self.transport.reactor.getWriters():
            self.transport.doWrite()

    def receive(self) -> bytes:
        """What has come to the client."""
        came = b""
        with contextlib.suppress(BlockingIOError):
            while piece := self.client.recv(65536):
                came += piece
        return came

    def lose(self) -> None:
        """The client is gone, and the reactor has seen it; once is enough."""
        self.client.close()
        self.transport.connectionLost(Failure(ConnectionDone()))


def begin(request: Request, headers: list[tuple[bytes, bytes]]) -> None:
    request.handle_reply({"type": "http.response.start", "status": 200, "headers": headers})
