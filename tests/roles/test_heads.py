"""Requests that are meant to deceive a gateway or its backend, and addresses that lead round in a circle."""

import json

import pytest

from gateway.backend.breaker import FAILURES_LIMIT
from gateway.backend.delegation import OPERATOR
from tests.client import API, Client, RawAnswer, raw_request
from tests.conftest import OwnStack
from tests.roles.asking import backend_client, in_the_name_of
from tests.stack.operators import close_window, operator, window
from tests.stacks import Stack
from tests.waiting import wait_until

BODY = b'{"message": "hello"}'
MORE = 2 * FAILURES_LIMIT


def sent(url: str, line: str, *fields: str, body: bytes = b"") -> RawAnswer:
    """As written: no client corrects it."""
    head = "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *fields, f"Content-Length: {len(body)}", "", ""])
    return raw_request(url, head.encode("latin-1") + body)


@pytest.mark.parametrize(
    ("path", "field", "statuses"),
    [
        ("chat", "Idempotency-Key: caf\xe9", {422}),
        ("chat", "Idempotency-Key: a\x0bb", {400}),
        ("chat", "Content-Type: application/json\x0c", {400, 415}),
        ("chat", "Content-Type: \xff\xfe", {415}),
        ("chat?a=" + "b" * 15_000, "X-Other: x", {400}),
        ("chat?a=" + '"' * 5_000, "X-Other: x", {400}),
        ("chat", "Idempotency-Key: " + "k" * 15_000, {400}),
    ],
    ids=["bytes", "vertical tab", "form feed", "no text", "long", "longer when written", "long header"],
)
def test_no_caller_can_make_the_backend_look_as_if_it_were_away(
    path: str, field: str, statuses: set[int], stack: Stack, principal: Client
) -> None:
    kind = () if field.startswith("Content-Type") else ("Content-Type: application/json",)
    with window(principal):
        for _ in range(MORE):
            token = f"X-VX11-Token: {principal.token}"
            answer = sent(stack.a.url, f"POST {API}/{path}", token, field, *kind, body=BODY)
            assert answer.status in statuses, answer
        assert principal.get(f"{API}/window/status").json()["mode"] == "window_active"


@pytest.mark.parametrize("name", ["X_VX11_Operator", "x-vx11-operator", "X-VX11-OPERATOR"])
def test_however_a_client_writes_the_name_of_an_operator_it_is_not_his(name: str, stack: Stack) -> None:
    one, one_id = operator(stack)
    _, other_id = operator(stack)
    fields = [f"{name}: {other_id}", f"{name}_Scopes: chat:read_all", f"Connection: {OPERATOR}, X-VX11-Token"]
    answer = sent(stack.a.url, f"GET {API}/chat?principal={one_id}", f"X-VX11-Token: {one.token}", *fields)
    assert answer.status == 200
    answer = sent(stack.a.url, f"GET {API}/chat?principal={other_id}", f"X-VX11-Token: {one.token}", *fields)
    assert (answer.status, answer.json()["reason"]) == (403, "insufficient_scope")


def test_a_backend_takes_no_name_that_stands_twice_or_with_underscores(stack: Stack) -> None:
    forwarder = backend_client(stack, stack.issue_token("service", scopes=("operator:forward",))[0])
    _, one = operator(stack)
    _, other = operator(stack)
    delegated = [f"{name}: {value}" for name, value in in_the_name_of(one, "chat:write").items()]
    fields = [f"X-VX11-Token: {forwarder.token}", *delegated]
    url = stack.backends[0].url
    assert sent(url, "GET /api/chat", *fields).status == 200
    for more in (f"{OPERATOR}: {other}", f"{OPERATOR}: {one}", f"{OPERATOR}-Scopes: chat:read_all"):
        assert sent(url, "GET /api/chat", *fields, more).status == 400, more
    underscored = sent(url, f"GET /api/chat?principal={other}", *fields, f"X_VX11_Operator: {other}")
    assert underscored.status == 403
    two_tokens = sent(url, "GET /api/chat", *fields, "Authorization: Bearer vx11s_another")
    assert (two_tokens.status, two_tokens.json()["reason"]) == (400, "ambiguous_credentials")


def test_bodies_of_two_lengths_are_refused_and_chunks_and_old_clients_are_read(stack: Stack, principal: Client) -> None:
    token = f"X-VX11-Token: {principal.token}\r\nContent-Type: application/json\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    start = f"POST {API}/chat HTTP/1.%d\r\nHost: localhost\r\n{token}"
    both = start % 1 + f"Content-Length: {len(BODY)}\r\nTransfer-Encoding: chunked\r\n\r\n"
    two = start % 1 + f"Content-Length: {len(BODY)}\r\nContent-Length: 0\r\n\r\n"
    with window(principal):
        assert raw_request(stack.a.url, both.encode() + chunks).status == 400
        assert raw_request(stack.a.url, two.encode() + BODY).status == 400
        chunked = (start % 1 + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunks
        old = (start % 0 + f"Content-Length: {len(BODY)}\r\n\r\n").encode() + BODY
        for request in (chunked, old):
            answer = raw_request(stack.a.url, request)
            assert (answer.status, json.loads(answer.body)["degraded"]) == (200, False)


def test_a_gateway_whose_backend_is_a_gateway_says_so_and_nothing_goes_round(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_PUBLIC_ENTRY_POINTS="status")
    stack.a.stop()
    stack.a.environment["VX11_BACKEND_URL"] = f"{stack.a.url}/operator"
    # The token that the gateway calls with may look at status, so that would be forwarded again.
    stack.a.start()
    principal, nobody = stack.client(stack.principal_token), stack.client(None)
    stack.a.new_log()
    for client in (principal, nobody):
        assert client.get(f"{API}/status").json()["policy"] == "degraded"
    wait_until(lambda: "/operator/api/status" in stack.a.process.log(), "the access log is written")
    lines = [line for line in stack.a.process.log().splitlines() if "vx11.access" in line and "/api/status" in line]
    assert len(lines) <= 4, "each request went to the gateway itself once"
    close_window(stack.client(stack.principal_token, server=stack.b))
