"""The backend, as its gateway asks it: which requests are repeated, with which token, and which answers count.

An answer counts only if it says for which operator it is, as a backend does that has accepted the gateway's own token.
Every other answer, and none, is one thing to the caller: the backend is unavailable.
"""

import asyncio
import contextlib
import dataclasses
import logging
import random
import ssl
import time
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from gateway import metrics, tokens
from gateway.backend import delegation
from gateway.backend.bounded_client import BUSY, UNFIT, BoundedClient, Bounds, NoAnswer
from gateway.backend.service_tokens import ServiceTokens
from gateway.http.errors import ApiError
from ledger.per_loop import PerLoop

logger = logging.getLogger(__name__)

# In all: connection, a second try, the answer's last byte. Front ends give up after five.
ANSWER_SECONDS = 3.0
# Of several hosts behind a name one may not answer at all; then there is time to ask another.
CONNECT_SECONDS = 1.0
CONNECTIONS_LIMIT = 64
# Requests under way or waiting for a connection; more are refused at once. Each waits for ANSWER_SECONDS at the most.
QUESTIONS_LIMIT = 512
# Shorter than the backend's own 75, so that it does not hang up on a request that is on its way.
KEEP_ALIVE_SECONDS = 30.0
# A page of chat may be 200 answers of 256 KiB each.
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
# Address and headers of the caller's, as they are sent. Ours come to them, and neither a backend (16 KiB) nor a proxy
# before it (often 8) may refuse a request for its length: that would look like a backend that is not there.
HEAD_LIMIT_BYTES = 6 * 1024
RETRY_PAUSE_SECONDS = 0.1
# How often a gateway asks its backend when no operator does.
LOOK_SECONDS = 5.0
# One request at a time finds out whether it is back.
BREAKER_PAUSE_SECONDS = 2.0
PASSED_ON_HEADERS = ("Content-Type", "Retry-After", "WWW-Authenticate")
CONTENT_TYPES = frozenset({"application/json", "application/problem+json"})
# What is answered to a token that is unknown, lacks the right, or failed too often.
REFUSALS_OF_TOKENS = frozenset({401, 403, 429})
# No server can have read the request.
UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout)


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """A request for the backend. `path` is relative to its /api/; `asked_by` is the operator's public id, or
    NO_OPERATOR.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    asked_by: str = delegation.NO_OPERATOR

    @property
    def may_repeat(self) -> bool:
        return self.method == "GET"


@dataclasses.dataclass(frozen=True, slots=True)
class BackendAnswer:
    """What came back; `answers` is the operator that it is for, "" if the answer does not name one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    answers: str


class BackendUnavailable(Exception):
    """There is no answer that could be passed on. `outcome` is a label of the metric, the text is for our log."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class Backend:
    """One client, with connections that are kept. Belongs to one event loop."""

    def __init__(self, url: str, tokens: ServiceTokens) -> None:
        self._url = url.rstrip("/") + "/api/"
        self._tokens = tokens
        self._trouble = ""
        bounds = Bounds(
            answer_seconds=ANSWER_SECONDS,
            connect_seconds=CONNECT_SECONDS,
            requests_limit=QUESTIONS_LIMIT,
            connections_limit=CONNECTIONS_LIMIT,
            keep_alive_seconds=KEEP_ALIVE_SECONDS,
            answer_limit_bytes=ANSWER_LIMIT_BYTES,
            breaker_pause_seconds=BREAKER_PAUSE_SECONDS,
        )
        self._client = BoundedClient(bounds, headers={"User-Agent": "vx11-operator"}, verify=tls_for(url))
        # Whether the last request was answered; None before the first.
        self._answers: bool | None = None
        self._asked_at = float("-inf")

    @property
    def is_away(self) -> bool:
        """Whether the breaker is open after the last requests."""
        return self._client.is_away

    @property
    def seems_away(self) -> bool:
        """Whether the last request was not answered, or the breaker is open."""
        return self._answers is False or self.is_away

    async def look(self) -> None:
        """Ask for its status, unless a request was answered lately: a gateway without traffic must notice too."""
        if self._answers and time.monotonic() - self._asked_at < LOOK_SECONDS:
            return
        with contextlib.suppress(BackendUnavailable):
            await self.ask(Question("GET", "status", "", {"X-Correlation-Id": tokens.new_uuid()}, b""))

    async def ask(self, question: Question) -> BackendAnswer:
        """The backend's answer, whatever its status below 500. Raises BackendUnavailable, ApiError."""
        started, outcome = time.perf_counter(), "given_up"
        self._asked_at = time.monotonic()
        try:
            answer = await self._client.ask(partial(self._ask_with_one_retry, question))
            self._answers = True
            if answer.status >= httpx2.codes.INTERNAL_SERVER_ERROR:
                # Not the breaker's business: the backend is there.
                raise NoAnswer("failed", f"it answered {answer.status}")
            outcome = "answered"
        except NoAnswer as error:
            outcome = error.outcome
            if outcome not in ("failed", BUSY):
                self._answers = False
            self._log_trouble(f"{outcome}: {error}")
            raise BackendUnavailable(outcome, str(error)) from None
        finally:
            metrics.FORWARDED.labels(outcome).inc()
            metrics.FORWARD_SECONDS.observe(time.perf_counter() - started)
            metrics.BACKEND_AWAY.set(self.is_away)
        self._log_trouble("")
        return answer

    async def close(self) -> None:
        await self._client.close()

    async def _ask_with_one_retry(self, question: Question) -> BackendAnswer:
        """Once more where that does no harm: no server has read the request, or it changes nothing."""
        try:
            answer = await self._ask_with_a_good_token(question)
            if answer.status != httpx2.codes.SERVICE_UNAVAILABLE or not question.may_repeat:
                return answer
        except UNSENT:
            pass
        except httpx2.TimeoutException:
            raise
        except httpx2.TransportError:
            if not question.may_repeat:
                raise
        await asyncio.sleep(RETRY_PAUSE_SECONDS * random.uniform(0.5, 1.5))
        return await self._ask_with_a_good_token(question)

    async def _ask_with_a_good_token(self, question: Question) -> BackendAnswer:
        """A refused token has done nothing, so the next one may be tried, whatever the method."""
        status = 0
        for token in self._tokens.candidates():
            answer = await self._send(question, token)
            if answer.answers == question.asked_by:
                self._tokens.accepted(token)
                return answer
            status = answer.status
            if answer.answers or status not in REFUSALS_OF_TOKENS:
                raise NoAnswer(UNFIT, f"an answer {status} that is not the backend's to this request")
        raise NoAnswer("token_refused", f"VX11_SERVICE_TOKEN is not accepted there (status {status})")

    async def _send(self, question: Question, token: str) -> BackendAnswer:
        request = self._request(question, token)
        try:
            response = await self._client.send(request)
        except httpx2.LocalProtocolError:
            # Nothing was sent: a header of the caller's is none. It must not look as if the backend had failed.
            raise ApiError("bad_request") from None
        try:
            answers = response.headers.get(delegation.OPERATOR, "")
            body = await self._body_of(response) if answers == question.asked_by else b""
            passed_on = {name: response.headers[name] for name in PASSED_ON_HEADERS if name in response.headers}
            return BackendAnswer(response.status_code, passed_on, body, answers)
        finally:
            await response.aclose()

    async def _body_of(self, response: httpx2.Response) -> bytes:
        """The body as it came. Raises NoAnswer for what cannot be passed on."""
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in CONTENT_TYPES:
            raise NoAnswer(UNFIT, f"an answer of the type {kind[:50]!r}")
        return await self._client.read_body(response)

    def _request(self, question: Question, token: str) -> httpx2.Request:
        """Raises ApiError for what cannot be written, or is too long for a proxy or the backend."""
        try:
            url = httpx2.URL(self._url + question.path + (f"?{question.query}" if question.query else ""))
        except httpx2.InvalidURL:
            raise ApiError("bad_request") from None
        # As they came: the backend says what is wrong with them.
        fields = [(name.encode(), value.encode("latin-1")) for name, value in question.headers.items()]
        if len(url.raw_path) + sum(len(name) + len(value) for name, value in fields) > HEAD_LIMIT_BYTES:
            raise ApiError("bad_request", title="The address and its headers are too long.")
        fields.append((b"X-VX11-Token", token.encode()))
        return self._client.build_request(question.method, url, content=question.body, headers=fields)

    def _log_trouble(self, trouble: str) -> None:
        """A line in the log when trouble begins, when its kind changes, and when it is over."""
        if trouble and trouble != self._trouble and not trouble.startswith("spared"):
            logger.error("the backend is unavailable: %s", trouble)
        elif self._trouble and not trouble:
            logger.warning("the backend answers again")
        if not trouble.startswith("spared"):
            self._trouble = trouble


def tls_for(url: str) -> ssl.SSLContext | bool:
    """How a backend proves who it is, and this gateway to it. Raises OSError (ssl.SSLError) for files that do not fit.

    Without VX11_BACKEND_TLS_CA by the system's authorities, so that a site's own can be among them.
    """
    if urlsplit(url).scheme != "https":
        return True
    context = ssl.create_default_context(cafile=settings.BACKEND_TLS_CA or None)
    if settings.BACKEND_TLS_CERT:
        # Without a passphrase: OpenSSL would ask for it on the terminal.
        key = settings.BACKEND_TLS_KEY or None
        context.load_cert_chain(settings.BACKEND_TLS_CERT, key, password=lambda: "")
    return context


def _backend_of_the_settings() -> Backend:
    reading = partial(settings.ENVIRONMENT.tokens_now, "VX11_SERVICE_TOKEN")
    return Backend(settings.BACKEND_URL, ServiceTokens(reading))


# This process's.
the_backend = PerLoop(_backend_of_the_settings)
