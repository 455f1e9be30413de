"""The server under test: requests to it, its tokens, and time limits."""

import dataclasses
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx2

from vx11_client.http_answers import DIRECT_MOUNTS, ServerRefused
from vx11_client.reading.sse_parser import EventStreamParser, SseMessage

API = "/operator/api"
EVENTS = f"{API}/events"
MINT = f"{EVENTS}/sse-token"
STREAM = f"{EVENTS}/stream"
# A server responds within 2 s; the rest is for the network.
ANSWER_SECONDS = 5.0
# A heartbeat comes every 10 s: after a longer silence the server has gone, or a proxy buffers the stream.
SILENCE_SECONDS = 15.0


@dataclasses.dataclass(frozen=True)
class Tokens:
    """`service` is empty if publishing is not tried."""

    principal: str
    service: str = ""


class Server:
    """A running server at `url`. Use as a context; every method raises httpx2.HTTPError when nothing answers."""

    def __init__(self, url: str, tokens: Tokens) -> None:
        self.url = url
        self.tokens = tokens
        self._client = httpx2.Client(
            base_url=url, timeout=ANSWER_SECONDS, mounts=DIRECT_MOUNTS, headers={"User-Agent": "vx11-smoke"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, *, token: str = "", **query: Any) -> httpx2.Response:
        return self._client.get(path, params=query, headers=_credential(token))

    def post(
        self, path: str, *, token: str = "", body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        return self._client.post(path, json=body, headers=_credential(token) | (headers or {}))

    def ticket(self) -> str:
        """A new ticket. Raises ServerRefused."""
        return str(expected(self.post(MINT, token=self.tokens.principal), 200)["sse_token"])

    def open_stream(self, *, token: str = "", ticket: str = "", **query: Any) -> "OpenStream":
        """A stream, with a token in the header, or with a ticket in the URL as in a browser. Raises ServerRefused."""
        request = self._client.build_request(
            "GET",
            STREAM,
            params=query | ({"token": ticket} if ticket else {}),
            headers={"Accept": "text/event-stream"} | _credential(token),
            timeout=httpx2.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS),
        )
        answer = self._client.send(request, stream=True)
        if answer.status_code != 200:
            answer.read()
            answer.close()
            raise ServerRefused(answer)
        return OpenStream(answer)


class OpenStream:
    """A stream that is being read; SILENCE_SECONDS without a byte are an httpx2.HTTPError. Use as a context."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._parser = EventStreamParser()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.answer.close()

    def messages(self, *, seconds: float) -> Iterator[SseMessage]:
        """Messages as they come, until the stream ends; TimeoutError after `seconds`. May be called once."""
        deadline = time.monotonic() + seconds
        for chunk in self.answer.iter_raw():
            yield from self._parser.feed(chunk)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the expected message did not come within {seconds:.0f} s")


def expected(answer: httpx2.Response, *statuses: int) -> dict[str, Any]:
    """The JSON object of an answer. Raises ServerRefused for any other status, ValueError for any other body."""
    if answer.status_code not in statuses:
        raise ServerRefused(answer)
    body = answer.json()
    if not isinstance(body, dict):
        raise ValueError("the answer is JSON, but no object")
    return body


def _credential(token: str) -> dict[str, str]:
    return {"X-VX11-Token": token} if token else {}
