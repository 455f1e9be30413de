"""A connection that has become a WebSocket: what its client sends, which is answered here and never reaches a stream.

Daphne would hand such a connection over to Autobahn, which buffers without a limit for a client that reads nothing, and
whose refusals have neither the error body nor a line in the access log. So the handshake is an ordinary request, and
its answer an ordinary one in parts, whose head is 101 (docs/adr/0027-websocket-by-the-same-writer.md).
"""

import time
from typing import Any

from twisted.web.http_headers import Headers

from events.stream import socket_frames
from events.stream.socket_frames import ClientFault, ClientFrames, Frame
from vx11_site.server.response_writer import ResponseWriter

# Pings and pongs that a client may send in a window: browsers send none, libraries one in some seconds.
CONTROL_FRAMES_LIMIT = 60
CONTROL_WINDOW_SECONDS = 10.0
SWITCHING_PROTOCOLS = 101


def is_asked_for(given: Headers) -> bool:
    """Whether a request offers to become a WebSocket."""
    upgrade = given.getRawHeaders(b"upgrade", [])
    connection = b",".join(given.getRawHeaders(b"connection", [])).lower().split(b",")
    return [value.lower() for value in upgrade] == [b"websocket"] and b"upgrade" in [one.strip() for one in connection]


class SocketReader:
    """Reads a client's frames: it answers pings, and ends the connection with the client's close or its first fault."""

    def __init__(self, channel: Any, writer: ResponseWriter) -> None:
        self._channel = channel
        self._writer = writer
        self._frames = ClientFrames()
        self._is_over = False
        self._window_ends_at = 0.0
        self._in_window = 0

    def receive(self, data: bytes) -> None:
        if self._is_over:
            return
        try:
            for frame in self._frames.receive(data):
                if frame.opcode == socket_frames.CLOSE:
                    self._close(socket_frames.NORMAL, "")
                    return
                self._answer(frame)
        except ClientFault as fault:
            self._close(fault.code, fault.why)

    def _answer(self, frame: Frame) -> None:
        self._count()
        # A client that does not take what it was sent gets no more of anything.
        if frame.opcode == socket_frames.PING and not self._writer.full:
            self._writer.write(socket_frames.frame(socket_frames.PONG, frame.payload))

    def _count(self) -> None:
        """Raises ClientFault for more than a client needs."""
        now = time.monotonic()
        if now >= self._window_ends_at:
            self._window_ends_at, self._in_window = now + CONTROL_WINDOW_SECONDS, 0
        self._in_window += 1
        if self._in_window > CONTROL_FRAMES_LIMIT:
            raise ClientFault(socket_frames.POLICY_VIOLATION, "too many pings")

    def _close(self, code: int, reason: str) -> None:
        self._is_over = True
        if not self._writer.full:
            self._writer.write(socket_frames.close(code, reason))
        self._channel.loseConnection()
