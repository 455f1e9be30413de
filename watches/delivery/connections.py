"""The connections of one attempt, so that another thread can cut them when its time is over.

Libraries limit the time between two bytes, and a receiver that sends one now and then would keep a thread for good.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator


class TimeIsOver(OSError):
    """The attempt was cut: it connects to nothing any more."""


class Connections:
    """Each as a second handle of its socket: the first one is another object's as soon as it speaks TLS."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._is_cut = False

    @contextlib.contextmanager
    def of_this_thread(self) -> Iterator[None]:
        """What this thread connects within belongs to these, and is closed with it."""
        before, _here.connections = _here.connections, self
        try:
            yield
        finally:
            _here.connections = before
            with self._lock:
                for handle in self._handles:
                    handle.close()
                self._handles.clear()

    def cut(self) -> None:
        """What waits for one of them gets its end, or an error."""
        with self._lock:
            self._is_cut = True
            for handle in self._handles:
                # It may have ended by itself.
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def add(self, connecting: socket.socket) -> None:
        """Raises TimeIsOver."""
        with self._lock:
            if self._is_cut:
                raise TimeIsOver("its time is over")
            self._handles.append(connecting.dup())


class _Here(threading.local):
    connections: Connections | None = None


_here = _Here()


def note(connecting: socket.socket) -> None:
    """This socket is about to be connected by this thread. Raises TimeIsOver."""
    if _here.connections is not None:
        _here.connections.add(connecting)
