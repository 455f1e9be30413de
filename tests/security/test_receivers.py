"""Receivers of other programs' formats: each is closed to all but a service token, and a hostile body costs little."""

import dataclasses
import functools
import gzip
import json
import secrets
from collections.abc import Callable

import cramjam
import httpx2
import pytest
from backports import zstd
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # of googleapis-common-protos

from benchmarks import usage
from receivers.protobuf_messages import LogsRequest, PushRequest
from tests.client import API, LOOPBACK, Client
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.stacks import Stack
from tests.waiting import wait_until

PROTOBUF, JSON = "application/x-protobuf", "application/json"
LIMIT_BYTES = 4 * 1024 * 1024


def logs(text: str) -> bytes:
    request = LogsRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = text
    return bytes(request.SerializeToString())


def push(text: str) -> bytes:
    request = PushRequest()
    request.streams.add(labels='{job="x"}').entries.add(line=text).timestamp.seconds = 1_780_000_000
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def cloud_event(text: str) -> bytes:
    return json.dumps({"specversion": "1.0", "id": text, "source": "s", "type": "t", "subject": text}).encode()


def notification(text: str) -> bytes:
    alert = {"status": "firing", "labels": {"alertname": text}, "annotations": {}, "startsAt": "2026-05-28T20:26:40Z"}
    return json.dumps({"version": "4", "alerts": [alert]}).encode()


def line(text: str) -> bytes:
    return json.dumps({"msg": text}).encode()


def logs_json(text: str) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": text}}]}]}]}).encode()


def push_json(text: str) -> bytes:
    return json.dumps({"streams": [{"stream": {"job": "x"}, "values": [["1780000000000000000", text]]}]}).encode()


@dataclasses.dataclass(frozen=True)
class Kind:
    """A receiver in one of its encodings, and the request with one text."""

    path: str
    content_type: str
    body: Callable[[str], bytes]

    @property
    def address(self) -> str:
        return f"{API}/ingest/{self.path}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type}


KINDS = {
    "ndjson": Kind("ndjson", "application/x-ndjson", line),
    "array": Kind("ndjson", JSON, line),
    "otlp": Kind("otlp/v1/logs", PROTOBUF, logs),
    "otlp json": Kind("otlp/v1/logs", JSON, logs_json),
    "loki": Kind("loki/api/v1/push", PROTOBUF, push),
    "loki json": Kind("loki/api/v1/push", JSON, push_json),
    "cloudevents": Kind("cloudevents", "application/cloudevents+json", cloud_event),
    "alertmanager": Kind("alertmanager", JSON, notification),
}
each = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def assert_refused(kind: Kind, answer: httpx2.Response, status: int, reason: str) -> None:
    """In the form that the senders of this format read, and with what a person needs to find it."""
    status = 400 if status == 422 and kind.path.startswith(("otlp", "loki")) else status
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    told = answer.headers["content-type"]
    if kind.path.startswith("otlp"):
        assert told == kind.content_type
        message = Status.FromString(answer.content).message if told == PROTOBUF else answer.json()["message"]
    elif kind.path.startswith("loki"):
        assert told == "text/plain; charset=utf-8"
        message = answer.text
    else:
        assert told == "application/problem+json"
        message = f"{answer.json()['reason']} {answer.json()['correlation_id']}"
    assert reason in message
    assert answer.headers["x-correlation-id"] in message


@each
def test_n15_only_a_service_token_may_send(stack: Stack, kind: Kind) -> None:
    marker = secrets.token_hex(8)
    ticket = stack.client(stack.principal_token).issue_ticket().json()["sse_token"]
    callers = {None: (401, "missing_token"), "x" * 40: (401, "main_auth_failed"), ticket: (401, "main_auth_failed")}
    callers |= {stack.principal_token: (403, "insufficient_scope")}
    for token, (status, reason) in callers.items():
        answer = stack.client(token).post(kind.address, content=kind.body(marker), headers=kind.headers)
        assert_refused(kind, answer, status, reason)
    revoked, public_id = stack.issue_token("service", modules=("shop",))
    sender = stack.client(revoked)
    assert sender.post(kind.address, content=kind.body(f"{marker} taken"), headers=kind.headers).is_success
    stack.revoke_token(public_id)
    assert_refused(kind, _until_refused(sender, kind), 401, "main_auth_failed")
    events = stack.client(stack.principal_token).polled(q=f'"{marker}"')["events"]
    assert len(events) == 1
    assert events[0]["module"] == "shop"


def _until_refused(sender: Client, kind: Kind) -> httpx2.Response:
    """Within the time in which a process learns of a revocation."""

    def refusal() -> list[httpx2.Response]:
        answer = sender.post(kind.address, content=kind.body("x"), headers=kind.headers)
        return [] if answer.is_success else [answer]

    [answer] = wait_until(refusal, "the token is refused", timeout_seconds=20)
    return answer


@each
def test_n15_a_session_may_not_send(stack: Stack, kind: Kind) -> None:
    """Nor may a page of another site use one: there is no credential but a token."""
    with httpx2.Client(base_url=stack.a.url, **LOOPBACK, cookies={"sessionid": "x" * 32}) as browser:
        assert_refused(
            kind, browser.post(kind.address, content=kind.body("x"), headers=kind.headers), 401, "missing_token"
        )


@each
def test_n15_nothing_but_post_is_taken(stack: Stack, kind: Kind) -> None:
    client = stack.client(stack.service_token)
    for method in ("GET", "PUT", "DELETE"):
        answer = client.request(method, kind.address)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


@each
def test_n16_other_types_and_what_is_too_long_are_refused(service: Client, kind: Kind) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", f"{kind.content_type}; charset=utf-16"):
        answer = service.post(kind.address, content=kind.body("x"), headers={"Content-Type": content_type})
        assert answer.status_code == 415, content_type
    answer = service.post(kind.address, content=b" " * (LIMIT_BYTES + 1), headers=kind.headers)
    assert_refused(kind, answer, 413, "payload_too_large")


@each
def test_n16_what_is_cut_off_or_junk_is_refused_and_nothing_is_stored(
    stack: Stack, service: Client, kind: Kind
) -> None:
    marker = secrets.token_hex(8)
    whole = kind.body(marker)
    for broken in (whole[:-1], whole[: len(whole) // 2], b"\xff\xfe" + whole, b"\0" * 100, b"<xml/>"):
        answer = service.post(kind.address, content=broken, headers=kind.headers)
        assert answer.status_code in (400, 422), (broken[:20], answer.text)
    assert stack.client(stack.principal_token).polled(q=f'"{marker}"')["events"] == []


@functools.cache
def bomb_of(coding: str) -> bytes:
    return (gzip.compress if coding == "gzip" else zstd.compress)(b" " * 300_000_000)


@each
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_n16_compressed_bodies_are_taken_and_bombs_cost_little(
    stack: Stack, service: Client, kind: Kind, coding: str
) -> None:
    pack: Callable[[bytes], bytes] = gzip.compress if coding == "gzip" else zstd.compress
    headers = kind.headers | {"Content-Encoding": coding}
    assert service.post(kind.address, content=pack(kind.body(secrets.token_hex(8))), headers=headers).is_success
    answer = service.post(kind.address, content=pack(kind.body("x"))[:-3], headers=headers)
    assert_refused(kind, answer, 400, "bad_request")
    bomb = bomb_of(coding)
    pids = [server.pid for server in stack.processes]
    before = usage.cpu_seconds(*pids)
    for _ in range(3):
        assert_refused(kind, service.post(kind.address, content=bomb, headers=headers), 413, "payload_too_large")
    assert usage.cpu_seconds(*pids) - before < 1.5


# Four MiB of what takes least on the wire and most in memory, for each encoding.
DEAR = {
    "ndjson": b"{}\n" * (LIMIT_BYTES // 3),
    "array": b"[" + b"{}," * (LIMIT_BYTES // 3 - 2) + b"{}]",
    "otlp": b"\x0a\x00" * (LIMIT_BYTES // 2),
    "otlp json": b'{"resourceLogs":[' + b"{}," * (LIMIT_BYTES // 3 - 10) + b"{}]}",
    "loki": bytes(cramjam.snappy.compress_raw(b"\x0a\x00" * (LIMIT_BYTES // 2))),
    "loki json": b'{"streams":[' + b"{}," * (LIMIT_BYTES // 3 - 10) + b"{}]}",
    "cloudevents": b"[" + b"{}," * (LIMIT_BYTES // 3 - 2) + b"{}]",
    "alertmanager": b'{"version":"4","alerts":[' + b"{}," * (LIMIT_BYTES // 3 - 20) + b"{}]}",
}


@pytest.mark.parametrize("name", KINDS)
def test_n16_many_small_values_are_counted_before_they_are_parsed(stack: Stack, service: Client, name: str) -> None:
    kind = KINDS[name]
    pids = [server.pid for server in stack.processes]
    before = usage.cpu_seconds(*pids)
    for _ in range(3):
        answer = service.post(kind.address, content=DEAR[name], headers=kind.headers)
        assert_refused(kind, answer, 413, "payload_too_large")
    assert usage.cpu_seconds(*pids) - before < 2


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.content_type != PROTOBUF])
def test_n16_deep_json_is_refused(service: Client, name: str) -> None:
    kind = KINDS[name]
    assert_refused(kind, service.post(kind.address, content=DEEP, headers=kind.headers), 400, "malformed_json")


@each
def test_n16_a_sender_is_charged_before_its_body_is_read(own_stack: OwnStack, kind: Kind) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="3/m")
    client = stack.client(stack.service_token)
    answers = [client.post(kind.address, content=b"junk", headers=kind.headers) for _ in range(4)]
    assert [answer.status_code for answer in answers][:3] == [400] * 3
    assert_refused(kind, answers[3], 429, "rate_limited")
    assert int(answers[3].headers["retry-after"]) > 0


@each
def test_what_was_taken_and_refused_is_counted_by_receiver(stack: Stack, service: Client, kind: Kind) -> None:
    name = kind.path.partition("/")[0]

    reader = stack.client(stack.principal_token, server=stack.b)

    def counts() -> tuple[float, float]:
        of_type = f'reason="unsupported_media_type",receiver="{name}"'
        return (
            metric(reader, f'vx11_received_events_total{{receiver="{name}"}}'),
            metric(reader, f"vx11_received_requests_refused_total{{{of_type}}}"),
        )

    service.post(kind.address, content=b"x", headers={"Content-Type": "text/plain"})
    taken, refused = counts()
    assert service.post(kind.address, content=kind.body(secrets.token_hex(8)), headers=kind.headers).is_success
    assert service.post(kind.address, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert counts() == (taken + 1, refused + 1)
