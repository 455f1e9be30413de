"""What stands in for somebody else's HTTP server: real HTTP on a free port, for the length of a `with` block."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.processes import Started


class _Quiet:
    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever has hung up meanwhile is part of the tests."""


class HttpStandIn(Started):
    """Handlers that wait for `free` hold their answers while it is cleared, until the block ends."""

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.free = threading.Event()
        self.free.set()
        quiet = type(handler.__name__, (_Quiet, handler), {})
        self._server = _Server(("127.0.0.1", port), quiet)
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def address(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.free.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
