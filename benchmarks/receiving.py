"""How many events a second receivers take in other programs' formats, each committed before its sender is answered."""

import json
from typing import NamedTuple

import cramjam

from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, cost, rate
from benchmarks.load import Load, closed_loop, closing, warm_up
from benchmarks.server import Target
from benchmarks.size import Size
from benchmarks.wire import HOST, Connection, UnexpectedAnswer, request
from receivers.protobuf_messages import LogsRequest, PushRequest

# As many as the SDK of OpenTelemetry packs at most.
BATCH_EVENTS = 512
CONNECTIONS = 4
AT_NANOSECONDS = 1_780_000_000_000_000_000
ATTRIBUTES = {"host": "node-7", "volume": "data", "path": "/srv/data"}
NUMBERS = {"used_percent": 91, "threshold_percent": 90}
TEXT = "disk usage on volume data is above its threshold"


class Format(NamedTuple):
    """A receiver, and a request of BATCH_EVENTS events for it."""

    name: str
    path: str
    content_type: str
    body: bytes
    status: int
    at_least: int


def _lines() -> bytes:
    event = {"event_type": "bench.receive", "summary": TEXT, "severity": "warn", "payload": ATTRIBUTES | NUMBERS}
    return b"\n".join([json.dumps(event).encode()] * BATCH_EVENTS)


def _logs() -> bytes:
    logs = LogsRequest()
    resource = logs.resource_logs.add()
    name = resource.resource.attributes.add(key="service.name")
    name.value.string_value = "bench"
    records = resource.scope_logs.add().log_records
    for number in range(BATCH_EVENTS):
        record = records.add(time_unix_nano=AT_NANOSECONDS + number, severity_number=13, severity_text="WARN")
        record.body.string_value = TEXT
        for key, text in ATTRIBUTES.items():
            record.attributes.add(key=key).value.string_value = text
        for key, value in NUMBERS.items():
            record.attributes.add(key=key).value.int_value = value
    return bytes(logs.SerializeToString())


def _push() -> bytes:
    push = PushRequest()
    stream = push.streams.add(labels='{filename="/var/log/disk.log", host="node-7", job="bench"}')
    for number in range(BATCH_EVENTS):
        entry = stream.entries.add(line=f"2026-05-28T20:26:40Z WARN {TEXT}")
        entry.timestamp.seconds, entry.timestamp.nanos = AT_NANOSECONDS // 10**9, number
    return bytes(cramjam.snappy.compress_raw(push.SerializeToString()))


def _formats() -> list[Format]:
    protobuf = "application/x-protobuf"
    return [
        Format("NDJSON", "ndjson", "application/x-ndjson", _lines(), 201, 8000),
        Format("OTLP", "otlp/v1/logs", protobuf, _logs(), 200, 5000),
        Format("Loki", "loki/api/v1/push", protobuf, _push(), 204, 5000),
    ]


def measure(target: Target, size: Size) -> list[Figure]:
    """One format after the other, in requests of BATCH_EVENTS events."""
    figures: list[Figure] = []
    for each in _formats():
        load = on_a_loop(send, target, size, each)
        title = f"{each.name}, {BATCH_EVENTS} in a request, {CONNECTIONS} connections"
        figures.append(rate(title, load, units_per_request=BATCH_EVENTS, at_least=each.at_least))
        figures += cost(load.window, units=len(load.latencies_seconds) * BATCH_EVENTS, unit=f"event by {each.name}")
    return figures


async def send(target: Target, size: Size, each: Format) -> Load:
    """As many as the server takes; the log must grow by exactly that."""
    message = _request(target, each)

    def ask() -> bytes:
        return message

    with closing([await Connection.open(target.port) for _ in range(CONNECTIONS)]) as connections:
        await warm_up(connections, ask, requests=max(1, size.warm_up_requests // 10))
        before = await _log_length(connections[0], target)
        load = await closed_loop(
            connections, ask, seconds=size.publish_seconds, expected_status=each.status, server_pids=[target.pid]
        )
        added = await _log_length(connections[0], target) - before
    if added != len(load.latencies_seconds) * BATCH_EVENTS:
        raise UnexpectedAnswer(f"{len(load.latencies_seconds)} requests were taken, and the log grew by {added} events")
    return load


def _request(target: Target, each: Format) -> bytes:
    lines = [
        f"POST /operator/api/ingest/{each.path} HTTP/1.1",
        f"Host: {HOST}",
        f"X-VX11-Token: {target.service_token}",
    ]
    lines += [f"Content-Type: {each.content_type}", f"Content-Length: {len(each.body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + each.body


async def _log_length(connection: Connection, target: Target) -> int:
    answer = await connection.ask(request("GET", "/operator/api/events?limit=1", token=target.principal_token))
    return int(answer.expect(200).json()["cursor"].rpartition("-")[2])
