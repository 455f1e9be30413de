"""Requests of Loki's senders, byte by byte as these make them: Debian has neither promtail nor Fluent Bit."""

import base64
import gzip
import json
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import cramjam
import httpx2
import pytest

from receivers.protobuf_messages import PushRequest
from tests.client import API, LOOPBACK, Client
from tests.conftest import OwnStack
from tests.stacks import Stack

PUSH = f"{API}/ingest/loki/api/v1/push"
PROTOBUF = "application/x-protobuf"
AT = 1_780_000_000


def promtail_body(job: str, lines: list[str]) -> bytes:
    """A batch of promtail 2.9: protobuf in a block of snappy, one stream for each set of labels."""
    push = PushRequest()
    stream = push.streams.add(labels=f'{{filename="/var/log/{job}.log", job="{job}"}}')
    for number, line in enumerate(lines):
        entry = stream.entries.add(line=line)
        entry.timestamp.seconds, entry.timestamp.nanos = AT, number
    return bytes(cramjam.snappy.compress_raw(push.SerializeToString()))


def basic(token: str, name: str = "promtail") -> str:
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


def send(stack: Stack, head: list[str], body: bytes) -> bytes:
    """The whole answer to a request of these bytes."""
    parts = urlsplit(stack.b.url)
    lines = [f"POST {PUSH} HTTP/1.1", f"Host: {parts.netloc}", *head, f"Content-Length: {len(body)}"]
    message = "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=10) as wire:
        wire.sendall(message)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    return answer


def test_a_batch_of_promtail_is_in_the_log(stack: Stack, principal: Client, marker: str) -> None:
    head = [
        "User-Agent: promtail/2.9.4",
        f"Authorization: {basic(stack.service_token)}",
        "Content-Type: application/x-protobuf",
        "X-Scope-OrgID: tenant1",
        "Accept-Encoding: gzip",
    ]
    answer = send(stack, head, promtail_body(marker, ["ERROR first", "second", '{"level":"warn","msg":"third"}']))
    assert answer.startswith(b"HTTP/1.1 204 ")
    events = principal.polled(module=marker)["events"]
    assert [(event["summary"], event["severity"]) for event in events] == [
        *(("ERROR first", "error"), ("second", "info"), ("third", "warn")),
    ]
    assert events[1]["payload"]["labels"] == {"filename": f"/var/log/{marker}.log", "job": marker}
    assert events[1]["occurred_at"].startswith("2026-05-28T20:26:40")


def test_a_chunk_of_fluent_bit_is_in_the_log(stack: Stack, principal: Client, marker: str) -> None:
    """Its output `loki`, with `http_user` and `http_passwd`, and `line_format json`."""
    record = json.dumps({"log": "2026-05-28T20:26:40Z ERROR it failed", "stream": "stderr"})
    body = f'{{"streams":[{{"stream":{{"job":"{marker}"}},"values":[["{AT}000000001",{json.dumps(record)}]]}}]}}'
    head = [
        "User-Agent: Fluent-Bit",
        "Content-Type: application/json",
        f"Authorization: {basic(stack.service_token, '')}",
    ]
    answer = send(stack, head, body.encode())
    assert answer.startswith(b"HTTP/1.1 204 ")
    (event,) = principal.polled(module=marker)["events"]
    assert (event["severity"], event["payload"]["stream"]) == ("error", "stderr")


def test_a_push_with_gzip_and_with_a_named_snappy_is_taken(stack: Stack, principal: Client, marker: str) -> None:
    own = {"Authorization": f"Bearer {stack.service_token}"}
    push = json.dumps({"streams": [{"stream": {"job": marker}, "values": [[f"{AT}000000000", "by gzip"]]}]})
    client = stack.client(None)
    answer = client.post(
        PUSH,
        content=gzip.compress(push.encode()),
        headers=own | {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    named = own | {"Content-Type": PROTOBUF, "Content-Encoding": "snappy"}
    assert client.post(PUSH, content=promtail_body(marker, ["by snappy"]), headers=named).status_code == 204
    assert [event["summary"] for event in principal.polled(module=marker)["events"]] == ["by gzip", "by snappy"]


@pytest.mark.parametrize(
    ("headers", "content", "status", "sentence"),
    [
        ({}, promtail_body("x", ["y"]), 401, "missing_token"),
        ({"Authorization": basic("wrong")}, promtail_body("x", ["y"]), 401, "main_auth_failed"),
        ({"Authorization": "Basic ???"}, promtail_body("x", ["y"]), 401, "missing_token"),
        ({"token": "yes"}, b"junk", 400, "snappy"),
        ({"token": "yes", "Content-Type": "application/json"}, b"{}", 400, "list of streams"),
        ({"token": "yes", "Content-Type": "text/csv"}, b"a,b", 415, "application/json"),
        ({"token": "yes"}, b"x" * (4 * 1024 * 1024 + 1), 413, "larger"),
    ],
    ids=["no token", "wrong token", "no base64", "junk", "no streams", "other type", "too long"],
)
def test_a_refusal_is_a_line_of_text(
    stack: Stack, headers: dict[str, str], content: bytes, status: int, sentence: str
) -> None:
    own = {"Content-Type": PROTOBUF, **headers}
    if own.pop("token", ""):
        own["Authorization"] = basic(stack.service_token)
    with httpx2.Client(**LOOPBACK) as client:
        answer = client.post(f"{stack.a.url}{PUSH}", content=content, headers=own)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert sentence in answer.text
    assert answer.text.endswith("\n")
    assert answer.headers["x-correlation-id"] in answer.text


def test_a_password_is_a_token_at_receivers_alone(stack: Stack, new_event: Callable[..., dict[str, object]]) -> None:
    client = stack.client(None)
    headers = {"Authorization": basic(stack.service_token)}
    assert client.post(f"{API}/events", json=new_event(), headers=headers).status_code == 401
    assert client.post(f"{API}/ingest/ndjson", content=b'{"msg":"x"}', headers=headers).status_code == 401


def test_a_sender_over_its_rate_is_asked_to_wait(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="10/m")
    client = stack.client(stack.service_token)
    headers = {"Content-Type": PROTOBUF}
    assert client.post(PUSH, content=promtail_body("x", ["y"] * 8), headers=headers).status_code == 204
    answer = client.post(PUSH, content=promtail_body("x", ["y"] * 8), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/plain; charset=utf-8")
    assert int(answer.headers["Retry-After"]) > 0
    assert "VX11_PUBLISH_RATE" in answer.text
