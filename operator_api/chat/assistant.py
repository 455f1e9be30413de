"""The assistant that answers chat messages, over HTTP. Its address is a setting and never comes from a request."""

import json
import time
from functools import partial
from typing import Any, NamedTuple

import httpx2
from django.conf import settings

from gateway.backend.bounded_client import BUSY, SPARED, UNFIT, BoundedClient, Bounds, NoAnswer
from ledger.per_loop import PerLoop
from operator_api import metrics
from operator_api.models import ChatMessage
from vx11_client import exact_json

CONNECT_SECONDS = 2.0
# An answer that comes later than this is dropped: the message has been answered in the assistant's place by then.
ANSWER_LIMIT_SECONDS = 60.0
# Questions under way; more are not asked, for they would only wait for each other.
CONCURRENT_QUESTIONS = 32
KEEP_ALIVE_SECONDS = 5.0
ANSWER_LIMIT_BYTES = 256 * 1024
ANSWER_LIMIT_CHARACTERS = 64_000
# Of the names of a provider and a model.
NAME_LIMIT_CHARACTERS = 200
# Why a question was not even sent, and how the metric calls it.
_NOT_ASKED = {BUSY: "busy", SPARED: "breaker"}


class AssistantUnavailable(Exception):
    """No answer, and why, for our log."""


class AssistantAnswer(NamedTuple):
    """What the assistant says, and who it says that it is."""

    text: str
    provider: str | None
    model_used: str | None


class AssistantClient:
    """One client, with connections that are kept. Belongs to one event loop."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        bounds = Bounds(
            answer_seconds=ANSWER_LIMIT_SECONDS,
            connect_seconds=CONNECT_SECONDS,
            requests_limit=CONCURRENT_QUESTIONS,
            connections_limit=CONCURRENT_QUESTIONS,
            keep_alive_seconds=KEEP_ALIVE_SECONDS,
            answer_limit_bytes=ANSWER_LIMIT_BYTES,
        )
        self._client = BoundedClient(bounds, headers={"X-VX11-Token": token} if token else {})

    async def ask(self, message: ChatMessage, metadata: dict[str, Any], correlation_id: str) -> AssistantAnswer:
        """Its answer. Raises AssistantUnavailable."""
        started, outcome = time.perf_counter(), "cancelled"
        try:
            question = _question(message, metadata, correlation_id)
            answer = await self._client.ask(partial(self._post, question, correlation_id))
            outcome = "answered"
        except NoAnswer as error:
            outcome = error.outcome if error.outcome in _NOT_ASKED else "failed"
            raise AssistantUnavailable(str(error)) from None
        finally:
            self._count(outcome, time.perf_counter() - started)
        return answer

    def _count(self, outcome: str, seconds: float) -> None:
        if outcome in _NOT_ASKED:
            metrics.NOT_ASKED.labels(_NOT_ASKED[outcome]).inc()
            return
        metrics.UPSTREAM_SECONDS.labels(outcome).observe(seconds)
        metrics.BREAKER_OPEN.set(self._client.is_away)

    async def _post(self, question: dict[str, Any], correlation_id: str) -> AssistantAnswer:
        """Raises NoAnswer for an answer that cannot be used."""
        headers = {"X-Correlation-Id": correlation_id, "Content-Type": "application/json"}
        content = exact_json.dumps(question)
        response = await self._client.send(
            self._client.build_request("POST", self._url, content=content, headers=headers)
        )
        try:
            if response.status_code != httpx2.codes.OK:
                raise NoAnswer("failed", f"it answered {response.status_code}")
            return _answer_in(await self._client.read_body(response))
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.close()


def _question(message: ChatMessage, metadata: dict[str, Any], correlation_id: str) -> dict[str, Any]:
    return {
        "message": message.content,
        "session_id": message.session_id,
        "user": message.principal_name,
        "correlation_id": correlation_id,
        "metadata": metadata,
    }


def _answer_in(body: bytes) -> AssistantAnswer:
    """Raises NoAnswer."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoAnswer(UNFIT, f"its answer is not JSON ({type(error).__name__})") from None
    text = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(text, str) or not text:
        raise NoAnswer(UNFIT, "its answer holds no response")
    names = (_clean(answer.get(name), NAME_LIMIT_CHARACTERS) for name in ("provider", "model_used"))
    return AssistantAnswer(_clean(text, ANSWER_LIMIT_CHARACTERS) or "", *names)


def _clean(text: object, limit: int) -> str | None:
    """PostgreSQL takes no NUL, and UTF-8 no half of a surrogate pair. None for what is no text."""
    return text.replace("\0", "").encode(errors="replace").decode()[:limit] if isinstance(text, str) else None


_assistant = PerLoop(lambda: AssistantClient(settings.CHAT_UPSTREAM_URL, settings.CHAT_UPSTREAM_TOKEN))


def the_assistant() -> AssistantClient | None:
    """This process's; None if the settings name none."""
    return _assistant() if settings.CHAT_UPSTREAM_URL else None
