"""Behind a proxy with its defaults: streams are not held back, requests not smuggled, answers not mixed up."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.client import API, Client, Json
from tests.conftest import OwnStack
from tests.security.nginx import PrivateNginx
from tests.server.wire import Wire
from tests.stacks import HEARTBEAT_SECONDS, Stack
from tests.waiting import wait_until

STREAM = f"{API}/events/stream"
EVENTS = f"{API}/events"
POST = f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
# What a smuggler hides behind the first request. Asked for openly it is answered 404, and the word is in our log.
HIDDEN = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKS = f"0\r\n\r\n{HIDDEN}"
# How many keep-alives show that they come on time.
KEEP_ALIVES = 2


# --- streams ---


def test_s09_the_greeting_comes_through_a_proxy_at_once(proxied: Client) -> None:
    with proxied.stream(token=proxied.ticket(), correlation_id="nobody-uses-this") as stream:
        assert "x-accel-buffering" not in stream.response.headers, "nginx has understood it"
        assert next(stream.frames).retry_ms is not None
        assert stream.connected().data["heartbeat_sec"] == HEARTBEAT_SECONDS


def test_s10_a_quiet_stream_is_kept_alive_through_a_proxy(proxied: Client) -> None:
    times: list[float] = []
    with proxied.stream(token=proxied.ticket(), correlation_id="nobody-uses-this") as stream:
        for line in stream.response.iter_lines():
            if line.startswith(": keep-alive "):
                times.append(time.monotonic())
            if len(times) > KEEP_ALIVES:
                break
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    # Neither in heaps nor late. The server looks once a second, and this machine does other things as well.
    assert all(HEARTBEAT_SECONDS / 2 < gap < 3 * HEARTBEAT_SECONDS for gap in gaps), gaps


def test_s09_an_event_comes_through_a_proxy_as_it_happens(
    proxied: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    with proxied.stream(token=proxied.ticket(), correlation_id=marker) as stream:
        stream.connected()
        event_id = service.published(new_event())["event_id"]
        assert stream.event()["event_id"] == event_id


# --- smuggling ---

SMUGGLING = {
    "x01 length and chunks": f"{POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}",
    "x01 chunks and length": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n{CHUNKS}",
    "x02 two lengths": f"{POST}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{{}}{HIDDEN}",
    "x02 a length twice": f"{POST}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}{HIDDEN}",
    "x02 a list of lengths": f"{POST}Content-Length: 2, 2\r\n\r\n{{}}{HIDDEN}",
    "x03 plus": f"{POST}Content-Length: +2\r\n\r\n{{}}{HIDDEN}",
    "x03 hexadecimal": f"{POST}Content-Length: 0x2\r\n\r\n{{}}{HIDDEN}",
    "x03 unknown coding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n{CHUNKS}",
    "x03 two codings": f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n{CHUNKS}",
    "x03 chunked twice": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}",
    "x03 space before the colon": f"{POST}Transfer-Encoding : chunked\r\nContent-Length: 6\r\n\r\n{CHUNKS}",
    "x03 vertical tab in the coding": f"{POST}Transfer-Encoding: \x0bchunked\r\n\r\n{CHUNKS}",
}


def of_case(id: str) -> list[str]:
    return [name for name in SMUGGLING if name.startswith(id)]


def assert_no_second_answer(stack: Stack, url: str, attempt: str) -> None:
    """One refusal, then the end; and no server was asked for what was hidden."""
    before = [server.process.log().count("/smuggled") for server in stack.servers]
    with Wire(url) as wire:
        wire.send(SMUGGLING[attempt])
        answer = wire.answer()
        # nginx says 501 to codings that it does not know.
        assert answer.status in ((400,) if url == stack.a.url else (400, 501))
        assert wire.rest() == b""
    assert stack.client(None).get("/health").status_code == 200
    assert [server.process.log().count("/smuggled") for server in stack.servers] == before


@pytest.fixture(params=["direct", "proxied"])
def url(request: pytest.FixtureRequest, stack: Stack) -> str:
    return stack.a.url if request.param == "direct" else request.getfixturevalue("shared_nginx").url


@pytest.mark.parametrize("attempt", of_case("x01"))
def test_x01_length_and_chunks_at_once_are_refused(stack: Stack, url: str, attempt: str) -> None:
    assert_no_second_answer(stack, url, attempt)


@pytest.mark.parametrize("attempt", of_case("x02"))
def test_x02_two_lengths_are_refused(stack: Stack, url: str, attempt: str) -> None:
    assert_no_second_answer(stack, url, attempt)


@pytest.mark.parametrize("attempt", of_case("x03"))
def test_x03_lengths_and_codings_that_can_be_read_in_two_ways_are_refused(stack: Stack, url: str, attempt: str) -> None:
    assert_no_second_answer(stack, url, attempt)


def test_x01_what_was_hidden_would_be_seen_if_it_were_answered(stack: Stack, url: str) -> None:
    with Wire(url) as wire:
        wire.send(HIDDEN)
        assert wire.answer().status == 404
    wait_until(lambda: any("/smuggled" in server.process.log() for server in stack.servers), "it is in a log")


# --- caches ---


@pytest.fixture
def cache(stack: Stack) -> Iterator[PrivateNginx]:
    with PrivateNginx(stack.servers, caches=True) as nginx:
        yield nginx


def test_w11_nobody_gets_what_a_cache_kept_for_somebody_else(stack: Stack, cache: PrivateNginx, marker: str) -> None:
    service = stack.client(stack.service_token)
    service.published([{"event_type": "a", "summary": "a", "module": m, "correlation_id": marker} for m in "ab"])
    tokens = [stack.issue_token("principal", modules=(module,))[0] for module in ("a", "b")]
    for path in (EVENTS, f"{API}/events/stats", f"{API}/window/status", "/metrics"):
        for token in tokens:
            client = Client(cache.url, token=token, credentials=stack.credentials)
            answer = client.get(path, params={"correlation_id": marker})
            assert answer.headers["x-cache"] == "MISS"
            assert "no-store" in answer.headers["cache-control"]
            if path == EVENTS:
                assert {event["module"] for event in answer.json()["events"]} == {"ab"[tokens.index(token)]}
    nobody = Client(cache.url, token=None, credentials=set())
    assert nobody.get(EVENTS, params={"correlation_id": marker}).status_code == 401


def test_w11_a_cache_keeps_what_is_the_same_for_all(cache: PrivateNginx) -> None:
    client = Client(cache.url, token=None, credentials=set())
    script = "/static/events/event-client.js"
    assert [client.get(script).headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]


# --- the server behind it is gone ---


def test_l03_only_below_crit_nginx_logs_a_ticket_and_that_ticket_is_worth_one_stream(own_stack: OwnStack) -> None:
    stack = own_stack()
    ticket = stack.client(stack.principal_token).ticket()
    with PrivateNginx([stack.a]) as nginx, PrivateNginx([stack.a], error_level="error") as talkative:
        stack.a.stop()
        for proxy in (nginx, talkative):
            nobody = Client(proxy.url, token=None, credentials=stack.credentials)
            assert nobody.get(STREAM, params={"token": ticket}).status_code == 502
        assert ticket in talkative.error_log()
        assert ticket not in nginx.error_log() + nginx.access_log() + talkative.access_log()
        assert STREAM in nginx.access_log()
    stack.a.start()
    leaked = stack.client(None)
    # Without Redis it ended with the process.
    assert leaked.stream_status(token=ticket) == (200 if stack.size == "scaled" else 401)
    assert leaked.stream_status(token=ticket) == 401
