"""The access log: every answered request is a line that can be joined with the audit by its correlation id."""

import secrets

import httpx2
import pytest

from tests.client import API, LOOPBACK, Client, raw_request
from tests.stacks import Stack
from tests.waiting import wait_until

# More than any address takes.
BODY_BYTES = 8 * 1024 * 1024


def line_of(stack: Stack, what: str) -> str:
    """The access log's line that holds `what`, when it is written."""

    def lines() -> list[str]:
        return [line for line in stack.a.process.log().splitlines() if " vx11.access " in line and what in line]

    return wait_until(lines, f"the access log shows {what}")[0]


@pytest.mark.parametrize("path", [f"{API}/events", f"{API}/events/stream", "/health", "/operator/login/", "/nowhere"])
def test_a_line_carries_the_correlation_id_that_the_client_was_told(stack: Stack, path: str) -> None:
    mark = secrets.token_hex(8)
    response = stack.client(None).get(f"{path}?mark={mark}")
    assert f"[{response.headers['X-Correlation-Id']}]" in line_of(stack, mark)


def test_a_line_carries_the_correlation_id_that_the_client_gave(principal: Client, stack: Stack, marker: str) -> None:
    mark = secrets.token_hex(8)
    principal.get(f"{API}/events?correlation_id={mark}", headers={"X-Correlation-Id": marker})
    assert f"[{marker}]" in line_of(stack, mark)


def test_a_line_of_what_daphne_refuses_itself_carries_the_id_of_its_answer(stack: Stack) -> None:
    mark = secrets.token_hex(8)
    request = f"GET /health?mark={mark} HTTP/1.1\r\nHost: localhost\r\nX-Bad: a\x0cb\r\n\r\n"
    answer = raw_request(stack.a.url, request.encode())
    assert answer.status == 400
    assert f"[{answer.headers['x-correlation-id']}]" in line_of(stack, mark)


def test_a_line_of_a_body_that_is_too_large_carries_the_id_of_its_answer(stack: Stack) -> None:
    mark = secrets.token_hex(8)
    request = f"POST {API}/events?mark={mark} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    answer = raw_request(stack.a.url, [request.encode(), b"x" * BODY_BYTES])
    assert answer.status == 413
    assert f"[{answer.headers['x-correlation-id']}]" in line_of(stack, mark)


def test_requests_on_one_connection_do_not_take_each_others_ids(stack: Stack) -> None:
    marks = [secrets.token_hex(8) for _ in range(3)]
    with httpx2.Client(base_url=stack.a.url, **LOOPBACK) as client:
        ids = [client.get(f"/health?mark={mark}").headers["X-Correlation-Id"] for mark in marks]
    assert len(set(ids)) == 3
    for mark, correlation_id in zip(marks, ids, strict=True):
        assert f"[{correlation_id}]" in line_of(stack, mark)
