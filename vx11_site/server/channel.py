"""One connection as Twisted speaks HTTP/1.1 on it, with deadlines, and with refusals of what is no clear request."""

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from gateway import tokens
from gateway.http.errors import CONTENT_TYPE, ApiError
from vx11_site.server.response_writer import bound_kernel

# From the first byte, or from the connection if none comes, to the end of the headers; and from there to the end of
# the body. Together half a minute, so that a client that sends a byte now and then holds a connection no longer.
HEADERS_SECONDS = 10
BODY_SECONDS = 20
# Between two requests. Longer than a proxy's minute, so that it is the proxy who hangs up.
KEEP_ALIVE_SECONDS = 75
# A client that must go and does not take what is still written to it is cut off.
ABORT_SECONDS = 2
# And one that may take the last of an answer, that long.
CLOSE_SECONDS = 30
# What changes nothing, as bytes of a request line.
SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})


@implementer(IHalfCloseableProtocol)
class Channel(HTTPChannel):  # type: ignore[misc]  # twisted's types do not cover it
    """One connection. Its timeouts are deadlines: a byte does not move them."""

    abortTimeout = ABORT_SECONDS  # noqa: N815 - Twisted's name
    _idle = False
    _refused = False
    # The client has said that nothing more comes.
    _half_closed = False
    _abortingCall: Any = None  # noqa: N815 - as above

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
        """Called for every byte that comes."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - as above
        if self._refused:
            return
        if self._idle:
            self._idle = False
            self.setTimeout(HEADERS_SECONDS)
        super().dataReceived(data)

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
        # Unless the next one has begun already.
        if self.persistent and not self.requests:
            self._idle = True
            self.setTimeout(KEEP_ALIVE_SECONDS)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - as above
        """What comes behind a head that was refused is not read. A header goes on in no second line any more."""
        if self._refused:
            return
        if self.persistent and line[:1] in (b" ", b"\t"):
            self._respondToBadRequestAndDisconnect()
            return
        super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802 - as above
        """As Twisted's, which fails on a number of thousands of digits, as Python does."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self._respondToBadRequestAndDisconnect()
            return False

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802 - as above
        self._respondToBadRequestAndDisconnect()

    def loseConnection(self) -> Any:  # noqa: N802 - as above
        """As Twisted's, with an end: a client may not answer TLS's goodbye, nor take what is still written to it."""
        if self._abortingCall is None:
            self._abortingCall = self.callLater(CLOSE_SECONDS, self.forceAbortClient)
        return super().loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - as above
        """As Twisted's, which has no body. Once: what is wrong may be found twice."""
        if self._refused:
            return
        self._refused = True
        if self.requests and self.requests[-1].startedWriting:
            # It was refused before, and this is wrong in its body.
            self.loseConnection()
            return
        refusal, correlation_id = ApiError("bad_request"), tokens.new_uuid()
        body = refusal.body(correlation_id)
        lines = (
            b"HTTP/1.1 400 Bad Request",
            b"Content-Type: " + CONTENT_TYPE.encode(),
            b"Content-Length: %d" % len(body),
            b"X-Correlation-Id: " + correlation_id.encode(),
            b"Connection: close",
        )
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.loseConnection()
