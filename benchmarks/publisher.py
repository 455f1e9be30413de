"""The publisher: events on a timetable, over a few kept-alive connections to all processes."""

import itertools
import socket
import time
from collections import deque

from benchmarks import marks
from benchmarks.peers.peer import Peer
from benchmarks.polling import Poll
from benchmarks.wire import HOST, AnswerReader, UnexpectedAnswer

CONNECTIONS = 16
READ_BYTES = 64 * 1024


class Publisher:
    """Publishes `count` events, one each `1 / per_second`, whether or not earlier ones have been answered.

    An event that is due while all connections wait for answers has its mark already: the wait counts.
    """

    def __init__(self, poll: Poll, peer: Peer, *, per_second: float, count: int) -> None:
        self.count = count
        self.answered = 0
        self._peer = peer
        self._per_second = per_second
        self._due = 0
        self._waiting: deque[bytes] = deque()
        self._idle: deque[socket.socket] = deque()
        self._answers: dict[socket.socket, AnswerReader] = {}
        self._poll = poll
        self._ports = itertools.cycle(peer.ports)
        for _ in range(CONNECTIONS):
            self._connect()
        self._began = time.perf_counter()

    @property
    def all_sent(self) -> bool:
        return self._due == self.count and not self._waiting

    def publish_due(self) -> float:
        """Sends what is due; gives the seconds until the next is."""
        while self._due < self.count and (wait := self._seconds_until_due()) <= 0:
            self._waiting.append(marks.mark(self._due, marks.moment()))
            self._due += 1
        while self._waiting and self._idle:
            connection = self._idle.popleft()
            self._answers[connection] = AnswerReader()
            connection.sendall(self._peer.publish.replace(marks.PLACE, self._waiting.popleft()))
        return wait if self._due < self.count else 1.0

    def close(self) -> None:
        for connection in [*self._idle, *self._answers]:
            self._poll.forget(connection)
            connection.close()

    def _connect(self) -> None:
        connection = socket.create_connection((HOST, next(self._ports)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.watch(connection, lambda: self._read(connection))
        self._idle.append(connection)

    def _seconds_until_due(self) -> float:
        return self._began + self._due / self._per_second - time.perf_counter()

    def _read(self, connection: socket.socket) -> None:
        data = connection.recv(READ_BYTES)
        answer = self._answers.get(connection)
        if answer is None:
            # Servers close what has been idle for a while.
            self._poll.forget(connection)
            self._idle.remove(connection)
            connection.close()
            self._connect()
            return
        if not data:
            raise UnexpectedAnswer(f"{self._peer.name} closed the connection instead of an answer")
        body = answer.feed(data)
        if answer.status and answer.status not in self._peer.published:
            raise UnexpectedAnswer(f"{answer.status} to an event: {body[:300].decode(errors='replace')}")
        if answer.complete:
            del self._answers[connection]
            self._idle.append(connection)
            self.answered += 1
            self.publish_due()
