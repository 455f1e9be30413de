"""An HTTP client for one other server: bounded in time, in requests under way, in connections and in bytes.

A server that fails several times in a row is left alone for a while. What a server sends is not trusted: it cannot
redirect, set cookies, or send more than was agreed; errors are described without credentials. The gateway asks its
backend with it, and the chat its assistant.
"""

import asyncio
import dataclasses
import ssl
from collections.abc import Awaitable, Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx2

from gateway.backend.breaker import PAUSE_SECONDS, Breaker
from gateway.redaction import redact

# Outcomes that every caller may have to tell apart from its own.
BUSY, SPARED, LATE, AWAY, UNFIT = "busy", "spared", "late", "away", "unfit"
REASON_LIMIT_CHARACTERS = 200

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """`answer_seconds` is for all of one request: connection, further tries, the answer's last byte.

    More than `requests_limit` requests at a time are refused at once; those that have no connection yet wait for one.
    """

    answer_seconds: float
    connect_seconds: float
    requests_limit: int
    connections_limit: int
    keep_alive_seconds: float
    answer_limit_bytes: int
    breaker_pause_seconds: float = PAUSE_SECONDS


class NoAnswer(Exception):
    """There is no answer that can be used. `outcome` is one of the names above or the caller's own; the text says why,
    for our log.
    """

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class BoundedClient:
    """Keeps its connections. Belongs to one event loop."""

    def __init__(
        self, bounds: Bounds, *, headers: Mapping[str, str] | None = None, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._bounds = bounds
        self._breaker = Breaker(pause_seconds=bounds.breaker_pause_seconds)
        self._under_way = 0
        self._http = httpx2.AsyncClient(
            # Unpacked, a few bytes may become any number of them: the limit is for what comes over the wire.
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})},
            timeout=httpx2.Timeout(bounds.answer_seconds, connect=bounds.connect_seconds),
            limits=httpx2.Limits(
                max_connections=bounds.connections_limit,
                max_keepalive_connections=bounds.connections_limit,
                keepalive_expiry=bounds.keep_alive_seconds,
            ),
            # The token is for this address alone, and neither a proxy nor a password of this machine is meant for it.
            follow_redirects=False,
            trust_env=False,
            verify=verify,
            # A cookie that came with one caller's answer must not go out with the next caller's request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
        # To make requests with, within `ask`.
        self.build_request = self._http.build_request

    @property
    def is_away(self) -> bool:
        """Whether the breaker is open after the last requests."""
        return self._breaker.is_open

    async def ask(self, exchange: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `exchange` returns, which sends requests by `send`. Raises NoAnswer.

        A NoAnswer that `exchange` raises is a failure of the other server. Any other exception says nothing about that
        server, and is passed on.
        """
        if self._under_way >= self._bounds.requests_limit:
            raise NoAnswer(BUSY, f"{self._bounds.requests_limit} requests wait for it")
        turn = self._breaker.turn()
        if turn is None:
            raise NoAnswer(SPARED, "it failed too often of late")
        self._under_way += 1
        try:
            answer = await self._in_time(exchange)
        except NoAnswer:
            turn.failed()
            raise
        except BaseException:
            turn.gave_up()
            raise
        finally:
            self._under_way -= 1
        turn.succeeded()
        return answer

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """The head of the answer; the caller closes it. Raises httpx2.HTTPError, which `ask` takes for a failure."""
        return await self._http.send(request, stream=True)

    async def read_body(self, response: httpx2.Response) -> bytes:
        """The body as it comes over the wire. Raises NoAnswer as soon as it is too long, and if it is compressed."""
        if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
            raise NoAnswer(UNFIT, f"an answer that is compressed ({encoding[:20]!r})")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._bounds.answer_limit_bytes:
                raise NoAnswer(UNFIT, f"an answer of more than {self._bounds.answer_limit_bytes} bytes")
        return bytes(body)

    async def close(self) -> None:
        await self._http.aclose()

    async def _in_time(self, exchange: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            async with asyncio.timeout(self._bounds.answer_seconds):
                return await exchange()
        except (TimeoutError, httpx2.TimeoutException):
            raise NoAnswer(LATE, f"no answer within {self._bounds.answer_seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise NoAnswer(AWAY, described(error)) from None


def described(error: Exception) -> str:
    """For our log. A library quotes a header that it cannot send, and one of ours is a token."""
    if isinstance(error, httpx2.LocalProtocolError):
        return type(error).__name__
    return f"{type(error).__name__}: {redact(str(error))}".removesuffix(": ")[:REASON_LIMIT_CHARACTERS]
