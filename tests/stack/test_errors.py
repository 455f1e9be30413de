"""One error body everywhere, correlation ids, the alias of the API, and HTTP that is not HTTP."""

import re
import uuid
from collections.abc import Callable
from http import HTTPStatus

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json, RawAnswer, raw_request
from tests.stacks import Stack

READ_PATHS = [f"{API}/events", f"{API}/events/stats", f"{API}/window/status"]
CREDENTIALS_OF_ONE_ROLE = [*READ_PATHS, f"{API}/events/stream", f"{API}/events/sse-token"]


@pytest.mark.parametrize(
    "path", ["/nowhere", f"{API}/nowhere", f"{API}/v1/nowhere", f"{API}/events/", f"{API}/events/stream/", f"{API}/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_and_a_trailing_slash_are_not_found(principal: Client, method: str, path: str) -> None:
    assert_problem(principal.request(method, path), 404, "not_found")


@pytest.mark.parametrize("path", [*CREDENTIALS_OF_ONE_ROLE, "/health", "/ready"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_x08_a_method_that_is_not_offered_is_not_allowed(principal: Client, path: str, method: str) -> None:
    answer = principal.request(method, path)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


def test_x08_connect_is_refused(stack: Stack) -> None:
    answer = raw_request(stack.a.url, b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
    assert 400 <= answer.status < 500


# --- correlation ids ---


@pytest.mark.parametrize("sent", ["abc", "A.b_c-1", "x" * 64])
def test_the_callers_correlation_id_comes_back(principal: Client, sent: str) -> None:
    for path in (f"{API}/events", f"{API}/nowhere", "/health"):
        assert principal.get(path, headers={"X-Correlation-Id": sent}).headers["x-correlation-id"] == sent


@pytest.mark.parametrize("sent", ["x" * 65, "a b", "a;b", "ü", "<script>", ""])
def test_a_correlation_id_of_another_shape_is_replaced(principal: Client, sent: str) -> None:
    got = principal.get(f"{API}/events", headers={"X-Correlation-Id": sent.encode()})
    assert uuid.UUID(got.headers["x-correlation-id"]).version == 4


def test_every_answer_has_a_correlation_id_of_its_own(stack: Stack) -> None:
    answers = [stack.client(None).get(path) for path in ("/health", "/health", f"{API}/events", "/nowhere")]
    assert len({answer.headers["x-correlation-id"] for answer in answers}) == 4


# --- the alias, caching, health ---


def test_v1_is_an_alias_of_every_path(
    stack: Stack, principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    v1 = f"{API}/v1"
    ticket = principal.post(f"{v1}/events/sse-token").json()["sse_token"]
    with stack.client(None).stream(path=f"{v1}/events/stream", token=ticket) as stream:
        stream.connected()
        event_id = service.post(f"{v1}/events", json=new_event()).json()["event_id"]
        assert stream.next(lambda frame: frame.data.get("event_id") == event_id, "the event")
    assert principal.get(f"{v1}/events", params={"correlation_id": marker}).json()["total"] == 1
    assert principal.get(f"{v1}/window/status").status_code == 200
    assert principal.get(f"{v1}/events/stats").status_code == 200


@pytest.mark.parametrize("path", READ_PATHS)
def test_w11_what_needs_a_credential_is_never_stored_by_caches(principal: Client, path: str) -> None:
    assert principal.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("header", [{}, {"X-VX11-Token": "wrong"}, {"Cookie": "sessionid=wrong"}])
def test_health_and_readiness_are_public_and_ignore_credentials(stack: Stack, header: dict[str, str]) -> None:
    stranger = stack.client(None)
    assert stranger.get("/ready", headers=header).status_code == 200
    health = stranger.get("/health", headers=header)
    assert health.status_code == 200
    assert health.json().keys() >= {"status", "module", "version"}
    assert (health.json()["status"], health.json()["module"]) == ("ok", "tentaculo_link")


def test_window_status_is_complete_while_no_window_is_open(principal: Client) -> None:
    body = principal.get(f"{API}/window/status").json()

    fields = "mode ttl_seconds window_id services degraded reason opened_by created_at deadline chat_enabled cursor"
    assert body.keys() >= set(fields.split())
    assert (body["mode"], body["ttl_seconds"], body["window_id"]) == ("solo_madre", None, None)
    assert body["services"] == ["madre", "redis", "tentaculo_link"]
    assert principal.polled(since=body["cursor"])["events"] is not None
    for alias in ("chat/window/status", "windows"):
        assert principal.get(f"{API}/{alias}").json()["mode"] == "solo_madre"


# --- credentials that are not where they belong ---


def test_x04_a_header_with_underscores_is_no_credential(stack: Stack) -> None:
    request = f"GET {API}/events HTTP/1.1\r\nHost: localhost\r\nX_VX11_Token: {stack.principal_token}\r\n\r\n"
    assert raw_request(stack.a.url, request.encode()).json()["reason"] == "missing_token"


def test_w02_no_foreign_origin_is_reflected(principal: Client) -> None:
    for origin in ("https://evil.example", "null", f"{principal.url}.evil"):
        answer = principal.get(f"{API}/events", headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers


# --- HTTP that is not HTTP ---

MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "two lengths": b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "signed length": b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\nab",
    "length in hexadecimal": b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x2\r\n\r\nab",
    "unknown coding": b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunk of no size": b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


def test_a_status_comes_with_its_words(principal: Client) -> None:
    assert principal.poll(limit=0).reason_phrase == HTTPStatus(422).phrase
    assert principal.get("/nowhere").reason_phrase == HTTPStatus(404).phrase


@pytest.mark.parametrize("name", MALFORMED)
def test_x01_malformed_http_is_a_bad_request_and_the_server_lives(stack: Stack, name: str) -> None:
    answer = raw_request(stack.a.url, MALFORMED[name])
    assert answer.status == 400
    assert stack.client(None).get("/health").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "", "a b", "localhost:port"])
def test_a_host_that_is_not_ours_is_refused_in_the_one_body(stack: Stack, host: str) -> None:
    answer = raw_request(stack.a.url, f"GET {API}/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert_problem(as_response(answer), 400, "bad_request")


def as_response(raw: RawAnswer) -> httpx2.Response:
    return httpx2.Response(raw.status, headers=dict(raw.headers), content=raw.body)


@pytest.mark.parametrize(
    "path", ["/%00", f"{API}/%ff", f"{API}/events/..%2f", f"{API}/events?%00=%ff", "/" + "a" * 8000]
)
def test_a_strange_path_is_answered_without_an_exception(principal: Client, path: str) -> None:
    # A server that logs a traceback fails this test at its end.
    answer = principal.get(path)
    assert answer.status_code < 500
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["x-correlation-id"])
