"""One connection: Twisted's HTTP/1.1 with deadlines, and with a refusal of ambiguous requests."""

from typing import Any
from wsgiref.handlers import format_date_time

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from gateway import tokens
from gateway.http.errors import CONTENT_TYPE, ApiError
from ledger import clock
from vx11_site.server.response_writer import bound_kernel
from vx11_site.server.sockets import SocketReader

# From the first byte (or the connection, if none comes) to the end of the headers, and from there to the end of the
# body. Half a minute together, so that a client that sends single bytes cannot hold a connection for longer.
HEADERS_SECONDS = 10
BODY_SECONDS = 20
# Between two requests. Longer than a proxy's usual minute, so that the proxy closes the connection first.
KEEP_ALIVE_SECONDS = 75
# After this, a refused client that does not take the rest of its response is cut off.
ABORT_SECONDS = 2
# And after this, a client that does not take the rest of an ordinary response.
CLOSE_SECONDS = 30
# Methods that change nothing, as bytes of a request line.
SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})


def http_date() -> bytes:
    """The Date of a response. By the database's clock, like the times of events, so that pages can compare them."""
    return format_date_time(clock.now().timestamp()).encode()


@implementer(IHalfCloseableProtocol)
class Channel(HTTPChannel):  # type: ignore[misc]  # twisted's types do not cover it
    """One connection. Its timeouts are deadlines: a byte does not move them."""

    abortTimeout = ABORT_SECONDS  # noqa: N815 - Twisted's name
    _idle = False
    _refused = False
    # The client has closed its half of the connection.
    _half_closed = False
    _abortingCall: Any = None  # noqa: N815 - as above
    # Once it has become a WebSocket: what receives all further bytes.
    _socket: SocketReader | None = None
    _dataBuffer: list[bytes]  # noqa: N815 - as above

    def connectionMade(self) -> None:  # noqa: N802 - as above
        super().connectionMade()
        self.setTimeout(HEADERS_SECONDS)
        bound_kernel(self.transport)
        if not self.factory.server.connection_made(self):
            self.transport.abortConnection()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - as above
        self.factory.server.connection_lost(self)
        super().connectionLost(reason)

    def readConnectionLost(self) -> None:  # noqa: N802 - as above
        """The client sends no more, or is gone: both look the same here.

        A client that closed only its half wants to know what became of a request that changes something: such a request
        is answered, and so are the requests that came before and behind it. A read alone, or a stream, ends.
        """
        if self._half_closed:
            # Called again: each answer makes the transport read again. Answers may still be on their way out.
            return
        if self._is_answering and self._is_awaited:
            self._half_closed = True
        else:
            self.transport.connectionLost(Failure(CONNECTION_DONE))

    @property
    def _is_awaited(self) -> bool:
        """Whether a client that closed its half may wait for answers: it has asked for more than one read."""
        request = self.requests[0]
        return request.method not in SAFE_METHODS or (bool(self._dataBuffer) and request.writer is None)

    @property
    def _is_answering(self) -> bool:
        return bool(self.requests) and self.requests[0].whole

    def writeConnectionLost(self) -> None:  # noqa: N802 - as above
        """Nothing here closes its own half alone."""

    def resetTimeout(self) -> None:  # noqa: N802 - as above
        """Does nothing: Twisted calls this for every received byte, and these timeouts are deadlines."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - as above
        if self._refused:
            return
        if self._socket is not None:
            self._socket.receive(data)
            return
        if self._idle:
            self._idle = False
            self.setTimeout(HEADERS_SECONDS)
        super().dataReceived(data)

    def become_socket(self, reader: SocketReader) -> None:
        """No request follows on this connection. What was received behind the handshake is for the reader, too."""
        self.persistent = False
        self._socket = reader
        early = b"".join(self._dataBuffer)
        self._dataBuffer.clear()
        if early:
            reader.receive(early)

    def allHeadersReceived(self) -> None:  # noqa: N802 - as above
        self.setTimeout(BODY_SECONDS)
        request = self.requests[-1]
        request.method, request.uri, request.clientproto = self._command, self._path, self._version
        request.path = self._path.split(b"?", 1)[0]
        super().allHeadersReceived()

    def requestDone(self, request: Any) -> None:  # noqa: N802 - as above
        super().requestDone(request)
        if self._half_closed and not self._is_answering:
            self.loseConnection()
            return
        # Idle, unless the next request has begun already.
        if self.persistent and not self.requests:
            self._idle = True
            self.setTimeout(KEEP_ALIVE_SECONDS)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - as above
        """Ignores input after a refused head, and refuses a header that continues on a second line."""
        if self._refused:
            return
        if self.persistent and line[:1] in (b" ", b"\t"):
            self._respondToBadRequestAndDisconnect()
            return
        super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802 - as above
        """As Twisted's, but with a refusal where it raises ValueError: for a number of thousands of digits."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self._respondToBadRequestAndDisconnect()
            return False

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802 - as above
        self._respondToBadRequestAndDisconnect()

    def loseConnection(self) -> Any:  # noqa: N802 - as above
        """As Twisted's, with a time limit: a client may not answer TLS's close_notify, nor read the rest."""
        if self._abortingCall is None:
            self._abortingCall = self.callLater(CLOSE_SECONDS, self.forceAbortClient)
        return super().loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - as above
        """As Twisted's, but with the error body. Only once, because an error may be detected twice."""
        if self._refused:
            return
        self._refused = True
        if self.requests and self.requests[-1].startedWriting:
            # Its head was refused before, and this error is in its body.
            self.loseConnection()
            return
        refusal, correlation_id = ApiError("bad_request"), tokens.new_uuid()
        body = refusal.body(correlation_id)
        lines = (
            b"HTTP/1.1 400 Bad Request",
            b"Date: " + http_date(),
            b"Content-Type: " + CONTENT_TYPE.encode(),
            b"Content-Length: %d" % len(body),
            b"X-Correlation-Id: " + correlation_id.encode(),
            b"Connection: close",
        )
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.loseConnection()
