"""Bodies of other programs' formats that are made to hurt: refused in the sender's own form, nothing is kept."""

import functools
import gzip
import json
import secrets
import zlib
from collections.abc import Callable

import cramjam
import pytest
from backports import zstd

from benchmarks import usage
from receivers.protobuf_messages import LogsRequest, PushRequest
from tests.client import Client, Json
from tests.security.test_receivers import JSON, KINDS, PROTOBUF, Kind, assert_refused, each
from tests.stacks import Stack

MANY = 100_000
# In nanoseconds: the start of 1970, and of the year 2554, and what is no time at all.
FAR_TIMES = (0, 18_446_744_073_709_551_615, 9_223_372_036_854_775_807)
START_GROUP, END_GROUP = 3, 4


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def nested(depth: int) -> bytes:
    """A value of OpenTelemetry in lists in lists."""
    value = field(1, b"deep")
    for _ in range(depth):
        value = field(5, field(1, value))
    # Resource, scope, record, body.
    return field(1, field(2, field(2, field(5, value))))


def many_logs(text: str, count: int) -> bytes:
    request = LogsRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(count):
        records.add().body.string_value = text
    return bytes(request.SerializeToString())


def many_lines(text: str, count: int) -> bytes:
    request = PushRequest()
    entries = request.streams.add(labels='{job="x"}').entries
    for _ in range(count):
        entries.add(line=text)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def many_of(name: str, text: str) -> bytes:
    """A hundred thousand records in one request, or as many as its length leaves room for."""
    event = {"specversion": "1.0", "source": "s", "type": "t", "id": text}
    alert = {"status": "firing", "startsAt": "2026-05-28T20:26:40Z", "labels": {"a": text}}
    makers: dict[str, Callable[[], bytes]] = {
        "ndjson": lambda: f'{{"m":"{text}"}}\n'.encode() * MANY,
        "array": lambda: json.dumps([{"m": text}] * MANY).encode(),
        "otlp": lambda: many_logs(text, MANY),
        "otlp json": lambda: json.dumps(
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": text}}] * MANY}]}]}
        ).encode(),
        "loki": lambda: many_lines(text, MANY),
        "loki json": lambda: json.dumps({"streams": [{"stream": {"a": "b"}, "values": [["1", text]] * MANY}]}).encode(),
        "cloudevents": lambda: json.dumps([event] * 20_000).encode(),
        "alertmanager": lambda: json.dumps({"version": "4", "alerts": [alert] * 12_000}).encode(),
    }
    return makers[name]()


def found(stack: Stack, marker: str) -> list[Json]:
    return list(stack.client(stack.principal_token).polled(q=f'"{marker}"')["events"])


@pytest.mark.parametrize("name", KINDS)
def test_n16_a_hundred_thousand_records_are_refused_and_none_is_kept(
    stack: Stack, service: Client, marker: str, name: str
) -> None:
    # A batch has a type of its own.
    content_type = "application/cloudevents-batch+json" if name == "cloudevents" else KINDS[name].content_type
    short = marker[-6:]
    pids = [server.pid for server in stack.processes]
    before = usage.cpu_seconds(*pids)
    answer = service.post(KINDS[name].address, content=many_of(name, short), headers={"Content-Type": content_type})
    assert_refused(KINDS[name], answer, 413, "payload_too_large")
    assert usage.cpu_seconds(*pids) - before < 2
    assert found(stack, short) == []


PACKED: dict[str, tuple[str, Callable[[bytes], bytes], int, str]] = {
    # Unpacked once, it is no JSON and no protobuf.
    "gzip in gzip": ("gzip", lambda body: gzip.compress(gzip.compress(body)), 400, ""),
    "two codings": ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body)), 415, "unsupported_media_type"),
    "many members": ("gzip", lambda body: gzip.compress(b"") * 20_000 + gzip.compress(body), 400, "bad_request"),
    "many frames": ("zstd", lambda body: zstd.compress(b"") * 20_000 + zstd.compress(body), 400, "bad_request"),
    "a huge window": ("zstd", lambda body: _with_window(body, 27), 400, "bad_request"),
    "raw deflate": ("deflate", zlib.compress, 415, "unsupported_media_type"),
    "behind it, junk": ("gzip", lambda body: gzip.compress(body) + b"junk", 400, "bad_request"),
    "a wrong checksum": ("gzip", lambda body: _damaged(gzip.compress(body), -8), 400, "bad_request"),
    "brotli": ("br", lambda body: body, 415, "unsupported_media_type"),
    "not packed": ("gzip", lambda body: body, 400, "bad_request"),
}


def _with_window(body: bytes, log: int) -> bytes:
    """A frame that says that its reader must hold so much, as a power of two."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: log,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    compressor = zstd.ZstdCompressor(options=options)
    return compressor.compress(body) + compressor.flush()


def _damaged(packed: bytes, at: int) -> bytes:
    changed = bytearray(packed)
    changed[at] ^= 0xFF
    return bytes(changed)


@each
@pytest.mark.parametrize("name", PACKED)
def test_n16_what_is_packed_to_hurt_is_refused(stack: Stack, service: Client, kind: Kind, name: str) -> None:
    marker = secrets.token_hex(8)
    coding, pack, status, reason = PACKED[name]
    body = pack(kind.body(marker))
    answer = service.post(kind.address, content=body, headers=kind.headers | {"Content-Encoding": coding})
    if reason:
        assert_refused(kind, answer, status, reason)
    assert answer.status_code == status, answer.text
    assert found(stack, marker) == []


@functools.cache
def bomb() -> bytes:
    """300 MB in less than a kilobyte."""
    return gzip.compress(gzip.compress(b"\0" * 300_000_000))


@each
def test_n16_a_bomb_in_a_bomb_costs_little(stack: Stack, service: Client, kind: Kind) -> None:
    pids = [server.pid for server in stack.processes]
    before = usage.cpu_seconds(*pids)
    answer = service.post(kind.address, content=bomb(), headers=kind.headers | {"Content-Encoding": "gzip"})
    assert answer.status_code == 400, answer.text
    assert usage.cpu_seconds(*pids) - before < 1


BROKEN = {
    "a length beyond the end": b"\x0a" + varint(2**31 - 1) + b"x",
    "a length beyond all numbers": b"\x0a" + b"\xff" * 9 + b"\x01" + b"x",
    "a number of eleven bytes": b"\x08" + b"\xff" * 11,
    "a field without a number": b"\x00\x00",
    "a group that is not closed": varint(99 << 3 | START_GROUP) + b"\x08\x01",
    "an end without a group": varint(99 << 3 | END_GROUP),
    "groups in groups": varint(99 << 3 | START_GROUP) * 5_000,
    "an unknown kind": varint(1 << 3 | 7),
    "text that is not UTF-8": field(1, field(2, field(2, field(5, field(1, b"\xff\xfe"))))),
    "nested deeper than any": nested(200),
}


@pytest.mark.parametrize("name", BROKEN)
def test_n16_protobuf_that_is_none_is_refused(service: Client, name: str) -> None:
    kind = KINDS["otlp"]
    answer = service.post(kind.address, content=BROKEN[name], headers=kind.headers)
    assert_refused(kind, answer, 400, "bad_request")
    if name.startswith(("nested", "text")):
        return
    kind = KINDS["loki"]
    packed = bytes(cramjam.snappy.compress_raw(BROKEN[name]))
    assert_refused(kind, service.post(kind.address, content=packed, headers=kind.headers), 400, "bad_request")


def test_n16_fields_of_newer_versions_are_passed_over(stack: Stack, service: Client) -> None:
    marker = secrets.token_hex(8)
    group = varint(98 << 3 | START_GROUP) + b"\x08\x01" + varint(98 << 3 | END_GROUP)
    newer = field(99, b"new") + varint(97 << 3) + varint(2**63) + varint(96 << 3 | 5) + b"1234" + group
    kind = KINDS["otlp"]
    assert service.post(kind.address, content=kind.body(marker) + newer, headers=kind.headers).is_success
    [event] = found(stack, marker)
    assert event["summary"] == marker


@pytest.mark.parametrize(
    "blocks", [b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x05abc", b""]
)
def test_n16_a_block_of_snappy_that_lies_about_its_length_is_refused(service: Client, blocks: bytes) -> None:
    kind = KINDS["loki"]
    answer = service.post(kind.address, content=blocks, headers=kind.headers)
    assert answer.status_code in (400, 413), answer.text


@pytest.mark.parametrize("time", FAR_TIMES)
def test_n16_a_sender_whose_clock_is_far_off_is_taken_without_its_time(
    stack: Stack, service: Client, time: int
) -> None:
    """Its records are true apart from their time, and the log's own time orders them."""
    marker = secrets.token_hex(8)
    request = LogsRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time)
    record.body.string_value = f"{marker} otlp"
    kind = KINDS["otlp"]
    assert service.post(kind.address, content=request.SerializeToString(), headers=kind.headers).is_success
    push = {"streams": [{"stream": {"job": "x"}, "values": [[str(min(time, 10**19 - 1)), f"{marker} loki"]]}]}
    loki = KINDS["loki json"]
    assert service.post(loki.address, json=push).is_success
    alert = {"status": "firing", "startsAt": "9999-12-31T23:59:60Z", "labels": {"alertname": f"{marker} alert"}}
    alerts = KINDS["alertmanager"]
    assert service.post(alerts.address, json={"version": "4", "alerts": [alert]}).is_success
    cloud = {"specversion": "1.0", "id": marker, "source": "s", "type": "t", "time": "0000-00-00", "subject": marker}
    events = KINDS["cloudevents"]
    assert service.post(events.address, content=json.dumps(cloud).encode(), headers=events.headers).is_success
    assert {event["occurred_at"] for event in found(stack, marker)} <= {None, *_sane_times(time)}
    assert len(found(stack, marker)) == 4


def _sane_times(time: int) -> set[str]:
    """What a time that is one comes out as."""
    return {"2262-04-11T23:47:16.854775Z"} if time == FAR_TIMES[2] else set()


@pytest.mark.parametrize(
    ("name", "content_type", "body"),
    [
        ("cloudevents", "application/cloudevents+json", b'{"specversion":"0.3","id":"1","source":"s","type":"t"}'),
        ("cloudevents", "application/cloudevents+json", b'{"specversion":1.0,"id":"1","source":"s","type":"t"}'),
        ("alertmanager", JSON, b'{"version":"5","alerts":[]}'),
        ("alertmanager", JSON, b'{"version":4,"alerts":[]}'),
        ("alertmanager", JSON, b"[]"),
    ],
)
def test_n16_unknown_versions_are_named(service: Client, name: str, content_type: str, body: bytes) -> None:
    kind = KINDS[name]
    answer = service.post(kind.address, content=body, headers={"Content-Type": content_type})
    assert_refused(kind, answer, 422, "validation_error")
    assert any("version" in field for field in answer.json()["errors"])


def test_n16_a_type_that_names_another_encoding_is_refused_in_a_form_that_can_be_read(service: Client) -> None:
    for content_type in ("application/grpc", f"{PROTOBUF}; charset=utf-16", "", "\xff"):
        kind = KINDS["otlp"]
        answer = service.post(
            kind.address, content=kind.body("x"), headers={"Content-Type": content_type.encode("latin-1")}
        )
        assert answer.status_code == 415, (content_type, answer.text)
