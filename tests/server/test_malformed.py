"""Requests that are not HTTP, or that two readers could read in two ways: 400, the one body, and the end."""

import json
import re
from collections.abc import Callable

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Event
from tests.server.wire import Wire, request
from tests.stacks import Stack

pytestmark = pytest.mark.once

EVENTS = f"{API}/events"
STREAM = f"{API}/events/stream"
POST = f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = "GET /health HTTP/1.1\r\nHost: localhost\r\n"
# What a smuggler hides behind the first request.
HIDDEN = "GET /health?hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
CORRELATION_ID = re.compile(r"[0-9a-f-]{36}")

BROKEN_HEADS = {
    "x01_length_and_chunked": f"{POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "x01_chunked_and_length": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{HIDDEN}",
    "x02_two_lengths": f"{POST}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{{}}{HIDDEN}",
    "x02_the_same_length_twice": f"{POST}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}{HIDDEN}",
    "x02_a_list_of_lengths": f"{POST}Content-Length: 2, 2\r\n\r\n{{}}{HIDDEN}",
    "x03_plus": f"{POST}Content-Length: +2\r\n\r\n{{}}{HIDDEN}",
    "x03_minus": f"{POST}Content-Length: -2\r\n\r\n{{}}{HIDDEN}",
    "x03_hexadecimal": f"{POST}Content-Length: 0x2\r\n\r\n{{}}{HIDDEN}",
    "x03_underscore": f"{POST}Content-Length: 1_0\r\n\r\n{{}}{HIDDEN}",
    "x03_empty_length": f"{POST}Content-Length: \r\n\r\n{HIDDEN}",
    "x03_superscript": f"{POST}Content-Length: \xb2\r\n\r\n{{}}{HIDDEN}",
    "x03_unknown_coding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "x03_two_codings": f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "x03_chunked_twice": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "x03_space_before_the_colon": f"{POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "x03_tab_in_the_coding": f"{POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunk_size_is_no_number": f"{POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n",
    "chunk_size_is_negative": f"{POST}Transfer-Encoding: chunked\r\n\r\n-2\r\n{{}}\r\n0\r\n\r\n",
    "chunk_size_is_0x2": f"{POST}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{{}}\r\n0\r\n\r\n",
    "chunk_is_longer_than_its_size": f"{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}{{}}\r\n0\r\n\r\n",
    "x01_length_and_identity": f"{POST}Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{{}}{HIDDEN}",
    "x03_length_and_te_identity": f"{POST}Content-Length: 2\r\nTE: identity\r\n\r\n{{}}{HIDDEN}",
    "x03_chunked_in_a_second_line": f"{POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "no_host": f"GET /health HTTP/1.1\r\n\r\n{HIDDEN}",
    "two_hosts": f"{GET}Host: localhost\r\n\r\n{HIDDEN}",
    "control_in_a_header": f"{GET}X-Y: a\x0cb\r\n\r\n{HIDDEN}",
    "control_around_a_token": f"{GET}X-VX11-Token: \x1fabc\r\n\r\n{HIDDEN}",
    "no_break_space_around_a_token": f"{GET}X-VX11-Token: abc\xa0\r\n\r\n{HIDDEN}",
    "length_of_5000_digits": f"{POST}Content-Length: {'9' * 5000}\r\n\r\n{HIDDEN}",
    "header_without_a_colon": f"{GET}nonsense\r\n\r\n{HIDDEN}",
    "header_without_a_name": f"{GET}: nonsense\r\n\r\n{HIDDEN}",
    "header_name_with_a_space": f"{GET}X Y: nonsense\r\n\r\n{HIDDEN}",
    "nul_in_a_header": f"{GET}X-Y: a\0b\r\n\r\n{HIDDEN}",
    "nul_in_a_header_name": f"{GET}X\0Y: a\r\n\r\n{HIDDEN}",
    "bare_line_feed_in_a_header": f"{GET}X-Y: a\nTransfer-Encoding: chunked\r\n\r\n{HIDDEN}",
    "thousand_headers": GET + "".join(f"X-{number}: y\r\n" for number in range(1000)) + f"\r\n{HIDDEN}",
    "headers_of_20_kb": GET + "".join(f"X-{number}: {'y' * 1000}\r\n" for number in range(20)) + f"\r\n{HIDDEN}",
    "header_of_20_kb": f"{GET}X-Y: {'y' * 20_000}\r\n\r\n{HIDDEN}",
    "request_line_of_20_kb": f"GET /health?{'x' * 20_000} HTTP/1.1\r\nHost: localhost\r\n\r\n{HIDDEN}",
    "request_line_of_two_words": f"GET /health\r\n\r\n{HIDDEN}",
    "request_line_of_four_words": f"GET /health x HTTP/1.1\r\nHost: localhost\r\n\r\n{HIDDEN}",
    "nonsense_instead_of_a_version": f"GET /health HTTX/1.1\r\nHost: localhost\r\n\r\n{HIDDEN}",
    "nul_in_the_path": f"GET /hea\0lth HTTP/1.1\r\nHost: localhost\r\n\r\n{HIDDEN}",
    "beyond_ascii_in_the_path": "GET /hea\xe4lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "beyond_ascii_in_the_query": "GET /health?\xe4 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls_hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_HEADS)
def test_what_is_not_http_is_a_bad_request_in_the_one_body_and_ends_the_connection(stack: Stack, name: str) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(BROKEN_HEADS[name])
        answer = wire.answer()
        assert_problem(answer, 400, "bad_request")
        assert CORRELATION_ID.fullmatch(answer.headers["x-correlation-id"])
        # Never a second answer to what was hidden behind it.
        assert wire.rest() == b""


@pytest.mark.parametrize("second", ["Content-Length: 2", "Transfer-Encoding: chunked", "X-Y: a\0b"])
def test_x01_a_publish_that_is_refused_as_malformed_publishes_nothing(
    stack: Stack, principal: Client, new_event: Callable[..., Event], marker: str, second: str
) -> None:
    body, (name, value) = json.dumps(new_event()).encode(), second.split(": ")
    headers = (
        *(("X-VX11-Token", stack.service_token), ("Content-Type", "application/json")),
        ("Content-Length", str(len(body))),
        (name, value),
        # The fault is not in the last header, which is treated in another place.
        ("X-Last", "1"),
    )
    with Wire(stack.a.url) as wire:
        wire.send(request("POST", EVENTS, headers, body))
        assert_problem(wire.answer(), 400, "bad_request")
        assert wire.rest() == b""
    assert principal.polled(correlation_id=marker)["total"] == 0


@pytest.mark.parametrize("path", ["/health", "/ready", STREAM, EVENTS, "/operator/login", "/nowhere"])
def test_an_offer_to_speak_websocket_is_answered_as_if_it_was_not_there(stack: Stack, path: str) -> None:
    offer = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", path))
        without = wire.answer()
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", path, offer))
        assert wire.answer().status == without.status


def test_x04_an_underscore_in_a_header_name_does_not_pass_for_a_hyphen(stack: Stack) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", EVENTS, {"X_VX11_Token": stack.principal_token}))
        assert wire.answer().status == 401


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "BREW"])
@pytest.mark.parametrize("path", [STREAM, EVENTS, "/health"])
def test_x08_other_methods_are_not_allowed_and_those_that_are_are_named(stack: Stack, path: str, method: str) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(request(method, path, {"X-VX11-Token": stack.principal_token}))
        answer = wire.answer(method=method)
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]
