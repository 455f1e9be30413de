"""Writes a response to its socket: at once if the socket accepts it, otherwise through Twisted's buffer.

Twisted alone takes two turns of the event loop for every write, and buffers without a limit for a client that reads
nothing. This writer tells its caller when bytes are held.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

# The time that a client has to read the end of its stream.
LINGER_SECONDS = 2.0
# The offset of tcpi_bytes_acked in Linux's struct tcp_info (linux/tcp.h), and a size that includes it.
TCP_INFO = getattr(socket, "TCP_INFO", None)
TCP_INFO_BYTES, BYTES_ACKED_OFFSET = 128, 120

# After this time without an acknowledgement, the kernel closes the connection. With a heartbeat every 10 s, a client
# that vanished without closing its connection is found after 40 s.
UNACKNOWLEDGED_MS = 30_000
# Unsent bytes that the kernel may hold for a connection: the memory that a client which does not read can cost.
UNSENT_BYTES = 128 * 1024
# Python 3.11 does not name it; 25 is linux/tcp.h. None where a system has none.
TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)

_framed: tuple[bytes, bytes] = (b"", b"")


def framed(data: bytes) -> bytes:
    """The data as one chunk of a chunked body. The last result is cached, because many streams get the same object."""
    global _framed  # the last result
    if _framed[0] is not data:
        _framed = (data, b"%x\r\n%b\r\n" % (len(data), data))
    return _framed[1]


def socket_of(transport: Any) -> socket.socket | None:
    """The socket of a transport, also below TLS; None if it is closed."""
    below = getattr(transport, "transport", None) or transport
    handle = below.getHandle() if hasattr(below, "getHandle") else None
    return handle if isinstance(handle, socket.socket) else None


@implementer(IPushProducer)
class ResponseWriter:
    """Writes the body of one response in parts. Create it before the first byte of the response."""

    # The hub writes to thousands of these in a row, and access to memory takes most of the time: so all that the usual
    # write needs is in this object, and not in the request.
    __slots__ = ("_chunked", "_request", "_send", "_straight", "_waiting", "full", "held_bytes", "straight_bytes")

    def __init__(self, request: Any) -> None:
        self.held_bytes = 0
        # Bytes of the body that did not go through Twisted.
        self.straight_bytes = 0
        self._request = request
        self._chunked = False
        # Whether to wait for drained() before writing more.
        self.full = False
        # Whether the next write may bypass Twisted: the head is written, and no bytes are held.
        self._straight = False
        self._waiting: asyncio.Future[None] | None = None
        self._send: Callable[[bytes], int] | None = None
        if request.channel is None:
            # The client disconnected during admission, and the application is about to get that message.
            return
        transport = request.channel.transport
        # Under TLS only encrypted data may go to the socket; other transports have no socket of this kind.
        if isinstance(transport, Connection) and not getattr(transport, "TLS", False):
            self._send = transport.getHandle().send
        request.channel.registerProducer(self, streaming=True)

    @property
    def taken_bytes(self) -> int:
        """Bytes that the client has acknowledged since it connected; on a Unix socket, and on other systems than Linux,
        minus the bytes it has not read.
        """
        channel = self._request.channel
        handle = None if channel is None else socket_of(channel.transport)
        if handle is None:
            return 0
        with contextlib.suppress(OSError, struct.error):
            # Other systems than Linux do not tell what was acknowledged; what was not read yet does as well.
            if handle.family == socket.AF_UNIX or TCP_INFO is None:
                transport = channel.transport
                queued: int = struct.unpack("=i", fcntl.ioctl(handle, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
                held: int = len(transport.dataBuffer) - transport.offset
                return -queued - held
            info = handle.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES)
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
            # The socket is full, or the connection is lost: Twisted handles either.
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
            # The connection is lost, and the application is about to get that message.
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
        """Be full until Twisted's buffer is empty: on its own, Twisted pauses its producer only above 64 KiB."""
        transport = self._request.channel.transport
        if self._send is None or self.full or transport.producer is None:
            return
        # As FileDescriptor.write does when its buffer is full; Twisted calls resumeProducing when the buffer is empty.
        transport.producerPaused = True
        transport.producer.pauseProducing()

    async def drained(self) -> None:
        """Wait until Twisted's buffer is empty, or the connection is lost."""
        while self.full:
            self._waiting = self._waiting or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting)

    def abandon(self) -> None:
        """Close the connection after LINGER_SECONDS, even if bytes are still held."""
        channel = self._request.channel
        if channel is not None:
            # No further request may be read from a connection that is about to be closed.
            channel.persistent = False
            reactor.callLater(LINGER_SECONDS, self._cut_off, channel)

    @staticmethod
    def _cut_off(channel: Any) -> None:
        if socket_of(channel.transport) is not None and channel.transport.connected:
            channel.forceAbortClient()

    async def close(self) -> bool:
        """Nothing to do: Twisted sends the bytes that it holds."""
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
        # Never before the head is written: the held bytes may belong to a previous response.
        self._straight = bool(self._request.startedWriting)
        self.held_bytes = 0
        if self._waiting is not None:
            self._waiting.set_result(None)
            self._waiting = None

    def stopProducing(self) -> None:  # noqa: N802 - as above
        """The connection is lost: drained() returns."""
        self.resumeProducing()
        self._straight = False


def bound_kernel(transport: Any) -> None:
    """Limit the bytes that the kernel holds for this connection, and for how long."""
    handle = socket_of(transport)
    if handle is None or handle.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for option, value in (
        (getattr(socket, "TCP_USER_TIMEOUT", None), UNACKNOWLEDGED_MS),
        (TCP_NOTSENT_LOWAT, UNSENT_BYTES),
    ):
        if option is not None:
            handle.setsockopt(socket.IPPROTO_TCP, option, value)
