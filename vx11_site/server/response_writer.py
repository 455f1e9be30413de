"""A response's way to its socket: at once if the socket takes it, held by Twisted if not, and it says which.

Twisted's own way takes two turns of the event loop for every write, and no end of bytes for a client that reads none.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

# A client that was told that its stream is over has so long to take it.
LINGER_SECONDS = 2.0
# tcpi_bytes_acked of Linux's struct tcp_info (linux/tcp.h), in a struct that is long enough to hold it.
TCP_INFO_BYTES, BYTES_ACKED_OFFSET = 128, 120

# What was sent and not acknowledged for so long goes to nobody. With a heartbeat every 10 s, a client that vanished
# without a word is gone after 40.
UNACKNOWLEDGED_MS = 30_000
# What the kernel may hold for a connection beyond what is on its way: a reader that does not read costs no more.
UNSENT_BYTES = 128 * 1024
# linux/tcp.h; Python 3.11 does not name it.
TCP_NOTSENT_LOWAT = 25

_framed: tuple[bytes, bytes] = (b"", b"")


def framed(data: bytes) -> bytes:
    """The data as one chunk of a chunked body. The same object is asked for many streams in a row, and made once."""
    global _framed  # the last answer
    if _framed[0] is not data:
        _framed = (data, b"%x\r\n%b\r\n" % (len(data), data))
    return _framed[1]


def socket_of(transport: Any) -> socket.socket | None:
    """The socket at the bottom of a transport, also below TLS; None if it is not there any more."""
    below = getattr(transport, "transport", None) or transport
    handle = below.getHandle() if hasattr(below, "getHandle") else None
    return handle if isinstance(handle, socket.socket) else None


@implementer(IPushProducer)
class ResponseWriter:
    """Writes the body of one response that is made bit by bit. Open it before the first byte of the response."""

    # The hub writes to thousands of these in a row, so that the time goes into fetching them from memory: what the
    # usual write needs is here, and not in the request.
    __slots__ = ("_chunked", "_request", "_send", "_straight", "_waiting", "full", "held_bytes", "straight_bytes")

    def __init__(self, request: Any) -> None:
        self.held_bytes = 0
        # Of the body, what Twisted has not seen.
        self.straight_bytes = 0
        self._request = request
        self._chunked = False
        # Whether to wait for drained() before writing more.
        self.full = False
        # Whether the next write may go past Twisted: the head is written, and nothing is held.
        self._straight = False
        self._waiting: asyncio.Future[None] | None = None
        self._send: Callable[[bytes], int] | None = None
        if request.channel is None:
            # Gone while it was admitted, and the application about to hear of it.
            return
        transport = request.channel.transport
        # Under TLS the socket takes only what was encrypted; other transports have no socket of this kind.
        if isinstance(transport, Connection) and not getattr(transport, "TLS", False):
            self._send = transport.getHandle().send
        request.channel.registerProducer(self, streaming=True)

    @property
    def taken_bytes(self) -> int:
        """What the other end has acknowledged since it connected; on a Unix socket, what is left to take, negative."""
        channel = self._request.channel
        handle = None if channel is None else socket_of(channel.transport)
        if handle is None:
            return 0
        with contextlib.suppress(OSError, struct.error):
            if handle.family == socket.AF_UNIX:
                transport = channel.transport
                queued: int = struct.unpack("=i", fcntl.ioctl(handle, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
                held: int = len(transport.dataBuffer) - transport.offset
                return -queued - held
            info = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            acked: int = struct.unpack_from("=Q", info, BYTES_ACKED_OFFSET)[0]
            return acked
        return 0

    def write(self, data: bytes) -> bool:
        """Send the data, which is not empty. False: some of it is held, so write no more until drained()."""
        if not self._straight or self._send is None:
            return self._write_by_twisted(data)
        chunk = framed(data) if self._chunked else data
        try:
            sent = self._send(chunk)
        except OSError:
            # Full, or the connection is lost: Twisted finds out which, and deals with it.
            sent = 0
        self.straight_bytes += len(data)
        if sent == len(chunk):
            return True
        self.held_bytes = len(chunk) - sent
        self._request.channel.write(chunk[sent:])
        self._wait_for_twisted()
        return not self.full

    def _write_by_twisted(self, data: bytes) -> bool:
        request = self._request
        if request.channel is None:
            # The connection is lost, and the application about to hear of it.
            return True
        begun = request.startedWriting
        self.held_bytes += len(data)
        request.write(data)
        if not begun:
            self._chunked = bool(request.chunked)
            request.forget_headers()
        self._wait_for_twisted()
        if not self.full:
            self.held_bytes = 0
        return not self.full

    def _wait_for_twisted(self) -> None:
        """Be full until Twisted holds nothing: by itself it would say so only of more than 64 KiB."""
        transport = self._request.channel.transport
        if self._send is None or self.full or transport.producer is None:
            return
        # As FileDescriptor.write does when its buffer is full; it resumes us when the buffer is empty.
        transport.producerPaused = True
        transport.producer.pauseProducing()

    async def drained(self) -> None:
        """Until Twisted holds nothing, or the connection is lost."""
        while self.full:
            self._waiting = self._waiting or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting)

    def abandon(self) -> None:
        """Cut the connection off soon, whatever it still holds."""
        channel = self._request.channel
        if channel is not None:
            # No other request may come to stand on a connection that is about to be cut.
            channel.persistent = False
            reactor.callLater(LINGER_SECONDS, self._cut_off, channel)

    @staticmethod
    def _cut_off(channel: Any) -> None:
        if socket_of(channel.transport) is not None and channel.transport.connected:
            channel.forceAbortClient()

    async def close(self) -> bool:
        """Twisted holds what is left, and sees to it."""
        return True

    def release(self) -> None:
        """The response is complete; the connection may serve another."""
        self._straight = False
        if self._request.channel is not None:
            self._request.channel.unregisterProducer()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.full = True
        self._straight = False

    def resumeProducing(self) -> None:  # noqa: N802 - as above
        self.full = False
        # Never before the head: what was held until now may belong to an answer before this one.
        self._straight = bool(self._request.startedWriting)
        self.held_bytes = 0
        if self._waiting is not None:
            self._waiting.set_result(None)
            self._waiting = None

    def stopProducing(self) -> None:  # noqa: N802 - as above
        """The connection is lost: nobody need wait any more."""
        self.resumeProducing()
        self._straight = False


def bound_kernel(transport: Any) -> None:
    """What the kernel may hold for this connection, and for how long."""
    handle = socket_of(transport)
    if handle is None or handle.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for option, value in (
        (getattr(socket, "TCP_USER_TIMEOUT", None), UNACKNOWLEDGED_MS),
        (TCP_NOTSENT_LOWAT, UNSENT_BYTES),
    ):
        if option is not None:
            handle.setsockopt(socket.IPPROTO_TCP, option, value)
