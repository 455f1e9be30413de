"""An assistant for chat, over real HTTP: answers at once, when told to, or badly."""

import dataclasses
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

HOLD_LIMIT_SECONDS = 20


@dataclasses.dataclass
class Question:
    headers: dict[str, str]
    body: dict[str, Any]
    path: str


class Assistant:
    """Listens on a free port of 127.0.0.1 for the length of a `with` block."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        # Sent as it is; None: an answer to the question.
        self.body: bytes | None = None
        self._free = threading.Event()
        self._free.set()
        assistant = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(size))
                assistant.questions.append(Question(dict(self.headers), body, self.path))
                assistant._free.wait(HOLD_LIMIT_SECONDS)
                self.answer(assistant.body or json.dumps({"response": f"you said {body['message']}"}).encode())

            def do_GET(self) -> None:
                assistant.questions.append(Question(dict(self.headers), {}, self.path))
                self.answer(b"")

            def answer(self, body: bytes) -> None:
                self.send_response(assistant.status)
                for name, value in {**assistant.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that have hung up are part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/ask"

    def hold(self) -> None:
        """Questions from now on wait for `release`."""
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
