"""Daphne's and Twisted's HTTP/1.1 with limits: on time, on bodies while they arrive, and on connections.

Requests that are refused here never reach the application, and get the same error body.
"""

import logging
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web.http_headers import Headers

from gateway import correlation
from gateway.http import headers
from gateway.http.errors import ApiError, written
from gateway.http.middleware import headers_for
from vx11_site.server import request_syntax, sockets
from vx11_site.server.body_room import SMALL_BODY_BYTES, Held
from vx11_site.server.channel import Channel, http_date
from vx11_site.server.response_writer import ResponseWriter

logger = logging.getLogger(__name__)

NO_HEADERS = Headers()


_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


class Request(WebRequest):  # type: ignore[misc]  # daphne ships no types
    """One request as Daphne sees it, from its first byte to the application and back."""

    # Slots, because thousands are open at a time, and an instance's dictionary doubles beyond thirty attributes.
    __slots__ = (
        "_correlation_id",
        "_held",
        "_kept_bytes",
        "_limit_bytes",
        "_logged",
        "_refused",
        "content",
        "wants_socket",
        "whole",
        "writer",
    )
    # Attributes of Twisted, which are in the dictionary.
    requestHeaders: Headers  # noqa: N815 - its name
    responseHeaders: Headers  # noqa: N815 - as above

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.writer: ResponseWriter | None = None
        self.content: BytesIO | None = None
        self._limit_bytes = 0
        self._kept_bytes = 0
        # The memory that a larger body has taken of the common limit.
        self._held: Held | None = None
        self._refused = False
        # Whether the request is complete.
        self.whole = False
        self._logged = False
        # Whether it is the handshake of a WebSocket.
        self.wants_socket = False
        self._correlation_id = "-"
        super().__init__(*arguments, **options)

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """The headers are complete and the body begins; `length` None is a chunked one."""
        self._limit_bytes = self.server.body_limit_bytes(self)
        if not request_syntax.is_clear(self.requestHeaders, self.clientproto):
            self._refuse(ApiError("bad_request"))
        elif self.server.full and not self.server.serves_always(self.path.decode("latin-1")):
            self._refuse(ApiError("at_capacity"))
        elif length is not None and length > self._limit_bytes:
            self._refuse(ApiError("payload_too_large"))
        # In memory, where it is bounded; Twisted would open a file for every large or chunked body.
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - as above
        if self._refused:
            # Keep reading: a client that is cut off while it sends never sees the response. The deadline ends it.
            return
        if self._kept_bytes + len(data) > self._limit_bytes:
            self._refuse(ApiError("payload_too_large"))
        elif not self._has_room(self._kept_bytes + len(data)):
            self._refuse(ApiError("at_capacity"))
        else:
            self._kept_bytes += len(data)
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - as above
        """As Twisted's, without parsing query and body into `args`, which are not used."""
        self.whole = True
        if self._refused:
            self.handle_reply({"type": "http.response.body", "body": b""})
            return
        # Daphne would hand the connection over. A server may ignore the wish to change the protocol, as all but one
        # address here do.
        self.wants_socket = self.clientproto == b"HTTP/1.1" and sockets.is_asked_for(self.requestHeaders)
        self.requestHeaders.removeHeader(b"upgrade")
        if self.content is not None:
            self.content.seek(0)
        self.process()

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """As in an ASGI scope."""
        every = self.requestHeaders.getAllRawHeaders()
        return [(name.lower(), value) for name, values in every for value in values]

    def forget_headers(self) -> None:
        """Free the headers of a stream: the application has its own copy, and those of the response are sent."""
        self._correlation_id = self._answered_correlation_id()
        self.requestHeaders = self.responseHeaders = NO_HEADERS

    @property
    def body_bytes(self) -> int:
        """Bytes of the response's body that were sent or are held."""
        straight = 0 if self.writer is None else self.writer.straight_bytes
        return int(self.sentLength) + straight

    def open_writer(self) -> ResponseWriter:
        """The writer for a response that is sent in parts."""
        if self.writer is None:
            self.writer = ResponseWriter(self)
        return self.writer

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:  # noqa: N802 - as above
        """Twisted has no phrase for newer codes like 429."""
        super().setResponseCode(code, message or _PHRASES.get(code))

    def handle_reply(self, message: dict[str, Any]) -> None:
        """As Daphne's, with a writer for a body in parts, and our access log at its end."""
        if self.finished or self.channel is None:
            return
        if message.get("status") == sockets.SWITCHING_PROTOCOLS:
            self._become_socket(message["headers"])
            return
        if message.get("type") == "http.response.start" and self.server.draining:
            # Otherwise the client would keep a connection that closes during its next request.
            self.channel.persistent = False
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        elif message.get("more_body", False):
            self.open_writer()
        super().handle_reply(message)
        if message.get("type") == "http.response.start" and not self.responseHeaders.hasHeader(b"date"):
            self.responseHeaders.setRawHeaders(b"Date", [http_date()])

    def finish(self) -> None:
        if self.writer is not None:
            self.writer.release()
        self._forget_body()
        self._log(whole=True)
        super().finish()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - as above
        self._forget_body()
        if self._response_started:
            self._log(whole=False)
        super().connectionLost(reason)

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Called by Daphne for invalid bytes in the request line or headers, and for errors of the application."""
        if self._response_started:
            # A part of the response was sent: only closing the connection tells the client that it is incomplete.
            if self.channel is not None:
                self.channel.forceAbortClient()
            return
        self._answer(ApiError("bad_request" if status == 400 else "internal_error"), more_body=False)

    def _become_socket(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Answer the handshake; what is written from here on are frames, and what is received is for their reader."""
        self._response_started = True  # type: ignore[misc]  # Daphne's, which is in the dictionary
        self.setResponseCode(sockets.SWITCHING_PROTOCOLS)
        for name, value in fields:
            self.responseHeaders.addRawHeader(name, value)
        lines = [b"HTTP/1.1 101 Switching Protocols", *(b"%b: %b" % field for field in fields)]
        writer = self.open_writer()
        self.startedWriting = 1  # type: ignore[misc]  # Twisted's, as above
        self.channel.become_socket(sockets.SocketReader(self.channel, writer))
        self.forget_headers()
        self.channel.write(b"\r\n".join([*lines, b"", b""]))

    def _refuse(self, refusal: ApiError) -> None:
        """Respond now, and discard the rest of the body."""
        self._refused = True
        self._forget_body()
        self.content = BytesIO()
        self.channel.persistent = False
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        # Otherwise Twisted would ask the client to go on.
        self.requestHeaders.removeHeader(b"expect")
        self._answer(refusal, more_body=True)

    def _answer(self, refusal: ApiError, *, more_body: bool) -> None:
        raw = self.raw_headers()
        correlation_id = headers.correlation_id(raw)
        path = self.path.decode("latin-1")
        method, kind = self.method.decode("latin-1"), headers.content_type(raw)
        sent = written(refusal, correlation_id, method=method, path=path, content_type=kind)
        fields = {
            **headers_for(path, method, raw),
            "Content-Type": sent.content_type,
            "Content-Length": str(len(sent.body)),
            "X-Correlation-Id": correlation_id,
            **refusal.headers,
        }
        encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
        self.handle_reply({"type": "http.response.start", "status": sent.status, "headers": encoded})
        self.handle_reply({"type": "http.response.body", "body": sent.body, "more_body": more_body})

    def _has_room(self, body_bytes: int) -> bool:
        if self._held is None and body_bytes > SMALL_BODY_BYTES:
            self._held = Held(self.server.body_room, partial(self.server.sender_of, self))
        return self._held is None or self._held.grow_to(body_bytes - SMALL_BODY_BYTES)

    def _forget_body(self) -> None:
        if self._held is not None:
            self._held.release()

    def _log(self, *, whole: bool) -> None:
        """One line in the access log, with the correlation id of the response."""
        if self._logged:
            return
        self._logged = True
        reset = correlation.current.set(self._answered_correlation_id())
        try:
            self.server.log_access(self, whole=whole)
        finally:
            correlation.current.reset(reset)

    def _answered_correlation_id(self) -> str:
        values = self.responseHeaders.getRawHeaders(b"x-correlation-id")
        return values[0].decode("latin-1") if values else self._correlation_id


class Factory(HTTPFactory):  # type: ignore[misc]  # as above
    protocol = Channel

    def buildProtocol(self, addr: Any) -> Channel:  # noqa: N802 - Twisted's name
        channel: Channel = super().buildProtocol(addr)
        channel.requestFactory = Request
        return channel

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - as above
        """For TLS: only HTTP/1.1, even if Twisted supports more, because Channel does."""
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """Disables Twisted's access log: its line contains the ticket, and is formatted even without a log file."""
