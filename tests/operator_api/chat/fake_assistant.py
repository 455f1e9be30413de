"""An assistant for chat, over real HTTP: answers at once, when told to, or badly."""

import dataclasses
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_stand_in import HttpStandIn

HOLD_LIMIT_SECONDS = 20


@dataclasses.dataclass
class Question:
    headers: dict[str, str]
    body: dict[str, Any]
    path: str


class Assistant(HttpStandIn):
    """Listens on a free port of 127.0.0.1 for the length of a `with` block."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        # Sent as it is; None: an answer to the question.
        self.body: bytes | None = None
        assistant = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(size))
                assistant.questions.append(Question(dict(self.headers), body, self.path))
                assistant.free.wait(HOLD_LIMIT_SECONDS)
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

        super().__init__(Handler)

    @property
    def url(self) -> str:
        return f"{self.address}/ask"

    def hold(self) -> None:
        """Questions from now on wait for `release`."""
        self.free.clear()

    def release(self) -> None:
        self.free.set()
