"""Polling: one thread, many sockets, and what to call when one of them has something to read."""

import select
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Poll:
    """For the length of a `with` block."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[], None]] = {}

    def watch(self, connection: socket.socket, ready: Callable[[], None]) -> None:
        self._ready[connection.fileno()] = ready
        self._epoll.register(connection, select.EPOLLIN)

    def forget(self, connection: socket.socket) -> None:
        """Before it is closed."""
        self._epoll.unregister(connection)
        del self._ready[connection.fileno()]

    def turn(self, wait_seconds: float) -> None:
        """Calls for all that is there; waits at most that long for the first."""
        for number, _ in self._epoll.poll(max(0.0, wait_seconds)):
            # One call may end what another was for.
            if ready := self._ready.get(number):
                ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._epoll.close()
