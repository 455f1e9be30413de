"""Daphne, made fit for streams that stay open and for clients that mean no good.

- Writes: at once, never more than a client takes, and offered to the application (vx11_site/server/response_writer.py).
- Limits on time, bodies and connections, and the one error body (vx11_site/server/http1.py).
- Its access log would print tickets: one redacted line per request instead, also when the client hung up.
- At its end it cuts all streams: here they say goodbye first, spread over a grace time.
"""

import asyncio
import contextlib
import gc
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

from events.stream import capacity
from events.stream.connections import the_sessions
from events.stream.transport import EXTENSION
from gateway.addresses import address_group
from gateway.http import headers
from gateway.http.bodies import body_limit_bytes
from gateway.http.errors import ApiError
from gateway.identity.audit import refusals
from gateway.identity.principals import directory
from gateway.jobs.scheduler import Scheduler
from ledger.sqlite3.base import give_up_running
from operator_api.background_tasks import the_upkeep
from operator_api.chat import conversations
from vx11_site.data import pending_migrations
from vx11_site.server import access_log, systemd
from vx11_site.server.body_room import BodyRoom, Sender
from vx11_site.server.channel import Channel
from vx11_site.server.http1 import Factory, Request

# Whoever watches this process must be able to ask also when it is full.
SERVED_WHEN_FULL = frozenset({"/health", "/ready", "/metrics"})
# A client that takes nothing of a long answer for so long is cut off.
ANSWER_STALL_SECONDS = 30
# How much of the grace time streams have to say goodbye in; the rest is for requests that are being answered.
GOODBYES_SHARE = 0.8
SETTLE_SECONDS = 0.1
# The operating system's usual 1024 would be the limit of streams.
FILES_WANTED = 100_000
# Connections that the kernel keeps until they are accepted.
BACKLOG_CONNECTIONS = 1024
SERVER_NAME = "vx11-operator"

CONNECTIONS = Gauge("vx11_connections_open", "Open connections of this process.")
REFUSED = Counter("vx11_connections_refused_total", "Connections cut at once because there were too many.")


class Mailbox:
    """What asyncio.Queue is to one reader, in a tenth of its memory: each open stream has one."""

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
    """Takes what Daphne's own takes. Belongs to one process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.endpoints: list[str] = [_with_backlog(endpoint) for endpoint in self.endpoints]
        self.draining = False
        self._connection_limit = 0
        self._channels: set[Channel] = set()
        self._told_to_stop = False
        self.body_room = BodyRoom()
        self._ports: list[Any] = []
        self._ending: asyncio.Task[None] | None = None

    # What our connections and requests ask

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
        """Whether it may stay."""
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
        """Who sends a body, by the token in its header; without one that is known here, by address."""
        raw = request.raw_headers()
        with contextlib.suppress(ApiError):
            token = headers.credential(raw)
            if token and (public_id := directory.recognised(token)):
                return Sender(public_id, known=True)
        peer = str(getattr(request.channel.transport.getPeer(), "host", ""))
        address = headers.client_address(peer, raw, settings.TRUSTED_PROXIES)
        return Sender(address_group(address), known=False)

    def log_access(self, request: Request, *, whole: bool) -> None:
        access_log.note(request, whole=whole)

    # What Daphne asks

    @property
    def http_factory(self) -> Factory:
        """run() puts a factory of its own into this property."""
        return self._factory

    @http_factory.setter
    def http_factory(self, factory: HTTPFactory) -> None:
        self._factory = Factory(self)

    def run(self) -> None:
        _allow_files()
        self._connection_limit = capacity.connection_limit()
        # What is loaded by now stays: a full collection that walks it stops every stream for a fifth of a second.
        gc.collect()
        gc.freeze()
        if self.signal_handlers:
            # Not at once: the reactor runs before its loop does.
            reactor.callWhenRunning(reactor.callLater, 0, self._listen_to_signals)
        reactor.callWhenRunning(reactor.callLater, 0, lambda: the_sessions().start())
        reactor.callWhenRunning(reactor.callLater, 0, lambda: the_upkeep().start())
        scheduler = Scheduler()
        scheduler.start()
        try:
            super().run()
        finally:
            scheduler.stop()

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Daphne's own access log: it would print tickets, and requests are logged when they end."""

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)
        if len(self._ports) == len(self.endpoints):
            reactor.callWhenRunning(reactor.callLater, 0, systemd.notify_ready)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """As Daphne's, with the writer among the extensions, and a mailbox that is small."""
        if isinstance(protocol, Request):
            scope.setdefault("extensions", {})[EXTENSION] = protocol.open_writer
        scope.setdefault("asgi", {"version": "3.0"})
        mailbox = Mailbox()
        application = self.application(scope, mailbox.get, partial(self.handle_reply, protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
        return mailbox

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """As Daphne's, but an application that sends bit by bit waits for a client that reads slowly."""
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
        """Before the reactor stops: say goodbye, finish what was begun; what is left then is cut."""
        # A request that has not come whole has no application yet, and Daphne would stumble over that.
        nobody: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        nobody.set_result(None)
        self._ending = asyncio.ensure_future(self._end())

        def cut(_: Any) -> Any:
            for details in self.connections.values():
                details.setdefault("application_instance", nobody)
            return super(OperatorServer, self).kill_all_applications()

        return defer.Deferred.fromFuture(self._ending).addBoth(cut)

    # The end

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # The terminal is gone: as the others, unless this was started to stay (nohup).
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            asyncio.get_running_loop().add_signal_handler(number, self._on_end_signal)

    def _on_end_signal(self) -> None:
        """The first time in peace, the second time at once."""
        if not self._told_to_stop:
            self._told_to_stop = True
            reactor.stop()
        elif self._ending is not None:
            self._ending.cancel()

    async def _end(self) -> None:
        systemd.notify(systemd.ENDING)
        self.draining = True
        deadline = time.monotonic() + settings.DRAIN_SECONDS
        await the_sessions().drain(settings.DRAIN_SECONDS * GOODBYES_SHARE)
        refusals.close_all()
        for port in self._ports:
            with contextlib.suppress(Exception):
                await defer.maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())
        while time.monotonic() < deadline:
            # What was on its way when we stopped listening is answered too.
            await asyncio.sleep(SETTLE_SECONDS)
            answering = self._answering()
            if not answering:
                break
            await asyncio.wait(answering, timeout=max(0.0, deadline - time.monotonic()))
        # Answers that Twisted still holds are sent; then the connections close.
        while self._channels and time.monotonic() < deadline:
            for channel in list(self._channels):
                channel.loseConnection()
            await asyncio.sleep(SETTLE_SECONDS)
        # Nobody here hears of them any more, but they are read later, and by others now.
        await conversations.finish(max(0.0, deadline - time.monotonic()))
        # A process waits for its threads at its end, and one of them may be reading for a caller who has gone.
        give_up_running()

    def _answering(self) -> "list[asyncio.Future[None]]":
        """What has not been answered yet."""
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
    """Everybody comes back at once when a process is restarted; Daphne would let 50 of them knock."""
    takes_one = endpoint.startswith(("tcp:", "ssl:", "unix:")) and ":backlog=" not in endpoint
    return f"{endpoint}:backlog={BACKLOG_CONNECTIONS}" if takes_one else endpoint


def _allow_files() -> None:
    """As many as this process may have, within reason: every stream is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
