"""Trials: each tries one function from outside. It yields findings, or raises the error of the request."""

import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from events.log import SMOKE_EVENT_TYPE
from vx11_client.http_answers import ServerRefused, problem_text
from vx11_client.reading.sse_parser import SseMessage
from vx11_site.doctor.findings import Finding, fail, ok, warn
from vx11_site.smoke.failures import REPAIRS
from vx11_site.smoke.server import API, EVENTS, MINT, SILENCE_SECONDS, OpenStream, Server, expected

PRESENCE_SECONDS = 20.0
LATE_SECONDS = 1.0
MAX_TICKET_SECONDS = 60
# A ticket is refused at the latest this long after its expiry: the store checks once a second.
EXPIRY_MARGIN_SECONDS = 2.0
NOT_BUFFERED = "a proxy must not buffer the stream: docs/runbooks/slow.md#the-network-and-the-readers"
# No valid token has this form; it is long enough to be looked up.
UNKNOWN_TOKEN = "smoke-test-unknown-token-0000000000"  # noqa: S105 - on purpose


@dataclasses.dataclass(frozen=True)
class Trial:
    """`repair` is what to do when it fails in a way that the trial itself does not explain."""

    name: str
    run: Callable[[Server], Iterator[Finding]]
    repair: str
    is_slow: bool = False


def health(server: Server) -> Iterator[Finding]:
    started = time.monotonic()
    answer = expected(server.get("/health"), 200)
    yield ok(f"{answer['module']} {answer['version']} answers in {_ms(time.monotonic() - started)}")


def readiness(server: Server) -> Iterator[Finding]:
    answer = server.get("/ready")
    if answer.status_code != 200:
        yield fail(f"not ready: {problem_text(answer)}", "docs/runbooks/service-recovery.md")
    elif degraded := expected(answer, 200).get("degraded"):
        yield warn(f"ready, without {', '.join(degraded)}", "docs/runbooks/redis-away.md")
    else:
        yield ok("database, log and store answer")


def refusals(server: Server) -> Iterator[Finding]:
    for what, token, reason in (
        ("no token", "", "missing_token"),
        ("an unknown token", UNKNOWN_TOKEN, "main_auth_failed"),
    ):
        answer = server.post(MINT, token=token)
        found = problem_text(answer)
        if answer.status_code == 401 and reason in found:
            yield ok(f"{what} is 401 {reason}")
        else:
            yield fail(f"{what} should be 401 {reason}, and is {found}", "docs/runbooks/stream-401-403.md")


def ticket(server: Server) -> Iterator[Finding]:
    answer = server.post(MINT, token=server.tokens.principal)
    body = expected(answer, 200)
    uuid.UUID(body["sse_token"])
    if not 0 < body["ttl_sec"] <= MAX_TICKET_SECONDS:
        yield fail(f"a ticket is valid for {body['ttl_sec']} s", "VX11_SSE_TOKEN_TTL_SECONDS=60")
    elif "no-store" not in answer.headers.get("Cache-Control", ""):
        yield fail("the answer with the ticket may be kept by caches", "let the proxy pass Cache-Control on unchanged")
    else:
        yield ok(f"issued in {_ms(answer.elapsed.total_seconds())}, valid for {body['ttl_sec']} s")


def stream(server: Server) -> Iterator[Finding]:
    secret = server.ticket()
    started = time.monotonic()
    with server.open_stream(ticket=secret) as opened:
        first = _connected(opened)
        took = time.monotonic() - started
    if took > LATE_SECONDS:
        yield warn(f"the first message took {_ms(took)}", "docs/runbooks/slow.md")
    else:
        yield ok(f"opened by the ticket, first message after {_ms(took)}, at {first['cursor']}")
    try:
        server.open_stream(ticket=secret).answer.close()
    except ServerRefused as refused:
        if refused.status == 401:
            yield ok("the same ticket a second time is 401")
            return
        yield fail(f"the same ticket a second time should be 401, and is {refused}", "docs/runbooks/token-abuse.md")
        return
    yield fail("one ticket opened two streams", "VX11_SSE_TOKEN_SINGLE_USE=true; docs/runbooks/token-abuse.md")


def main_token(server: Server) -> Iterator[Finding]:
    with server.open_stream(token=server.tokens.principal, event_type=SMOKE_EVENT_TYPE) as opened:
        _connected(opened)
    yield ok("a client that can send headers opens the stream with the main token")
    answer = server.get(EVENTS, token=server.ticket())
    if answer.status_code == 401:
        yield ok("a ticket opens nothing but the stream")
    else:
        yield fail(f"a ticket read events: {answer.status_code}", "docs/runbooks/token-abuse.md")


def polling(server: Server) -> Iterator[Finding]:
    body = expected(server.get(EVENTS, token=server.tokens.principal, limit=1), 200)
    yield ok(f"the log is at {body['cursor']}; {body['total']} events for this token")


def publishing(server: Server) -> Iterator[Finding]:
    if not server.tokens.service:
        yield warn("not tried: no service token", "VX11_SERVICE_TOKEN or --service-token-file, to try publishing too")
        return
    with server.open_stream(token=server.tokens.principal, event_type=SMOKE_EVENT_TYPE) as opened:
        messages = opened.messages(seconds=PRESENCE_SECONDS)
        begin = _first(messages)["cursor"]
        key = str(uuid.uuid4())
        started = time.monotonic()
        published = _publish(server, key)
        if published.status_code in (401, 403):
            yield fail(f"the service token: {problem_text(published)}", REPAIRS[published.status_code])
            return
        first = expected(published, 201)["event_id"]
        seen = _until(messages, first)
        took = time.monotonic() - started
        again = expected(_publish(server, key), 200)["event_id"]
        last = expected(_publish(server, str(uuid.uuid4())), 201)["event_id"]
        seen += _until(messages, last)
    if took > LATE_SECONDS:
        yield warn(f"an event took {_ms(took)} from publisher to reader", "docs/runbooks/lag.md")
    else:
        yield ok(f"published, committed and on the stream after {_ms(took)}")
    if again == first and seen.count(first) == 1:
        yield ok("published again under the same key: the same event, and once on the stream")
    else:
        yield fail("published again under the same key: it came twice", "docs/runbooks/lag.md")
    yield _resumed(server, begin, [first, last])


def operating(server: Server) -> Iterator[Finding]:
    token = server.tokens.principal
    window = expected(server.get(f"{API}/window/status", token=token), 200)
    status = expected(server.get(f"{API}/status", token=token), 200)
    if window["mode"] == "degraded":
        yield fail(f"it is not known whether a window is open: {window['reason']}", "docs/runbooks/service-recovery.md")
    elif status["degraded"]:
        down = [name for name, module in status["core_services"].items() if module["status"] != "UP"]
        yield warn(
            f"{window['mode']}, without {', '.join(down) or 'a core module'}", "docs/runbooks/service-recovery.md"
        )
    else:
        yield ok(f"{window['mode']}; all core modules are up")


def expiry(server: Server) -> Iterator[Finding]:
    body = expected(server.post(MINT, token=server.tokens.principal), 200)
    waited_seconds = body["ttl_sec"] + EXPIRY_MARGIN_SECONDS
    expires = time.monotonic() + waited_seconds
    beats = 0
    # The ticket's lifetime must pass; the open stream meanwhile shows that heartbeats keep it open.
    with server.open_stream(token=server.tokens.principal, event_type=SMOKE_EVENT_TYPE) as opened:
        for message in opened.messages(seconds=waited_seconds + SILENCE_SECONDS):
            beats += message.event == "heartbeat"
            if time.monotonic() > expires:
                break
    yield ok(f"a quiet stream got {beats} heartbeats in {waited_seconds:.0f} s")
    try:
        server.open_stream(ticket=body["sse_token"]).answer.close()
    except ServerRefused as refused:
        if refused.status != 401:
            raise
        yield ok("an unused ticket is 401 after its time")
        return
    yield fail("a ticket opened a stream after its time", "docs/runbooks/token-cache-growing.md")


TRIALS = (
    Trial("health", health, "is it the address of a server? docs/runbooks/service-recovery.md"),
    Trial("ready", readiness, "docs/runbooks/service-recovery.md"),
    Trial("refusals", refusals, "docs/runbooks/stream-401-403.md"),
    Trial("ticket", ticket, "docs/runbooks/stream-401-403.md"),
    Trial("stream", stream, NOT_BUFFERED),
    Trial("main token", main_token, NOT_BUFFERED),
    Trial("polling", polling, "docs/runbooks/database-away.md"),
    Trial(
        "publishing", publishing, "does the principal token see what the service token publishes? docs/runbooks/lag.md"
    ),
    Trial("operating", operating, "docs/runbooks/service-recovery.md"),
    Trial("expiry", expiry, "docs/runbooks/token-cache-growing.md", is_slow=True),
)


def _connected(opened: OpenStream) -> dict[str, Any]:
    return _first(opened.messages(seconds=PRESENCE_SECONDS))


def _first(messages: Iterator[SseMessage]) -> dict[str, Any]:
    """The body of the message that every stream begins with."""
    message = next(messages, None)
    body = json.loads(message.data) if message else {}
    if body.get("type") != "connected":
        raise ValueError("the stream did not begin with connected")
    return dict(body)


def _publish(server: Server, key: str) -> httpx2.Response:
    event = {"event_type": SMOKE_EVENT_TYPE, "summary": "manage.py smoke was here"}
    return server.post(EVENTS, token=server.tokens.service, body=event, headers={"Idempotency-Key": key})


def _until(messages: Iterator[SseMessage], event_id: str) -> list[str]:
    """The ids of the events up to this one."""
    seen: list[str] = []
    for message in messages:
        if message.event == "message":
            seen.append(str(json.loads(message.data).get("event_id")))
            if seen[-1] == event_id:
                return seen
    raise ValueError("the stream ended before the event came")


def _resumed(server: Server, cursor: str, wanted: list[str]) -> Finding:
    token = server.tokens.principal
    with server.open_stream(token=token, event_type=SMOKE_EVENT_TYPE, last_event_id=cursor, follow="false") as opened:
        bodies = [json.loads(message.data) for message in opened.messages(seconds=PRESENCE_SECONDS)]
    received = [body["event_id"] for body in bodies if body.get("event_id") in wanted]
    if received == wanted:
        return ok("a reader that comes back gets both once, in order")
    return fail(f"a reader that comes back got {len(received)} of 2 events", "docs/runbooks/lag.md")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
