"""The stream's HTTP side: an ASGI consumer that admits, answers, and lends its `send` to a Stream."""

import functools
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from channels.consumer import AsyncConsumer
from django.conf import settings

from events import metrics
from events.stream import sse
from events.stream.admission import Admitted, authorise, use_up
from events.stream.connections import the_connections
from events.stream.live_queries import live_queries
from events.stream.relay import the_relay
from events.stream.socket_request import accepted, read_socket_request
from events.stream.socket_transport import SocketTransport
from events.stream.stream import Stream, StreamOpening
from events.stream.stream_request import ALLOW, StreamRequest, read_request
from events.stream.transport import Send, Transport, open_transport
from gateway import correlation
from gateway.http import headers
from gateway.http.asgi import Receive, while_there
from gateway.http.authentication import Caller, note_refusal
from gateway.http.errors import TokenInQuery, api_error_for, send_api_error
from gateway.http.middleware import headers_for
from gateway.identity.tickets import Ticket
from ledger.uptime import uptime_seconds

logger = logging.getLogger(__name__)


class EventStreamConsumer(AsyncConsumer):  # type: ignore[misc]  # channels ships no types
    """GET, HEAD and OPTIONS of events/stream."""

    # No channel of its own: one relay per process receives for all streams.
    channel_layer_alias = ""
    allowed_methods: ClassVar[str] = ALLOW

    scope: dict[str, Any]
    caller: Caller
    # As soon as it is known who asks.
    _principal_id = ""
    _asked_at = 0.0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """As the base class does, with less for each stream: no channel to listen to, no thread for old connections.

        The answer is a task of its own, so that a disconnect is noticed while the stream runs.
        """
        self.scope, self.base_send, self._asked_at = scope, send, uptime_seconds()
        while (message := await receive()).get("more_body", False):
            pass
        if message["type"] == "http.disconnect":
            return
        await while_there(self._answer(), receive)

    async def _answer(self) -> None:
        raw = self.scope["headers"]
        correlation_id = headers.correlation_id(raw)
        correlation.current.set(correlation_id)
        peer = (self.scope.get("client") or ("",))[0]
        self.caller = Caller(headers.client_address(peer, raw, settings.TRUSTED_PROXIES), correlation_id)
        head = self.scope["method"] == "HEAD"
        try:
            if self.scope["method"] == "OPTIONS":
                # For what must not stand in it.
                headers.query_of(self.scope.get("query_string", b""))
                await self._start(204, {"Allow": self.allowed_methods})
                await self._finish()
                return
            stream = await self._open(self._read_request())
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes the one error body
            note_refusal(error, self.caller, principal_id=self._principal_id)
            if isinstance(error, TokenInQuery) and self.scope["method"] == "GET":
                metrics.STREAMS_IN_URL.labels("valid" if error.principal_id else "unknown").inc()
            fields = {"X-Correlation-Id": correlation_id, **self._common_headers()}
            await send_api_error(self.send, api_error_for(error), correlation_id, fields, head=head)
            return
        if stream is None:
            await self._start(200, sse.HEADERS)
        elif not await self._run(stream):
            return
        await self._finish()

    # What differs between the transports

    def _read_request(self) -> StreamRequest:
        """Raises ApiError, BadFilter."""
        return read_request(self.scope)

    def _transport(self) -> Transport:
        return open_transport(self.scope, self.send)

    async def _begin(self) -> None:
        """The head of the answer, behind which the stream follows."""
        await self._start(200, sse.HEADERS)

    # What does not

    async def _open(self, request: StreamRequest) -> Stream | None:
        """An opened stream; None for HEAD, which asks the same and uses nothing up.

        The ticket is used up last: a refusal before that leaves it valid.
        """
        admitted = await authorise(request, self.scope["headers"], self.caller)
        self._principal_id = admitted.principal.public_id
        connections = the_connections()
        with connections.place():
            await the_relay().start()
            async with connections.leases.lease(admitted.principal.public_id):
                if self.scope["method"] == "HEAD":
                    return None
                stream = self._stream_of(request, admitted)
                await stream.prepare(request.cursor)
                live_queries.hold(admitted.selection)
                try:
                    stream.stream_id = await use_up(request, admitted, self.caller)
                except BaseException:
                    live_queries.release(admitted.selection)
                    raise
                (metrics.STREAMS_BY_TICKET if admitted.ticket else metrics.STREAMS_BY_TOKEN).inc()
                connections.open(stream)
                return stream

    def _stream_of(self, request: StreamRequest, admitted: Admitted) -> Stream:
        opening = StreamOpening(
            principal=admitted.principal,
            ticket_id=admitted.ticket.public_id if admitted.ticket else "",
            selection=admitted.selection,
            caller=self.caller,
            follow=request.follow,
            on_first_byte=functools.partial(self._note_first_byte, admitted.ticket),
        )
        return Stream(opening, the_relay(), self._transport())

    def _note_first_byte(self, ticket: Ticket | None) -> None:
        """How long the reader waited for it, since it asked, and since its ticket was issued."""
        now = uptime_seconds()
        metrics.STREAM_OPEN_SECONDS.observe(now - self._asked_at)
        if ticket is not None and ticket.issued_at is not None:
            metrics.TICKET_TO_FIRST_BYTE_SECONDS.observe(now - ticket.issued_at)

    async def _run(self, stream: Stream) -> bool:
        """Whether the answer can be ended in order."""
        try:
            await self._begin()
            return await stream.run()
        except Exception:
            # The answer has begun, so all that is left is to end it properly; the client comes back.
            logger.exception("stream %s broke", stream.stream_id)
            stream.end("error")
            return True
        finally:
            the_connections().close(stream)
            live_queries.release(stream.opening.selection)

    async def _start(self, status: int, fields: Mapping[str, str]) -> None:
        fields = {**self._common_headers(), "X-Correlation-Id": self.caller.correlation_id, **fields}
        encoded = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})

    def _common_headers(self) -> dict[str, str]:
        return headers_for(self.scope["path"], self.scope["method"], self.scope["headers"])

    async def _finish(self) -> None:
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})


class EventSocketConsumer(EventStreamConsumer):
    """GET of events/socket: the same stream over WebSocket. What is refused is refused before the handshake."""

    allowed_methods = "GET, OPTIONS"

    def _read_request(self) -> StreamRequest:
        return read_socket_request(self.scope)

    def _transport(self) -> Transport:
        return SocketTransport(super()._transport())

    async def _begin(self) -> None:
        metrics.STREAMS_BY_SOCKET.inc()
        await self._start(101, accepted(self.scope))


# Paths that these consumers answer instead of a view.
STREAM_PATHS = frozenset(("/operator/api/events/stream", "/operator/api/v1/events/stream"))
SOCKET_PATHS = frozenset(("/operator/api/events/socket", "/operator/api/v1/events/socket"))
stream_application = EventStreamConsumer.as_asgi()
socket_application = EventSocketConsumer.as_asgi()
