"""The receiver: accepts senders, keeps their number bounded, and ends in order. No Django."""

import asyncio
import collections
import contextlib
import functools
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from vx11_client.spool.disk_queue import Spool
from vx11_client.spool.records import Transport
from vx11_client.syslog.connections import SyslogConnection
from vx11_client.syslog.datagrams import DatagramReader
from vx11_client.syslog.forwarder import Forwarder
from vx11_client.syslog.intake import Intake
from vx11_client.syslog.limits import ACCEPTS_PER_TURN, HANDSHAKE_LIMIT_SECONDS, Limits
from vx11_client.syslog.listeners import Address
from vx11_client.syslog.tally import Tally

TICK_SECONDS = 1.0
# When the system has no descriptors left, others may become free.
FILES_WAIT_SECONDS = 1.0
# At the end, what senders have sent already is still read, for so long at most, and no longer than they are quiet.
DRAIN_LIMIT_SECONDS = 2.0
DRAIN_QUIET_SECONDS = 0.3
# What was read is written whatever the limit of the end is, unless the disk takes nothing.
LAST_WRITE_SECONDS = 2.0
END_POLL_SECONDS = 0.05
EXIT_AT_ONCE = 130
EXIT_BROKEN = 1

Bound = tuple[Address, socket.socket]


class Receiver:
    """`run` receives until SIGTERM or SIGINT, and returns the exit code."""

    def __init__(
        self, *, bound: Sequence[Bound], tls: ssl.SSLContext | None, spool: Spool, limits: Limits, tally: Tally
    ) -> None:
        self._bound = bound
        self._tls = tls
        self._limits = limits
        self._tally = tally
        self._intake = Intake(spool, limits, tally)
        self._connections: set[SyslogConnection] = set()
        self._per_address: collections.Counter[str] = collections.Counter()
        self._admissions: set[asyncio.Task[None]] = set()
        self._datagrams: list[DatagramReader] = []

    async def run(self, make_forwarder: Callable[[Callable[[], None]], Forwarder]) -> int:
        """`make_forwarder(on_published)` is called once."""
        loop = asyncio.get_running_loop()
        _allow_descriptors()
        stopping, at_once = self._signals(loop)
        forwarder = make_forwarder(functools.partial(_call_in, loop, self._intake.wake))
        forwarder.start()
        writing = asyncio.create_task(self._intake.run())
        self._listen(loop)
        watching = asyncio.create_task(self._watch(forwarder, writing))
        try:
            await _first_of(stopping.wait(), watching)
            if watching.done():
                return EXIT_BROKEN
            self._tally.note("ending: publishing what was taken; once more to end at once")
            ending = asyncio.create_task(self._end(loop, writing, forwarder))
            await _first_of(at_once.wait(), ending)
            ending.cancel()
            return EXIT_AT_ONCE if at_once.is_set() else 0
        finally:
            self._close_all(loop)
            await _cancelled(watching, writing, *self._admissions)

    def _signals(self, loop: asyncio.AbstractEventLoop) -> tuple[asyncio.Event, asyncio.Event]:
        """Set by the first and by the second signal."""
        first, second = asyncio.Event(), asyncio.Event()

        def on_signal() -> None:
            (second if first.is_set() else first).set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        return first, second

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for address, sock in self._bound:
            if address.transport is Transport.UDP:
                self._datagrams.append(DatagramReader(sock, self._intake, self._limits, self._tally))
            else:
                loop.add_reader(sock, self._accept, address, sock)
        places = ", ".join(str(Address(address.transport, *sock.getsockname()[:2])) for address, sock in self._bound)
        self._tally.note(f"listening at {places}")

    def _accept(self, address: Address, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, place = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._tally.count("files", detail=str(error.strerror))
                loop.remove_reader(listener)
                loop.call_later(FILES_WAIT_SECONDS, self._accept_again, address, listener)
                return
            peer = str(place[0])
            if limit := self._limit_reached(peer):
                self._tally.count(limit, detail=peer)
                sock.close()
                continue
            tls = self._tls if address.transport is Transport.TLS else None
            connection = SyslogConnection(
                self._intake, self._limits, self._tally, peer=peer, is_tls=tls is not None, on_lost=self._forget
            )
            self._connections.add(connection)
            self._per_address[peer] += 1
            task = loop.create_task(self._admit(connection, sock, tls))
            self._admissions.add(task)
            task.add_done_callback(self._admissions.discard)

    def _accept_again(self, address: Address, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._accept, address, listener)

    def _limit_reached(self, peer: str) -> str:
        """The kind of the limit; empty when there is room. Handshakes of TLS count too."""
        if len(self._connections) >= self._limits.connections:
            return "connections"
        return "address" if self._per_address[peer] >= self._limits.connections_per_address else ""

    async def _admit(self, connection: SyslogConnection, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        seconds = HANDSHAKE_LIMIT_SECONDS if tls else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, sock, ssl=tls, ssl_handshake_timeout=seconds
            )
        except OSError as error:
            if tls:
                reason = getattr(error, "reason", None) or str(error) or type(error).__name__
                self._tally.count("tls", detail=f"{connection.peer}: {reason}")
            sock.close()
            self._forget(connection)

    def _forget(self, connection: SyslogConnection) -> None:
        """Once or more often."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._per_address[connection.peer] -= 1
            if not self._per_address[connection.peer]:
                del self._per_address[connection.peer]

    async def _watch(self, forwarder: Forwarder, writing: "asyncio.Task[None]") -> None:
        """Returns when a part that must never end has ended: its fault was written to standard error."""
        while forwarder.is_alive and not writing.done():
            await asyncio.sleep(TICK_SECONDS)
            for connection in list(self._connections):
                connection.check()
            for datagrams in self._datagrams:
                datagrams.check()
            self._intake.announce_missing()
            self._tally.tick()

    async def _end(self, loop: asyncio.AbstractEventLoop, writing: "asyncio.Task[None]", forwarder: Forwarder) -> None:
        self._close_listeners(loop)
        await self._drain(loop)
        for connection in list(self._connections):
            connection.abort()
        self._intake.announce_missing()
        self._intake.end()
        deadline = loop.time() + self._limits.stop_seconds
        await asyncio.wait({writing}, timeout=self._limits.stop_seconds + LAST_WRITE_SECONDS)
        forwarder.stop(seconds=max(0.0, deadline - loop.time()))
        # A thread has nothing that could be awaited.
        while forwarder.is_alive and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(END_POLL_SECONDS)

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Reads what senders have sent before they notice the end."""
        for connection in self._connections:
            connection.finish()
        deadline = loop.time() + DRAIN_LIMIT_SECONDS
        quiet_since = loop.time()
        while self._connections and loop.time() < deadline and loop.time() - quiet_since < DRAIN_QUIET_SECONDS:
            await asyncio.sleep(DRAIN_QUIET_SECONDS / 10)
            quiet_since = max(quiet_since, *(connection.quiet_since for connection in self._connections), 0.0)

    def _close_listeners(self, loop: asyncio.AbstractEventLoop) -> None:
        for datagrams in self._datagrams:
            datagrams.close()
        self._datagrams.clear()
        for _, sock in self._bound:
            if sock.fileno() >= 0:
                loop.remove_reader(sock)
                sock.close()

    def _close_all(self, loop: asyncio.AbstractEventLoop) -> None:
        self._close_listeners(loop)
        for connection in list(self._connections):
            connection.abort()


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """From another thread, which may still run when the loop has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function)


async def _first_of(waited: Coroutine[Any, Any, object], task: "asyncio.Task[None]") -> None:
    """Returns when either has ended. Raises what the task raises."""
    waiting = asyncio.ensure_future(waited)
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if task.done():
        task.result()


async def _cancelled(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _allow_descriptors() -> None:
    """As many as the system lets this process have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
