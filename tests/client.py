"""The HTTP client of the tests. It reads streams with a parser that is not ours, and can speak malformed HTTP."""

import dataclasses
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from httpx2 import EventSource, ServerSentEvent

API = "/operator/api"
TIMEOUT_SECONDS = 10
# httpx2 reads the certificates of all authorities for each client that is not told otherwise: 26 ms of CPU.
LOOPBACK: dict[str, Any] = {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}

Json = dict[str, Any]
Event = Mapping[str, object]
# Bytes are for what is not ASCII.
Headers = Mapping[str, str | bytes]


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame of a stream. `name` is "" for operator events and for `connected`."""

    cursor: str
    name: str
    data: Json
    retry_ms: int | None

    @classmethod
    def parse(cls, sse: ServerSentEvent) -> "Frame":
        # httpx2 calls an unnamed event "message".
        name = "" if sse.event == "message" else sse.event
        return cls(cursor=sse.id, name=name, data=json.loads(sse.data) if sse.data else {}, retry_ms=sse.retry)

    @property
    def is_event(self) -> bool:
        return not self.name and self.data.get("type") == "event"


class Stream:
    """An open stream, or the refusal to open one: look at `response.status_code`."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._frames: Iterator[Frame] | None = None

    @property
    def frames(self) -> Iterator[Frame]:
        if self._frames is None:
            assert self.response.status_code == 200, f"{self.response.status_code}: {self.response.read()!r}"
            self._frames = map(Frame.parse, EventSource(self.response))
        return self._frames

    def next(self, condition: Callable[[Frame], bool], what: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Frame:
        """The next frame that fulfils the condition; those before it are dropped."""
        deadline = time.monotonic() + timeout_seconds
        # Heartbeats keep coming, so this looks at the clock often enough.
        for frame in self.frames:
            if condition(frame):
                return frame
            assert time.monotonic() < deadline, f"not within {timeout_seconds} s: {what}"
        raise AssertionError(f"the stream ended before {what}")

    def connected(self) -> Frame:
        """The greeting, which says where this stream starts."""
        return self.next(lambda frame: frame.data.get("type") == "connected", "connected")

    def named(self, name: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Frame:
        return self.next(lambda frame: frame.name == name, name, timeout_seconds=timeout_seconds)

    def event(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Json:
        """The next operator event."""
        return self.next(lambda frame: frame.is_event, "an event", timeout_seconds=timeout_seconds).data

    def events(self, count: int, *, timeout_seconds: float = TIMEOUT_SECONDS) -> list[Json]:
        deadline = time.monotonic() + timeout_seconds
        return [self.event(timeout_seconds=deadline - time.monotonic()) for _ in range(count)]

    def history(self, count: int) -> list[Json]:
        """So many events and `caught-up`, in whichever order: a server may get what another one committed later
        than it says so."""
        events: list[Json] = []
        caught_up = False
        while len(events) < count or not caught_up:
            frame = self.next(lambda frame: frame.is_event or frame.name == "caught-up", f"{count} events, caught-up")
            caught_up = caught_up or not frame.is_event
            events += [frame.data] if frame.is_event else []
        return events

    def rest(self) -> list[Frame]:
        """All that comes until the server ends the stream."""
        return list(self.frames)


class Client:
    """Requests to one server with one token, in X-VX11-Token. Tickets it gets are added to `credentials`."""

    def __init__(self, url: str, *, token: str | None, credentials: set[str]) -> None:
        self.url = url
        self.token = token
        self._credentials = credentials

    def request(self, method: str, path: str, *, headers: Headers | None = None, **kind: Any) -> httpx2.Response:
        """`path` starts at the root; `kind` is what httpx2 calls json, params, content, timeout ..."""
        kind.setdefault("timeout", 2 * TIMEOUT_SECONDS)
        return httpx2.request(method, self.url + path, headers=self._headers(headers), **LOOPBACK, **kind)

    def get(self, path: str, **kind: Any) -> httpx2.Response:
        return self.request("GET", path, **kind)

    def post(self, path: str, **kind: Any) -> httpx2.Response:
        return self.request("POST", path, **kind)

    def patch(self, path: str, **kind: Any) -> httpx2.Response:
        return self.request("PATCH", path, **kind)

    def delete(self, path: str, **kind: Any) -> httpx2.Response:
        return self.request("DELETE", path, **kind)

    def issue_ticket(self, narrowing: Json | None = None, **kind: Any) -> httpx2.Response:
        response = self.post(f"{API}/events/sse-token", json=narrowing or {}, **kind)
        if response.status_code == 200:
            self._credentials.add(response.json()["sse_token"])
        return response

    def ticket(self, **narrowing: list[str] | str) -> str:
        response = self.issue_ticket(narrowing)
        assert response.status_code == 200, response.text
        return str(response.json()["sse_token"])

    def publish(self, event: Event | Sequence[Event], **kind: Any) -> httpx2.Response:
        """Several are sent as one batch."""
        return self.post(f"{API}/events", json=event if isinstance(event, Mapping) else {"events": list(event)}, **kind)

    def published(self, event: Event | Sequence[Event], **kind: Any) -> Json:
        """Publishes, and gives the answer to what is new."""
        response = self.publish(event, **kind)
        assert response.status_code == 201, response.text
        return dict(response.json())

    def poll(self, **params: Any) -> httpx2.Response:
        return self.get(f"{API}/events", params=params)

    def polled(self, **params: Any) -> Json:
        response = self.poll(**params)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def all_events(self, **filters: Any) -> list[Json]:
        """Page by page: on a busy machine a page ends before it is full, and says so."""
        found: list[Json] = []
        position: dict[str, str] = {}
        while True:
            page = self.polled(limit=500, **filters, **position)
            found = page["events"] + found
            if not page["has_more"]:
                assert page["complete"]
                return found
            position = {"before": page["first_cursor"]}

    def cursor(self) -> str:
        """Where the log ends now."""
        return str(self.polled(limit=1)["cursor"])

    @contextmanager
    def stream(
        self,
        *,
        method: str = "GET",
        headers: Headers | None = None,
        path: str = f"{API}/events/stream",
        **params: Any,
    ) -> Iterator[Stream]:
        """Opens the stream with the client's own token in a header; give `token=` to use a ticket."""
        own: dict[str, Any] = dict(headers or {}) if "token" in params else self._headers(headers)
        with (
            httpx2.Client(**LOOPBACK, timeout=TIMEOUT_SECONDS) as http_client,
            http_client.stream(method, self.url + path, params=params, headers=own) as response,
        ):
            yield Stream(response)

    def stream_status(self, *, method: str = "GET", headers: Headers | None = None, **params: Any) -> int:
        """Opens a stream, and closes it as soon as its status is known."""
        with self.stream(method=method, headers=headers, **params) as stream:
            return stream.response.status_code

    def _headers(self, headers: Headers | None) -> dict[str, Any]:
        own = {} if self.token is None else {"X-VX11-Token": self.token}
        return {**own, **(headers or {})}


@dataclasses.dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def raw_request(url: str, parts: Sequence[bytes] | bytes, *, timeout_seconds: float = TIMEOUT_SECONDS) -> RawAnswer:
    """Sends bytes as they are, part after part, and reads one answer."""
    address = urlsplit(url)
    parts = [parts] if isinstance(parts, bytes) else parts
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=timeout_seconds) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            # The server has heard enough. Its answer may still be there.
            pass
        method = b"".join(parts).partition(b" ")[0].decode("latin-1")
        with http.client.HTTPResponse(connection, method=method) as answer:
            answer.begin()
            return RawAnswer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
