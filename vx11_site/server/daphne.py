"""Daphne with what it lacks for long streams and hostile clients.

- Writes go to the socket at once and are bounded; streams write directly (vx11_site/server/response_writer.py).
- Limits on time, bodies and connections, and the one error body (vx11_site/server/http1.py).
- An access log with one redacted line per request, also after a disconnect; Daphne's own would print tickets.
- A graceful stop: streams get their `stream-end` over a grace period. Daphne would cut all of them at once.
"""

import asyncio
import contextlib
import resource
import signal
import sys
import time
from functools import partial
from typing import Any

from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory
from daphne.server import Server
from django.conf import settings
from prometheus_client import Counter, Gauge
from twisted.internet import defer, reactor

from events.index import Indexing
from events.stream import capacity, socket_request
from events.stream.connections import the_connections
from events.stream.transport import EXTENSION
from gateway.addresses import address_group
from gateway.http import headers
from gateway.http.bodies import body_limit_bytes
from gateway.http.errors import ApiError
from gateway.identity.audit import refusals
from gateway.identity.principals import directory
from gateway.jobs.scheduler import Scheduler
from ledger import long_lived
from ledger.sqlite3.base import give_up_running
from operator_api.background_tasks import the_background_tasks
from operator_api.chat import conversations
from vx11_site.data import pending_migrations
from vx11_site.server import access_log, systemd
from vx11_site.server.body_room import BodyRoom, Sender
from vx11_site.server.channel import Channel
from vx11_site.server.http1 import Factory, Request
from watches.delivery.delivering import Delivering
from watches.evaluation.watching import Watching

# Probes and Prometheus are served also when the process is full.
SERVED_WHEN_FULL = frozenset({"/health", "/ready", "/metrics"})
# A client that reads nothing of a long response for this time is cut off.
ANSWER_STALL_SECONDS = 30
# The part of the grace period in which streams are ended; the rest is for requests that are being answered.
STREAMS_SHARE = 0.8
SETTLE_SECONDS = 0.1
# The usual soft limit of 1024 would be the limit of streams.
FILES_WANTED = 100_000
# Connections that the kernel keeps until they are accepted.
BACKLOG_CONNECTIONS = 1024
SERVER_NAME = "vx11-operator"

CONNECTIONS = Gauge("vx11_connections_open", "Open connections of this process.")
REFUSED = Counter("vx11_connections_refused_total", "Connections cut at once because there were too many.")


class Mailbox:
    """A queue for one reader, with a tenth of the memory of asyncio.Queue: each open stream has one."""

    __slots__ = ("_messages", "_waiting")

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def get(self) -> dict[str, Any]:
        while not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._messages.pop(0)


class OperatorServer(Server):  # type: ignore[misc]  # daphne ships no types
    """Takes the options of Daphne's server. One for each process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.endpoints: list[str] = [_with_backlog(endpoint) for endpoint in self.endpoints]
        self.draining = False
        self._connection_limit = 0
        self._channels: set[Channel] = set()
        self._is_stopping = False
        self.body_room = BodyRoom()
        self._ports: list[Any] = []
        self._ending: asyncio.Task[None] | None = None

    # Called by our connections and requests

    @property
    def full(self) -> bool:
        return len(self._channels) > self._connection_limit

    def serves_always(self, path: str) -> bool:
        return path in SERVED_WHEN_FULL

    def body_limit_bytes(self, request: Request) -> int:
        given = request.requestHeaders
        with_token = given.hasHeader(b"x-vx11-token") or given.hasHeader(b"authorization")
        return body_limit_bytes(request.path.decode("latin-1"), with_token=with_token)

    def connection_made(self, channel: Channel) -> bool:
        """Whether the connection may stay open."""
        self._channels.add(channel)
        CONNECTIONS.set(len(self._channels))
        if len(self._channels) <= self._connection_limit + capacity.OVERFLOW_CONNECTIONS:
            return True
        REFUSED.inc()
        return False

    def connection_lost(self, channel: Channel) -> None:
        self._channels.discard(channel)
        CONNECTIONS.set(len(self._channels))

    def sender_of(self, request: Request) -> Sender:
        """The sender of a body: by the token in its header if it is known here, otherwise by address."""
        raw = request.raw_headers()
        with contextlib.suppress(ApiError):
            token = headers.credential(raw) or headers.basic_password(raw)
            if token and (public_id := directory.recognised(token)):
                return Sender(public_id, known=True)
        peer = str(getattr(request.channel.transport.getPeer(), "host", ""))
        address = headers.client_address(peer, raw, settings.TRUSTED_PROXIES)
        return Sender(address_group(address), known=False)

    def log_access(self, request: Request, *, whole: bool) -> None:
        access_log.note(request, whole=whole)

    # Called by Daphne

    @property
    def http_factory(self) -> Factory:
        """Daphne's run() sets this property; the setter puts our factory in its place."""
        return self._factory

    @http_factory.setter
    def http_factory(self, factory: HTTPFactory) -> None:
        self._factory = Factory(self)

    def run(self) -> None:
        _allow_files()
        self._connection_limit = capacity.connection_limit()
        long_lived.keep()
        if self.signal_handlers:
            # Not at once: the reactor starts before its event loop.
            reactor.callWhenRunning(reactor.callLater, 0, self._handle_signals)
        reactor.callWhenRunning(reactor.callLater, 0, lambda: the_connections().start())
        reactor.callWhenRunning(reactor.callLater, 0, lambda: the_background_tasks().start())
        scheduler, indexing, watching, delivering = Scheduler(), Indexing(), Watching(), Delivering()
        scheduler.start()
        indexing.start()
        watching.start()
        delivering.start()
        try:
            super().run()
        finally:
            scheduler.stop()
            indexing.stop()
            watching.stop()
            delivering.stop()

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Disables Daphne's access log, which would print tickets. `access_log` logs requests when they end."""

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)
        if len(self._ports) == len(self.endpoints):
            reactor.callWhenRunning(reactor.callLater, 0, systemd.notify_ready)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """As Daphne's, with the writer among the extensions, and with a smaller queue."""
        if isinstance(protocol, Request):
            scope.setdefault("extensions", {})[EXTENSION] = protocol.open_writer
            if protocol.wants_socket:
                scope["extensions"][socket_request.EXTENSION] = {}
        scope.setdefault("asgi", {"version": "3.0"})
        mailbox = Mailbox()
        application = self.application(scope, mailbox.get, partial(self.handle_reply, protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
        return mailbox

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """As Daphne's, but an application that sends a body in parts waits for a client that reads slowly."""
        await super().handle_reply(protocol, message)
        writer = getattr(protocol, "writer", None)
        if writer is None or not writer.full or not message.get("more_body", False):
            return
        try:
            async with asyncio.timeout(ANSWER_STALL_SECONDS):
                await writer.drained()
        except TimeoutError:
            writer.abandon()

    def kill_all_applications(self) -> "defer.Deferred[Any]":
        """Before the reactor stops: end streams, finish requests, and cut what is left then."""
        # An incomplete request has no application yet, and Daphne would fail on that.
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        finished.set_result(None)
        self._ending = asyncio.ensure_future(self._end())

        def cut(_: Any) -> Any:
            for details in self.connections.values():
                details.setdefault("application_instance", finished)
            return super(OperatorServer, self).kill_all_applications()

        return defer.Deferred.fromFuture(self._ending).addBoth(cut)

    # The graceful stop

    def _handle_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # The terminal has gone: handled as the others, unless the process was started with nohup.
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            asyncio.get_running_loop().add_signal_handler(number, self._on_end_signal)

    def _on_end_signal(self) -> None:
        """The first signal stops gracefully, the second at once."""
        if not self._is_stopping:
            self._is_stopping = True
            reactor.stop()
        elif self._ending is not None:
            self._ending.cancel()

    async def _end(self) -> None:
        systemd.notify(systemd.ENDING)
        self.draining = True
        deadline = time.monotonic() + settings.DRAIN_SECONDS
        await the_connections().drain(settings.DRAIN_SECONDS * STREAMS_SHARE)
        refusals.close_all()
        for port in self._ports:
            with contextlib.suppress(Exception):
                await defer.maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())
        while time.monotonic() < deadline:
            # Requests that arrived before the ports were closed are answered too.
            await asyncio.sleep(SETTLE_SECONDS)
            answering = self._answering()
            if not answering:
                break
            await asyncio.wait(answering, timeout=max(0.0, deadline - time.monotonic()))
        # Responses that Twisted still holds are sent; then the connections close.
        while self._channels and time.monotonic() < deadline:
            for channel in list(self._channels):
                channel.loseConnection()
            await asyncio.sleep(SETTLE_SECONDS)
        # Late answers of the assistant are still stored: they are read later, or through other processes.
        await conversations.finish(max(0.0, deadline - time.monotonic()))
        # A process waits for its threads at its end, and one of them may run a query for a caller that has gone.
        give_up_running()

    def _answering(self) -> "list[asyncio.Future[None]]":
        """The applications that have not finished."""
        running = (details.get("application_instance") for details in self.connections.values())
        return [application for application in running if application is not None and not application.done()]


class OperatorCommandLine(CommandLineInterface):  # type: ignore[misc]  # as above
    """Daphne's command line, with this server and for this application."""

    server_class = OperatorServer

    def load_asgi_app(self, path: str) -> Any:
        why_not = pending_migrations.refusal()
        if why_not:
            sys.exit(why_not)
        return super().load_asgi_app(path)


def _with_backlog(endpoint: str) -> str:
    """After a restart all clients reconnect at once, and Daphne's backlog holds only 50 connections."""
    takes_one = endpoint.startswith(("tcp:", "ssl:", "unix:")) and ":backlog=" not in endpoint
    return f"{endpoint}:backlog={BACKLOG_CONNECTIONS}" if takes_one else endpoint


def _allow_files() -> None:
    """Raise the soft limit of open files as far as needed: every stream is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
