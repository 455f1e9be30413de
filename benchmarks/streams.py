"""Thousands of open streams in one thread, read with as little work as can be.

All events are counted, but only some streams (every tenth) are read as soon as something arrives: their latencies
stand for all. The others are read in turn, a few at a time. Their events lie in the socket until then, where they cost
neither the server nor the streams that are timed.
"""

import socket
import time
from collections import deque
from collections.abc import Callable

from benchmarks import marks
from benchmarks.peers.peer import Peer
from benchmarks.polling import Poll
from benchmarks.receipts import Receipts
from benchmarks.wire import HOST, UnexpectedAnswer

READ_BYTES = 256 * 1024
# Not more than a listening socket holds: Twisted's holds 50.
OPENED_TOGETHER = 32
OPEN_TIMEOUT_SECONDS = 30
TIMED_EACH = 10
# Often enough that a socket's buffer never fills; rarely enough to leave the machine to the server.
ROUND_SECONDS = 0.1
READS_PER_SECOND = 20_000


class OpenStream:
    """One stream, live. `latencies_seconds` is given for those whose events are timed."""

    __slots__ = ("connection", "ended", "number", "received_bytes", "_latencies", "_receipts", "_rest")

    def __init__(
        self, connection: socket.socket, number: int, receipts: Receipts, latencies_seconds: list[float] | None
    ) -> None:
        self.connection = connection
        self.number = number
        self.ended = False
        self.received_bytes = 0
        self._receipts = receipts
        self._latencies = latencies_seconds
        self._rest = b""

    def read(self) -> None:
        """Takes what is there; nothing may be there."""
        try:
            data = self.connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        self.ended = not data
        self.received_bytes += len(data)
        data = self._rest + data
        self._rest = marks.cut_off(data)
        numbers = marks.NUMBERS.findall(data) if self._latencies is None else self._time(data, self._latencies)
        if numbers:
            self._receipts.take(self.number, numbers)

    @staticmethod
    def _time(data: bytes, latencies: list[float]) -> list[bytes]:
        received_at = marks.moment()
        found = marks.NUMBERS_AND_MOMENTS.findall(data)
        latencies += [(received_at - int(published_at)) / 1e6 for _, published_at in found]
        return [number for number, _ in found]


class Streams:
    """Streams of one peer, opened one batch after the other, and what they have received."""

    def __init__(self, poll: Poll, peer: Peer, *, count: int, timed_each: int = TIMED_EACH) -> None:
        self.receipts = Receipts(streams=count)
        self.latencies_seconds: list[float] = []
        self._poll = poll
        connections = open_all(peer, count=count)
        self.all = [
            OpenStream(connection, number, self.receipts, None if number % timed_each else self.latencies_seconds)
            for number, connection in enumerate(connections)
        ]
        for stream in self.all[::timed_each]:
            poll.watch(stream.connection, lambda stream=stream: self._read_watched(stream))  # type: ignore[misc]
        self._others = deque(stream for stream in self.all if stream.number % timed_each)
        self._round_seconds = max(ROUND_SECONDS, len(self._others) / READS_PER_SECOND)
        self._read_until = time.perf_counter()

    def read_some(self) -> None:
        """As many of those that are read in turn as are due since the last call."""
        now = time.perf_counter()
        due = min(len(self._others), int((now - self._read_until) / self._round_seconds * len(self._others)))
        if not due:
            return
        self._read_until = now
        for _ in range(due):
            self._others[0].read()
            self._others.rotate(-1)

    @property
    def received_bytes(self) -> int:
        return sum(stream.received_bytes for stream in self.all)

    def close(self) -> None:
        for stream in self.all:
            stream.connection.close()

    def _read_watched(self, stream: OpenStream) -> None:
        stream.read()
        if stream.ended:
            self._poll.forget(stream.connection)


def open_all(
    peer: Peer, *, count: int, before_connect: Callable[[socket.socket], None] | None = None
) -> list[socket.socket]:
    """Live streams, spread over the processes, not blocking from now on. Raises UnexpectedAnswer."""
    connections: list[socket.socket] = []
    while len(connections) < count:
        batch = []
        for number in range(len(connections), min(count, len(connections) + OPENED_TOGETHER)):
            connection = socket.socket()
            connection.settimeout(OPEN_TIMEOUT_SECONDS)
            if before_connect:
                before_connect(connection)
            connection.connect((HOST, peer.port_for(number, of=count)))
            connection.sendall(peer.openings[number % len(peer.openings)])
            batch.append(connection)
        for connection in batch:
            _wait_until_live(connection, peer.live)
            connection.settimeout(0)
        connections += batch
    return connections


def _wait_until_live(connection: socket.socket, live: bytes) -> None:
    received = b""
    while live not in received:
        data = connection.recv(READ_BYTES)
        received += data
        if not data or not received.startswith(b"HTTP/1.1 200"[: len(received)]):
            raise UnexpectedAnswer(f"instead of a stream: {received[:300].decode(errors='replace')}")
