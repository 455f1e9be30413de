"""A mail server that accepts connections and does not go on: at once, after the greeting, or by a byte now and then."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What it says before it hangs, by what it does.
SILENT, AFTER_EHLO, DRIPPING = "accepts and is silent", "hangs after EHLO", "goes on for ever with its greeting"
KINDS = (SILENT, AFTER_EHLO, DRIPPING)
DRIP_SECONDS = 0.05


class HangingMailServer:
    """`connections`: how many were accepted."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.connections = 0
        self._is_well = False
        self._ending = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="hanging-mail", daemon=True).start()

    def recover(self) -> None:
        """Ends the connections that hang, and from now on takes letters."""
        self._is_well = True
        self._ending.set()
        for connection in self._open:
            _end(connection)

    def close(self) -> None:
        self.recover()
        _end(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                serve = self._take_letter if self._is_well else self._hang
                threading.Thread(target=self._quietly, args=(serve, connection), daemon=True).start()

    def _quietly(self, serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            serve(connection)

    def _hang(self, connection: socket.socket) -> None:
        if self.kind == DRIPPING:
            connection.sendall(b"220-")
            while not self._ending.wait(DRIP_SECONDS):
                connection.sendall(b".")
        if self.kind == AFTER_EHLO:
            connection.sendall(b"220 here\r\n")
            assert connection.recv(1_000).upper().startswith(b"EHLO")
            connection.sendall(b"250 here\r\n")
        # What the client sends from here on is not read.
        self._ending.wait()

    def _take_letter(self, connection: socket.socket) -> None:
        connection.sendall(b"220 here\r\n")
        is_data = False
        for line in connection.makefile("rb"):
            if is_data and line != b".\r\n":
                continue
            is_data = line.upper().startswith(b"DATA")
            connection.sendall(b"354 go on\r\n" if is_data else b"250 OK\r\n")


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def hanging_mail_server(kind: str) -> Iterator[HangingMailServer]:
    server = HangingMailServer(kind)
    try:
        yield server
    finally:
        server.close()
