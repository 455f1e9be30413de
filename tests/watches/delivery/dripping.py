"""An HTTP receiver that never comes to the end of its answer: a byte of a header now and then."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

DRIP_SECONDS = 0.05


class DrippingReceiver:
    """`cut`: how many connections the other side has ended."""

    def __init__(self) -> None:
        self.connections = 0
        self.cut = 0
        self._ending = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, name="dripping", daemon=True).start()

    def close(self) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                while not self._ending.wait(DRIP_SECONDS):
                    connection.sendall(b".")
            except OSError:
                self.cut += 1


@contextmanager
def dripping_receiver() -> Iterator[DrippingReceiver]:
    receiver = DrippingReceiver()
    try:
        yield receiver
    finally:
        receiver.close()
