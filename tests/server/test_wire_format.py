"""What a stream sends, byte by byte, read by parsers that are not ours."""

import json
from typing import Any

import pytest

from tests.client import Client
from tests.events.stream.sse_reading import read
from tests.server.crowd import ChunkedBody
from tests.server.wire import STREAM, Wire, WireStream, request
from tests.stacks import Stack

pytestmark = pytest.mark.once

TRICKY = "a\n\nevent: stream-end\ndata: {}\r\n\r\nid: 999\u2028\u2029\x85\ufeff: \U0001f600 é"


@pytest.fixture
def published(service: Client, marker: str) -> list[dict[str, Any]]:
    """Events that are hard to carry."""
    events: list[dict[str, Any]] = [
        {"summary": "plain"},
        {"summary": "x" * 500, "payload": {"filling": "y" * 60_000}},
        {"summary": "tricky", "payload": {TRICKY: [TRICKY, None, True, -1.5e300, 2**53, {"": ""}]}},
        {"summary": "0\r\n\r\nHTTP/1.1 200 OK", "severity": "critical"},
    ]
    events = [{"event_type": "test.wire", "correlation_id": marker, **event} for event in events]
    service.published(events)
    return events


def whole_answer(stack: Stack, marker: str, version: str) -> tuple[bytes, bytes]:
    """Head and body, as they came, of a stream that replays this test's events and ends."""
    oldest = stack.client(stack.principal_token).polled(limit=1, correlation_id=marker)
    epoch, _, seq = oldest["cursor"].rpartition("-")
    path = f"{STREAM}?follow=false&correlation_id={marker}&last_event_id={epoch}-{max(0, int(seq) - 10)}"
    with Wire(stack.a.url) as wire:
        wire.send(request("GET", path, {"X-VX11-Token": stack.principal_token, "Connection": "close"}, version=version))
        head, _, body = wire.rest().partition(b"\r\n\r\n")
    return head, body


def assert_carries(body: bytes, published: list[dict[str, Any]], *, cuts: range) -> None:
    frames = read(body, cuts)
    events = [json.loads(frame.data) for frame in frames if frame.event == "message"][1:]
    assert [{name: event[name] for name in sent} for event, sent in zip(events, published, strict=True)] == published
    assert [frame.event for frame in frames if frame.event != "message"] == ["stream-end"]
    assert all(
        frame.id.rpartition("-")[2] == str(event["seq"]) for frame, event in zip(frames[1:], events, strict=False)
    )


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_stream_is_understood_however_the_network_cuts_it(
    stack: Stack, published: list[dict[str, Any]], marker: str, step: int
) -> None:
    head, body = whole_answer(stack, marker, "1.0")
    assert b"transfer-encoding" not in head.lower()
    assert_carries(body, published, cuts=range(0, len(body), step))


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_chunked_stream_is_understood_however_the_network_cuts_it(
    stack: Stack, published: list[dict[str, Any]], marker: str, step: int
) -> None:
    head, sent = whole_answer(stack, marker, "1.1")
    assert b"transfer-encoding: chunked" in head.lower()
    reader = ChunkedBody()
    body = b"".join(reader.feed(sent[start : start + step]) for start in range(0, len(sent), step))
    assert reader.whole
    assert sent.endswith(b"\r\n0\r\n\r\n")
    assert_carries(body, published, cuts=range(0))


def test_a_live_stream_sends_whole_frames_each_time_and_no_empty_chunk(
    stack: Stack, published: list[dict[str, Any]], service: Client, marker: str
) -> None:
    """Proxies and browsers pass on what they have: half a frame would wait for the other half."""
    with WireStream(stack.a.url, stack.principal_token, f"correlation_id={marker}").caught_up() as stream:
        service.published(published)
        sent = b""
        while b"event: heartbeat" not in sent:
            sent += stream.socket.recv(65536)
    chunks = sent.split(b"\r\n")
    sizes, bodies = chunks[:-1:2], chunks[1::2]
    assert all(int(size, 16) == len(body) > 0 for size, body in zip(sizes, bodies, strict=True))
    assert all(body.endswith(b"\n\n") for body in bodies)
    assert sum(body.count(b'"type":"event"') for body in bodies) == len(published)
