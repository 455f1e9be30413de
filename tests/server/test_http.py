"""HTTP as it is meant to be spoken: kept connections, requests in a row, streams for old and for curious clients."""

import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.client import API, Client
from tests.metrics import metric
from tests.server.watching import MEBIBYTE, resident_bytes, wait_for_metric
from tests.server.wire import STREAM, Wire, WireStream, request
from tests.stacks import Stack

pytestmark = pytest.mark.once

EVENTS = f"{API}/events"


def get(path: str, token: str = "", *, version: str = "1.1", **headers: str) -> bytes:
    token_header = {"X-VX11-Token": token} if token else {}
    return request("GET", path, {**token_header, **headers}, version=version)


def test_requests_in_one_packet_are_answered_in_their_order(stack: Stack) -> None:
    with Wire(stack.a.url) as wire:
        ids = [f"order-{number}" for number in range(5)]
        paths = ["/health", EVENTS, "/health", "/nowhere", "/health"]
        wire.send(b"".join(request("GET", path, {"X-Correlation-Id": i}) for path, i in zip(paths, ids, strict=True)))
        answers = [wire.answer() for _ in ids]
    assert [answer.status for answer in answers] == [200, 401, 200, 404, 200]
    assert [answer.headers["x-correlation-id"] for answer in answers] == ids


def test_every_answer_says_when_it_was_made(stack: Stack) -> None:
    token, long_line = stack.principal_token, "/" + 20_000 * "a"
    requests = {
        "an endpoint": get("/health"),
        "a page": get("/operator/login"),
        "a file": get("/static/events/event-client.js"),
        "a stream": get(f"{STREAM}?follow=false", token),
        "an error of the application": get("/nowhere"),
        "a refusal before the application": request("GET", "/health", {"X-Odd": "\x01"}),
        "a body that is too large": request("POST", "/health", {"Content-Length": str(2**30)}),
        "a head that is too long": get(long_line),
        "no HTTP": b"\0\0 nonsense\r\n\r\n",
    }
    for what, sent in requests.items():
        with Wire(stack.a.url) as wire:
            wire.send(sent)
            date = wire.answer().headers.get("date", "")
        assert date.endswith(" GMT"), what
        assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 10, what


def test_a_request_behind_a_stream_waits_for_the_streams_end(stack: Stack, service: Client, marker: str) -> None:
    query = f"correlation_id={marker}&follow=false&last_event_id={stack.client(stack.principal_token).cursor()}"
    with Wire(stack.a.url) as wire:
        wire.send(get(f"{STREAM}?{query}", stack.principal_token) + get("/health", **{"X-Correlation-Id": marker}))
        stream = wire.answer()
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert b"end_of_log" in stream.body
        assert b"HTTP/1.1" not in stream.body
        health = wire.answer()
    assert (health.status, health.headers["x-correlation-id"]) == (200, marker)


def test_a_request_behind_a_stream_that_goes_on_is_not_mixed_into_it(
    stack: Stack, service: Client, marker: str
) -> None:
    with WireStream(stack.a.url, stack.principal_token, f"correlation_id={marker}").caught_up() as stream:
        stream.send(get("/health") * 3)
        seqs = [
            service.published({"event_type": "a", "summary": "a", "correlation_id": marker})["seq"] for _ in range(5)
        ]
        # Read by http.client: a status line in the middle of the chunks would break it.
        assert [event["seq"] for event in stream.read_events(5)] == seqs


def test_a_client_that_sends_much_behind_its_stream_costs_little_and_is_noticed_when_it_goes(
    stack: Stack, principal: Client, marker: str
) -> None:
    opened = metric(principal, "vx11_streams_active")
    before = resident_bytes(stack.a)
    with WireStream(stack.a.url, stack.principal_token, f"correlation_id={marker}").caught_up() as stream:
        stream.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            # The server takes no more than a little of it.
            stream.socket.sendall(b"x" * 50 * MEBIBYTE)
        assert resident_bytes(stack.a) - before < MEBIBYTE
    wait_for_metric(principal, "vx11_streams_active", opened)


def test_a_connection_serves_on_after_a_stream_that_ended(stack: Stack, service: Client, marker: str) -> None:
    cursor = stack.client(stack.principal_token).cursor()
    service.published({"event_type": "a", "summary": "a", "correlation_id": marker})
    path = f"{STREAM}?follow=false&correlation_id={marker}&last_event_id={cursor}"
    with Wire(stack.a.url) as wire:
        for _ in range(3):
            wire.send(get(path, stack.principal_token))
            assert b'"type":"event"' in wire.answer().body
            wire.send(get("/health"))
            assert wire.answer().status == 200


def test_a_stream_for_http_1_0_is_not_chunked_and_ends_with_the_connection(stack: Stack, service: Client) -> None:
    cursor = stack.client(stack.principal_token).cursor()
    service.published({"event_type": "a", "summary": "a"})
    with Wire(stack.a.url) as wire:
        wire.send(get(f"{STREAM}?follow=false&last_event_id={cursor}", stack.principal_token, version="1.0"))
        head, _, body = wire.rest().partition(b"\r\n\r\n")
    assert head.split()[1] == b"200"
    assert b"chunked" not in head.lower()
    assert body.startswith(b"retry: ")
    assert body.endswith(b"\n\n")
    assert b'"type":"event"' in body
    assert b'"reason":"end_of_log"' in body


def test_a_stream_for_http_1_0_is_live(stack: Stack, service: Client, marker: str) -> None:
    query = f"correlation_id={marker}"
    with WireStream(stack.a.url, stack.principal_token, query, version="1.0").caught_up() as stream:
        seq = service.published({"event_type": "a", "summary": "a", "correlation_id": marker})["seq"]
        assert [event["seq"] for event in stream.read_events(1)] == [seq]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_x08_head_of_the_stream_has_its_headers_and_ends_at_once(stack: Stack, version: str) -> None:
    with Wire(stack.a.url) as wire:
        headers = {"X-VX11-Token": stack.principal_token, "Connection": "close"}
        wire.send(request("HEAD", STREAM, headers, version=version))
        head, _, body = wire.rest().partition(b"\r\n\r\n")
    assert head.split()[1] == b"200"
    assert b"content-type: text/event-stream; charset=utf-8" in head.lower()
    assert body == b""


def test_a_connection_serves_on_after_a_head_of_the_stream(stack: Stack) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(request("HEAD", STREAM, {"X-VX11-Token": stack.principal_token}) + get("/health"))
        assert wire.answer(method="HEAD").status == 200
        assert wire.answer().json()["status"] == "ok"


def test_a_client_that_asks_for_the_end_gets_it(stack: Stack) -> None:
    with Wire(stack.a.url) as wire:
        wire.send(get("/health", Connection="close") + get("/health"))
        assert wire.answer().status == 200
        assert wire.rest() == b""


def test_a_request_that_comes_byte_by_byte_is_read(stack: Stack) -> None:
    with Wire(stack.a.url) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in get(EVENTS + "?limit=1", stack.principal_token):
            wire.send(bytes([byte]))
        assert wire.answer().status == 200
