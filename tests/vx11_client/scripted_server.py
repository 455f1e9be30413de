"""An HTTP server that answers what a test wrote down: it stands for the network, not for our code."""

import dataclasses
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.http_stand_in import HttpStandIn


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Answer:
    """`body` may be made piece by piece; `hang_up` closes the connection in place of an answer."""

    status: int = 200
    json: object = None
    body: Iterable[bytes] | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hang_up: bool = False


Script = Callable[[Request], Answer]


def problem(status: int, reason: str, *, errors: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    body = {"title": "No.", "status": status, "reason": reason, "detail": reason} | (
        {"errors": errors} if errors else {}
    )
    return Answer(status, json=body, headers=headers or {})


def taken(request: Request) -> Answer:
    """The answer to a batch that is stored."""
    events = [{"event_id": event["event_id"], "seq": seq} for seq, event in enumerate(request.json["events"], 1)]
    return Answer(201, json={"events": events, "cursor": f"k-{len(events)}"})


class ScriptedServer(HttpStandIn):
    """Answers each request with what `script` says, and keeps the requests."""

    def __init__(self, script: Script, *, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.over = threading.Event()
        """Set at the end: what waits in an answer's body must wait for this too."""
        super().__init__(_handler(self, script), port=port)

    @property
    def url(self) -> str:
        return self.address

    def asked(self, path_end: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(path_end)]

    def stop(self) -> None:
        self.over.set()
        super().stop()


def _handler(server: ScriptedServer, script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, address.path, parse_qs(address.query), headers, body)
            server.requests.append(request)
            answer = script(request)
            if not answer.hang_up:
                self._give(answer)

        def _give(self, answer: Answer) -> None:
            self.send_response(answer.status)
            kind = "application/json" if answer.body is None else "text/event-stream"
            for name, value in {"Content-Type": kind, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in [orjson.dumps(answer.json)] if answer.body is None else answer.body:
                    self.wfile.write(piece)
            except OSError:
                # The client has closed the connection: a body that is made piece by piece ends.
                if isinstance(answer.body, Generator):
                    answer.body.close()

    return Handler
