"""The backend, as its gateway asks it: one client for the process, bounded in time, connections and bytes.

An answer counts only if it says for whom it is, as a backend does that has accepted the gateway's own token. Whatever
else comes, or does not come, is one thing to whoever asked: the backend is unavailable.
"""

import asyncio
import dataclasses
import logging
import random
import ssl
import time
from collections.abc import Mapping
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from gateway import metrics
from gateway.backend import delegation
from gateway.backend.breaker import Breaker
from gateway.backend.service_tokens import ServiceTokens
from gateway.http.errors import ApiError
from ledger.per_loop import PerLoop

logger = logging.getLogger(__name__)

# In all: connection, a second try, the answer's last byte. Front ends give up after five.
ANSWER_SECONDS = 3.0
# One of several hosts behind a name may be gone without a word; then there is time to ask another.
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
# One request at a time finds out whether it is back.
BREAKER_PAUSE_SECONDS = 2.0
PASSED_ON_HEADERS = ("Content-Type", "Retry-After", "WWW-Authenticate")
CONTENT_TYPES = frozenset({"application/json", "application/problem+json"})
# What is answered to a token that is unknown, lacks the right, or failed too often.
REFUSALS_OF_TOKENS = frozenset({401, 403, 429})
# The request cannot have been read by anybody.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """A request for the backend. `path` is relative to its /api/; `asked_by` is the operator's public id, or nobody."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    asked_by: str = delegation.NOBODY

    @property
    def may_repeat(self) -> bool:
        return self.method == "GET"


@dataclasses.dataclass(frozen=True, slots=True)
class BackendAnswer:
    """What came back; `answers` says for whom, "" if that is not said."""

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
        self._breaker = Breaker(pause_seconds=BREAKER_PAUSE_SECONDS)
        self._asking = 0
        self._trouble = ""
        # The system's authorities, so that a site's own can be among them.
        verify = ssl.create_default_context() if urlsplit(url).scheme == "https" else True
        self._client = httpx.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "vx11-operator"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(
                max_connections=CONNECTIONS_LIMIT,
                max_keepalive_connections=CONNECTIONS_LIMIT,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            ),
            # The token is for this address alone, and neither a proxy nor a password of this machine is meant for it.
            follow_redirects=False,
            trust_env=False,
            verify=verify,
            # What a proxy before the backend gives one operator's request is not for the next one's.
            cookies=no_cookies(),
        )

    @property
    def is_away(self) -> bool:
        """As far as the last requests tell."""
        return self._breaker.is_open

    async def ask(self, question: Question) -> BackendAnswer:
        """The backend's answer, whatever its status below 500. Raises BackendUnavailable, ApiError."""
        started, outcome = time.perf_counter(), "given_up"
        try:
            answer = await self._ask_while_it_answers(question)
            outcome = "answered"
        except BackendUnavailable as unavailable:
            outcome = unavailable.outcome
            self._log_trouble(f"{unavailable.outcome}: {unavailable}")
            raise
        finally:
            metrics.FORWARDED.labels(outcome).inc()
            metrics.FORWARD_SECONDS.observe(time.perf_counter() - started)
            metrics.BACKEND_AWAY.set(self.is_away)
        self._log_trouble("")
        return answer

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask_while_it_answers(self, question: Question) -> BackendAnswer:
        if self._asking >= QUESTIONS_LIMIT:
            raise BackendUnavailable("busy", f"{QUESTIONS_LIMIT} requests wait for it")
        turn = self._breaker.turn()
        if turn is None:
            raise BackendUnavailable("spared", "it failed too often of late")
        self._asking += 1
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._ask_with_one_retry(question)
        except (TimeoutError, httpx.TimeoutException):
            turn.failed()
            raise BackendUnavailable("late", f"no answer within {ANSWER_SECONDS:g} s") from None
        except (httpx.HTTPError, OSError) as error:
            turn.failed()
            raise BackendUnavailable("away", type(error).__name__) from None
        except BackendUnavailable:
            turn.failed()
            raise
        except BaseException:
            turn.gave_up()
            raise
        finally:
            self._asking -= 1
        # Somebody is there, even if it was no good answer.
        turn.succeeded()
        if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise BackendUnavailable("failed", f"it answered {answer.status}")
        return answer

    async def _ask_with_one_retry(self, question: Question) -> BackendAnswer:
        """Again where that can do no harm: nobody has read it yet, or it changes nothing."""
        try:
            answer = await self._ask_with_a_good_token(question)
            if answer.status != httpx.codes.SERVICE_UNAVAILABLE or not question.may_repeat:
                return answer
        except UNSENT:
            pass
        except httpx.TimeoutException:
            raise
        except httpx.TransportError:
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
                raise BackendUnavailable("unfit", f"an answer {status} that is not the backend's to this request")
        raise BackendUnavailable("token_refused", f"VX11_SERVICE_TOKEN is not accepted there (status {status})")

    async def _send(self, question: Question, token: str) -> BackendAnswer:
        request = self._request(question, token)
        try:
            response = await self._client.send(request, stream=True)
        except httpx.LocalProtocolError:
            # Nothing was sent: a header of the caller's is none. It must not look as if the backend had failed.
            raise ApiError("bad_request") from None
        try:
            answers = response.headers.get(delegation.OPERATOR, "")
            body = await _body_of(response) if answers == question.asked_by else b""
            passed_on = {name: response.headers[name] for name in PASSED_ON_HEADERS if name in response.headers}
            return BackendAnswer(response.status_code, passed_on, body, answers)
        finally:
            await response.aclose()

    def _request(self, question: Question, token: str) -> httpx.Request:
        """Raises ApiError for what cannot be written, or is too long for somebody on the way."""
        try:
            url = httpx.URL(self._url + question.path + (f"?{question.query}" if question.query else ""))
        except httpx.InvalidURL:
            raise ApiError("bad_request") from None
        # As they came: the backend says what is wrong with them.
        fields = [(name.encode(), value.encode("latin-1")) for name, value in question.headers.items()]
        if len(url.raw_path) + sum(len(name) + len(value) for name, value in fields) > HEAD_LIMIT_BYTES:
            raise ApiError("bad_request", title="The address and its headers are too long.")
        fields.append((b"X-VX11-Token", token.encode()))
        return self._client.build_request(question.method, url, content=question.body, headers=fields)

    def _log_trouble(self, trouble: str) -> None:
        """The log hears of trouble when it begins, when it becomes another, and when it is over."""
        if trouble and trouble != self._trouble and not trouble.startswith("spared"):
            logger.error("the backend is unavailable: %s", trouble)
        elif self._trouble and not trouble:
            logger.warning("the backend answers again")
        if not trouble.startswith("spared"):
            self._trouble = trouble


async def _body_of(response: httpx.Response) -> bytes:
    """The body as it came. Raises BackendUnavailable for what cannot be passed on."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in CONTENT_TYPES or "Content-Encoding" in response.headers:
        raise BackendUnavailable("unfit", f"an answer of the type {kind[:50]!r}")
    try:
        return await read_raw(response, most_bytes=ANSWER_LIMIT_BYTES)
    except ValueError as error:
        raise BackendUnavailable("unfit", str(error)) from None


async def read_raw(response: httpx.Response, *, most_bytes: int) -> bytes:
    """The body as it comes over the wire. Raises ValueError as soon as it is longer."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most_bytes:
            raise ValueError(f"an answer of more than {most_bytes} bytes")
    return bytes(body)


def no_cookies() -> CookieJar:
    """A jar that keeps none."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def _backend_of_the_settings() -> Backend:
    reading = partial(settings.ENVIRONMENT.tokens_now, "VX11_SERVICE_TOKEN")
    return Backend(settings.BACKEND_URL, ServiceTokens(reading))


# This process's.
the_backend = PerLoop(_backend_of_the_settings)
