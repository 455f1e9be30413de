"""An HTTP server that does what a test tells it to: answers in a queue, streams that the test writes to.

It also serves the project's static files, so that a real browser runs the real modules against it.
"""

import contextlib
import json
import queue
import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.http_stand_in import HttpStandIn
from tests.servers import ROOT

API = "/operator/api"
STATIC_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
WAIT_SECONDS = 20
EMPTY_PAGE = b"<!DOCTYPE html><title>test</title><link rel=icon href=data:>"

Json = dict[str, Any]
Answer = tuple[int, Json, dict[str, str]]


def event(seq: int, **fields: Any) -> Json:
    """An operator event as the API gives it."""
    return {
        "type": "event",
        "event_id": f"event-{seq}",
        "seq": seq,
        "event_type": "test.happened",
        "summary": f"number {seq}",
        "module": "hermes",
        "severity": "info",
        "correlation_id": "test",
        "payload": {},
        "created_at": "2026-01-04T01:34:28.123456Z",
        "occurred_at": None,
        **fields,
    }


class ScriptedStream:
    """One stream that a browser has opened; nothing is sent that the test does not send."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.query = query
        self._chunks: queue.Queue[bytes | None] = queue.Queue()

    def send(self, data: Json, *, cursor: str = "", name: str = "") -> None:
        lines = [f"id: {cursor}"] * bool(cursor) + [f"event: {name}"] * bool(name) + [f"data: {json.dumps(data)}"]
        self.send_raw("\n".join(lines) + "\n\n")

    def send_raw(self, text: str) -> None:
        self.send_bytes(text.encode())

    def send_bytes(self, data: bytes) -> None:
        self._chunks.put(data)

    def connected(self, cursor: str, *, heartbeat_seconds: float = 10) -> None:
        self.send({"type": "connected", "cursor": cursor, "heartbeat_sec": heartbeat_seconds}, cursor=cursor)

    def event(self, seq: int, *, epoch: str = "e") -> None:
        self.send(event(seq), cursor=f"{epoch}-{seq}")

    def break_off(self) -> None:
        """Closes the connection without a word."""
        self._chunks.put(None)

    def write_to(self, target: Any) -> None:
        while (chunk := self._chunks.get()) is not None:
            target.write(chunk)


class ScriptedServer(HttpStandIn):
    """`tickets` and `pages` hold the next answers to POST sse-token and GET events; both have a default."""

    def __init__(self) -> None:
        self.tickets: deque[Answer] = deque()
        self.pages: deque[Answer] = deque()
        self.stream_status = 200
        # Until it is set, GET /hold has no answer.
        self.let_go = threading.Event()
        # The JSON of each POST, by its path.
        self.bodies: list[tuple[str, Json]] = []
        self.requests: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self._opened: queue.Queue[ScriptedStream] = queue.Queue()
        self._streams: list[ScriptedStream] = []
        super().__init__(type("Handler", (_Handler,), {"script": self}))

    @property
    def url(self) -> str:
        return self.address

    def next_stream(self) -> ScriptedStream:
        """The next stream that a browser opens, waiting for it."""
        try:
            return self._opened.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            asked = [f"{method} {path} {query}" for method, path, query, _ in self.requests]
            raise AssertionError(f"no stream was opened; asked for: {asked}") from None

    @property
    def has_stream(self) -> bool:
        """Whether a stream is there for `next_stream` to take."""
        return not self._opened.empty()

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries of the requests to `path` until now."""
        return [query for _, asked, query, _ in self.requests if asked == API + path]

    def headers_of(self, path: str) -> list[dict[str, str]]:
        return [headers for _, asked, _, headers in self.requests if asked == API + path]

    def bodies_of(self, path: str) -> list[Json]:
        """The JSON of the POSTs to `path` until now; an empty body is {}."""
        return [body for posted, body in self.bodies if posted == API + path]

    def open_stream(self, query: Mapping[str, str]) -> ScriptedStream:
        stream = ScriptedStream(query)
        self._streams.append(stream)
        self._opened.put(stream)
        return stream

    def stop(self) -> None:
        self.let_go.set()
        for stream in self._streams:
            stream.break_off()
        super().stop()


class _Handler(BaseHTTPRequestHandler):
    script: ScriptedServer

    def do_GET(self) -> None:
        path, query = self._note()
        if path == f"{API}/events/stream":
            self._stream(query)
        elif path == f"{API}/events":
            self._answer(self.script.pages, {"events": [], "cursor": query.get("since", "e-0"), "has_more": False})
        elif path == "/hold":
            self.script.let_go.wait()
            self._send(200, b"", {"Content-Type": "text/plain"})
        elif path.startswith("/static/") and (file := ROOT / path[1:]).is_file():
            self._send(200, file.read_bytes(), {"Content-Type": STATIC_TYPES[file.suffix]})
        else:
            self._send(200, EMPTY_PAGE, {"Content-Type": "text/html"})

    def do_POST(self) -> None:
        path, _ = self._note()
        length = int(self.headers.get("Content-Length") or 0)
        self.script.bodies.append((path, json.loads(self.rfile.read(length) or b"{}")))
        self._answer(self.script.tickets, {"sse_token": f"ticket-{len(self.script.requests)}"})

    def _note(self) -> tuple[str, dict[str, str]]:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.script.requests.append((self.command, address.path, query, headers))
        return address.path, query

    def _stream(self, query: dict[str, str]) -> None:
        if self.script.stream_status != 200:
            return self._send(self.script.stream_status, b"{}", {"Content-Type": "application/problem+json"})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        # A browser may leave at any time.
        with contextlib.suppress(ConnectionError):
            self.script.open_stream(query).write_to(self.wfile)
        return None

    def _answer(self, answers: deque[Answer], default: Json) -> None:
        status, body, headers = answers.popleft() if answers else (200, default, {})
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Cache-Control": "no-store"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def refusal(status: int, reason: str, **headers: str) -> Answer:
    """The one error body; `Retry_After="7"` becomes a header."""
    return (
        status,
        {"status": status, "detail": reason, "reason": reason},
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


def page_of(events: list[Json], cursor: str, *, has_more: bool = False) -> Answer:
    return 200, {"events": events, "cursor": cursor, "has_more": has_more}, {}
