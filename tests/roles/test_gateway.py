"""A gateway: what it passes on, and what never leaves it."""

import json
import secrets

import pytest

from gateway.backend.delegation import OPERATOR
from tests.answers import assert_problem
from tests.client import API, Client, raw_request
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.roles.asking import in_the_name_of
from tests.stack.operators import close_window, operator, window, window_events
from tests.stacks import Stack

JSON = {"Content-Type": "application/json"}
ANSWERED = 'vx11_forwarded_total{outcome="answered"}'


def test_headers_of_identity_that_a_client_sends_do_not_leave_the_gateway(stack: Stack, principal: Client) -> None:
    one, _ = operator(stack)
    other, other_id = operator(stack)
    with window(principal):
        assert one.post(f"{API}/settings", json={"settings": {"of": "one"}}).status_code == 200
        assert other.post(f"{API}/settings", json={"settings": {"of": "other"}}).status_code == 200
        forged = in_the_name_of(other_id, "chat:read_all", "window:write")
        read = one.get(f"{API}/settings", headers=forged)
        assert read.json()["settings"] == {"of": "one"}
        assert OPERATOR not in read.headers
        assert_problem(one.get(f"{API}/chat?principal={other_id}", headers=forged), 403, "insufficient_scope")
    stranger = stack.client(None)
    assert_problem(stranger.get(f"{API}/settings", headers=forged), 401, "missing_token")


def test_one_correlation_id_goes_through_both(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_LOG_FORMAT="json")
    principal = stack.client(stack.principal_token)
    correlation_id = f"both-{secrets.token_hex(8)}"
    since = principal.cursor()
    opened = principal.post(f"{API}/window/open", json={}, headers={"X-Correlation-Id": correlation_id})
    assert opened.headers["X-Correlation-Id"] == correlation_id
    (event,) = window_events(principal, since, opened.json()["window_id"])
    assert event["correlation_id"] == correlation_id
    paths = {}
    for server in (stack.a, stack.backends[0]):
        lines = [json.loads(line) for line in server.process.log().splitlines() if correlation_id in line]
        paths[server.port] = [line.get("path") for line in lines if line["logger"] == "vx11.access"]
    assert list(paths.values()) == [[f"{API}/window/open"], ["/api/window/open"]]


@pytest.mark.parametrize(
    "path",
    [
        "/api/status",
        "/api/window/open",
        f"{API}/ready",
        f"{API}/figures",
        f"{API}/modules/..",
        f"{API}/modules/%2e%2e",
        f"{API}/modules/..%2fstatus",
        f"{API}/modules/a%3fb",
        f"{API}/modules/a%20b",
        f"{API}/window/../status",
        f"{API}/v1/api/status",
    ],
)
def test_only_known_addresses_are_forwarded(path: str, stack: Stack, principal: Client) -> None:
    before = stack.backends[0].process.log().count("/api/")
    # In bytes: a client would make another path of some of them.
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-VX11-Token: {principal.token}\r\n\r\n"
    answer = raw_request(stack.a.url, head.encode())
    assert (answer.status, answer.json()["reason"]) == (404, "not_found")
    assert stack.backends[0].process.log().count("/api/") == before


def test_a_head_and_options_are_answered_as_in_one_process(stack: Stack, principal: Client) -> None:
    head = principal.request("HEAD", f"{API}/status")
    assert (head.status_code, head.content) == (200, b"")
    allowed = principal.request("OPTIONS", f"{API}/chat").headers["Allow"]
    assert set(allowed.split(", ")) == {"GET", "POST", "OPTIONS", "HEAD"}
    assert_problem(principal.request("DELETE", f"{API}/chat"), 405, "method_not_allowed")


def test_refusals_come_through_as_they_are(stack: Stack, principal: Client) -> None:
    close_window(principal)
    assert_problem(principal.post(f"{API}/window/open", content=b"{", headers=JSON), 400, "malformed_json")
    packed = JSON | {"Content-Encoding": "gzip"}
    refused = principal.post(f"{API}/window/open", content=b"x", headers=packed)
    assert_problem(refused, 415, "unsupported_media_type")
    assert_problem(principal.post(f"{API}/chat", content=b"x" * 300_000), 413, "payload_too_large")
    policy = principal.post(f"{API}/chat", json={"message": "hello"})
    assert (policy.status_code, policy.headers["Content-Type"]) == (403, "application/json")
    assert policy.json()["correlation_id"] == policy.headers["X-Correlation-Id"]
    assert policy.headers["Cache-Control"] == "no-store"


def test_what_is_forwarded_is_counted(stack: Stack, principal: Client) -> None:
    before = metric(principal, ANSWERED)
    principal.get(f"{API}/status")
    assert metric(principal, ANSWERED) > before
    assert metric(principal, "vx11_forward_seconds_count") > 0
    assert metric(principal, "vx11_backend_away") == 0
