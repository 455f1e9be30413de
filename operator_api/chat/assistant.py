"""The assistant that answers chat messages, over HTTP. Its address is a setting and never comes from a request."""

import asyncio
import json
import time
from typing import Any

import httpx
from django.conf import settings

from gateway.backend.breaker import Breaker
from gateway.backend.client import no_cookies, read_raw
from gateway.redaction import redact
from ledger.per_loop import PerLoop
from operator_api import metrics
from operator_api.models import ChatMessage
from vx11_client import exact_json

CONNECT_SECONDS = 2.0
# After this nobody waits for an answer any more, also not to deliver it late.
ANSWER_LIMIT_SECONDS = 60.0
# Questions under way; more are not asked, for they would only wait for each other.
CONCURRENT_QUESTIONS = 32
ANSWER_LIMIT_BYTES = 256 * 1024
ANSWER_LIMIT_CHARACTERS = 64_000
WHY_LIMIT_CHARACTERS = 200


class UpstreamAway(Exception):
    """No answer, and why, for our log."""


class Upstream:
    """One client, with connections that are kept. Belongs to one event loop."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._breaker = Breaker()
        self._asking = 0
        self._client = httpx.AsyncClient(
            headers={"X-VX11-Token": token} if token else {},
            timeout=httpx.Timeout(ANSWER_LIMIT_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=CONCURRENT_QUESTIONS),
            # The token is for this address alone, and so is what operators write.
            follow_redirects=False,
            trust_env=False,
            # Whoever asks next is somebody else.
            cookies=no_cookies(),
        )

    async def ask(self, message: ChatMessage, metadata: dict[str, Any], correlation_id: str) -> str:
        """The answer's text. Raises UpstreamAway."""
        if self._asking >= CONCURRENT_QUESTIONS:
            metrics.NOT_ASKED.labels("busy").inc()
            raise UpstreamAway("too many questions wait for an answer")
        turn = self._breaker.turn()
        if turn is None:
            metrics.NOT_ASKED.labels("breaker").inc()
            raise UpstreamAway("it failed too often of late")
        self._asking += 1
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            async with asyncio.timeout(ANSWER_LIMIT_SECONDS):
                text = await self._post(_question(message, metadata, correlation_id), correlation_id)
            turn.succeeded()
            outcome = "answered"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError) as error:
            turn.failed()
            outcome = "failed"
            raise UpstreamAway(_why(error)) from None
        except BaseException:
            turn.gave_up()
            raise
        finally:
            self._asking -= 1
            metrics.UPSTREAM_SECONDS.labels(outcome).observe(time.perf_counter() - started)
            metrics.BREAKER_OPEN.set(self._breaker.is_open)
        return text

    async def _post(self, question: dict[str, Any], correlation_id: str) -> str:
        """Raises ValueError for an answer that is none."""
        # Unpacked, a few bytes may be any number of them: the limit below is for what comes over the wire.
        headers = {"X-Correlation-Id": correlation_id, "Accept": "application/json", "Accept-Encoding": "identity"}
        headers["Content-Type"] = "application/json"
        content = exact_json.dumps(question)
        async with self._client.stream("POST", self._url, content=content, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"it answered {answer.status_code}")
            if (encoding := answer.headers.get("Content-Encoding", "identity")) != "identity":
                raise ValueError(f"its answer is packed ({encoding[:20]})")
            body = await read_raw(answer, most_bytes=ANSWER_LIMIT_BYTES)
        return _text_of(body)

    async def close(self) -> None:
        await self._client.aclose()


def _why(error: Exception) -> str:
    """For our log. A library quotes a header that it cannot send, and one of ours is a token."""
    if isinstance(error, httpx.LocalProtocolError):
        return type(error).__name__
    return f"{type(error).__name__}: {redact(str(error))}"[:WHY_LIMIT_CHARACTERS]


def _question(message: ChatMessage, metadata: dict[str, Any], correlation_id: str) -> dict[str, Any]:
    return {
        "message": message.content,
        "session_id": message.session_id,
        "user": message.principal_name,
        "correlation_id": correlation_id,
        "metadata": metadata,
    }


def _text_of(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except RecursionError:
        raise ValueError("its answer is nested too deep") from None
    text = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(text, str) or not text:
        raise ValueError("its answer holds no response")
    # PostgreSQL takes no NUL, and UTF-8 no half of a surrogate pair.
    clean = text.replace("\0", "").encode(errors="replace").decode()
    return clean[:ANSWER_LIMIT_CHARACTERS]


_upstream = PerLoop(lambda: Upstream(settings.CHAT_UPSTREAM_URL, settings.CHAT_UPSTREAM_TOKEN))


def the_upstream() -> Upstream | None:
    """This process's; None if the settings name none."""
    return _upstream() if settings.CHAT_UPSTREAM_URL else None
