"""Daphne, with what it does to a request before the application sees it put right.

- Its access log would print tickets: one redacted line per request instead.
- Twisted parses form bodies and answers 400 itself: bodies are left alone, the application judges them.
- Its own error pages are HTML: they are the one error body instead.
- At its end it cuts all streams: here they say goodbye first.
"""

import asyncio
import gc
import logging
import sys
import uuid
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from twisted.internet import defer

from events.sessions import the_sessions
from gateway import correlation
from gateway.errors import CONTENT_TYPE, Refusal
from vx11_site.logging import redact

logger = logging.getLogger("vx11.access")


class Request(WebRequest):  # type: ignore[misc]  # daphne ships no types
    """One request as Daphne sees it, from its first byte to the application and back."""

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        """As Twisted's, without parsing the query and the body: nobody here reads `args`."""
        self.content.seek(0, 0)
        self.args: dict[bytes, list[bytes]] = {}
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.split(b"?", 1)[0]
        self.process()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """As Daphne's, which writes the access log at an answer's end: with the correlation id that was answered."""
        if message.get("type") != "http.response.body" or message.get("more_body", False):
            super().handle_reply(message)
            return
        values = self.responseHeaders.getRawHeaders(b"x-correlation-id", [b"-"])
        reset = correlation.current.set(values[0].decode("latin-1"))
        try:
            super().handle_reply(message)
        finally:
            correlation.current.reset(reset)

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """What Daphne refuses by itself: bad bytes in the request line or in headers, or a broken application."""
        correlation_id = str(uuid.uuid4())
        refusal = Refusal("bad_request" if status == 400 else "internal_error")
        headers = [(b"Content-Type", CONTENT_TYPE.encode()), (b"X-Correlation-Id", correlation_id.encode())]
        self.handle_reply({"type": "http.response.start", "status": refusal.status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": refusal.body(correlation_id)})


class Factory(HTTPFactory):  # type: ignore[misc]  # as above
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol

    def log(self, request: Any) -> None:
        """Twisted would format a line here that holds the ticket, for a file that nobody has opened."""


class OperatorServer(Server):  # type: ignore[misc]  # as above
    """Daphne's server, making our requests: run() puts its own factory into this property."""

    @property
    def http_factory(self) -> Factory:
        return self._factory

    @http_factory.setter
    def http_factory(self, factory: HTTPFactory) -> None:
        self._factory = Factory(self)

    def kill_all_applications(self) -> "defer.Deferred[Any]":
        """Before the reactor stops: streams say goodbye, so that no client sees a broken answer; the rest is cut."""
        # A request that has not come whole has no application yet, and Daphne would stumble over that.
        nobody: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        nobody.set_result(None)
        for details in self.connections.values():
            details.setdefault("application_instance", nobody)
        goodbyes: defer.Deferred[Any] = defer.Deferred.fromFuture(asyncio.ensure_future(the_sessions().drain()))
        return goodbyes.addBoth(lambda _: super(OperatorServer, self).kill_all_applications())


def log_request(protocol: str, action: str, details: dict[str, Any]) -> None:
    """For Daphne's action_logger: called when a request is complete."""
    if protocol == "http" and action == "complete":
        logger.info(
            "%s %s %s %.3fs %s bytes",
            details["method"],
            redact(str(details["path"])),
            details["status"],
            details["time_taken"],
            details["size"],
        )


def serve(*, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    from vx11_site.asgi import application  # claims the right to serve, so only when we are going to

    def say_ready() -> None:
        sys.stdout.write(f"VX11 Operator serves at http://{host}:{port}/operator/ (Ctrl-C ends it)\n")
        sys.stdout.flush()

    # What is loaded by now stays: a full collection that walks it stops every stream for a fifth of a second.
    gc.collect()
    gc.freeze()
    OperatorServer(
        application=application,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        action_logger=log_request,
        ready_callable=say_ready,
        verbosity=1,
        server_name="vx11-operator",
    ).run()
