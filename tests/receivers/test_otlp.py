"""Records of OpenTelemetry: the same event as JSON, as protobuf, and from a file; nothing of a record is lost."""

import dataclasses
import json
import math

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from events.log import NewEvent
from gateway.http.errors import ApiError
from receivers.intake import RECEIVE_LIMIT_EVENTS, Received
from receivers.otlp import JSON_TYPE, PROTOBUF_TYPE, read_logs
from tests.receivers.samples import CORRELATION_ID, RECORD, Json, logs_json, sender
from vx11_client.feeding.feed_mapping import FeedMapping
from vx11_client.formats.format_reader import FormatReader
from vx11_client.lines.line import Line


def as_protobuf(request: Json) -> bytes:
    message = ExportLogsServiceRequest()
    # In its JSON, ids are base64 and not hex as OTLP has them.
    bare = json.loads(json.dumps(request))
    for resource in bare.get("resourceLogs", []):
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                record.pop("traceId", None)
                record.pop("spanId", None)
    json_format.ParseDict(bare, message)
    given = [r for resource in request["resourceLogs"] for scope in resource["scopeLogs"] for r in scope["logRecords"]]
    made = [r for resource in message.resource_logs for scope in resource.scope_logs for r in scope.log_records]
    for record, target in zip(given, made, strict=True):
        target.trace_id = bytes.fromhex(record.get("traceId", ""))
        target.span_id = bytes.fromhex(record.get("spanId", ""))
    return message.SerializeToString()


def read(request: Json, *, any_module: bool = False) -> Received:
    as_json = read_logs(json.dumps(request).encode(), JSON_TYPE, sender(any_module=any_module))
    of_message = read_logs(as_protobuf(request), PROTOBUF_TYPE, sender(any_module=any_module))
    assert list(map(content_of, as_json.events)) == list(map(content_of, of_message.events))
    assert as_json.rejected_count == of_message.rejected_count
    return as_json


def content_of(event: NewEvent) -> Json:
    return dataclasses.asdict(event) | {"event_id": "", "payload": json.loads(event.payload)}


def test_a_record_is_the_same_event_as_json_and_as_protobuf() -> None:
    (event,) = read(logs_json(RECORD)).events
    assert (event.event_type, event.summary, event.severity) == ("log.record", "payment failed", "error")
    assert (event.module, event.correlation_id) == ("shop", RECORD["traceId"])
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-05-28T20:26:40.123456+00:00"
    assert json.loads(event.payload) == {
        "timeUnixNano": RECORD["timeUnixNano"],
        "observedTimeUnixNano": RECORD["observedTimeUnixNano"],
        "severityNumber": 17,
        "severityText": "Error",
        "body": "payment failed",
        "attributes": {
            "order": 4711,
            "share": 0.25,
            "final": True,
            "tries": [1, "two"],
            "who": {"name": "Ana"},
            "raw": "AP8=",
        },
        "traceId": RECORD["traceId"],
        "spanId": RECORD["spanId"],
        "flags": 1,
        "resource": {"service.name": "shop"},
        "scope": "app",
    }


def test_a_record_is_the_event_that_the_same_batch_in_a_file_is() -> None:
    content = json.dumps(logs_json(RECORD)).encode()
    (line,) = FormatReader().feed(Line(content, len(content)))
    of_file = FeedMapping(guess_severity=True).event(line)
    assert of_file is not None
    (event,) = read(logs_json(RECORD)).events
    assert (event.summary, event.severity) == (of_file["summary"], of_file["severity"])
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == of_file["occurred_at"]
    assert json.loads(event.payload) == of_file["payload"]


@pytest.mark.parametrize(
    ("number", "severity"),
    [*((number, "info") for number in range(0, 13)), (13, "warn"), (16, "warn"), (17, "error"), (21, "critical")],
)
def test_a_number_alone_is_a_severity(number: int, severity: str) -> None:
    record = {"severityNumber": number, "body": {"stringValue": "a text"}}
    assert read(logs_json(record)).events[0].severity == severity


def test_a_time_is_that_of_observing_where_there_is_no_other() -> None:
    record = {"observedTimeUnixNano": "1780000000000000000", "body": {"stringValue": "a text"}}
    occurred_at = read(logs_json(record)).events[0].occurred_at
    assert occurred_at is not None
    assert occurred_at.timestamp() == 1_780_000_000


def test_a_body_of_fields_has_its_message_as_summary() -> None:
    pairs = [{"key": "msg", "value": {"stringValue": "from fields"}}, {"key": "n", "value": {"intValue": "1"}}]
    event = read(logs_json({"body": {"kvlistValue": {"values": pairs}}})).events[0]
    assert event.summary == "from fields"
    assert json.loads(event.payload)["body"] == {"msg": "from fields", "n": 1}


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("app.order.placed", "app.order.placed"),
        ("App Order/Placed", "app-order-placed"),
        ("window.opened", "ext.window.opened"),
        ("error", "ext.error"),
        ("x" * 80, "x" * 60),
        ("///", "log.record"),
    ],
)
def test_an_event_name_is_the_type(name: str, event_type: str) -> None:
    assert read(logs_json({"eventName": name})).events[0].event_type == event_type


def test_a_token_of_one_module_publishes_for_it_whatever_the_service_is_called() -> None:
    assert read(logs_json(RECORD, service_name="other")).events[0].module == "shop"


@pytest.mark.parametrize(
    ("service_name", "module"), [("pay", "pay"), ("Pay ment/é", "Pay-ment"), ("", "own"), ("x" * 99, "x" * 64)]
)
def test_a_token_of_every_module_takes_the_name_of_the_service(service_name: str, module: str) -> None:
    found = read(logs_json(RECORD, service_name=service_name), any_module=True)
    assert found.events[0].module == module


def test_records_that_say_nothing_are_left_out_and_counted() -> None:
    empty: Json = {"timeUnixNano": "1780000000000000000", "severityNumber": 9}
    received = read(logs_json(empty, RECORD, {}, {"body": {"stringValue": ""}}))
    assert (len(received.events), received.rejected_count) == (1, 3)


def test_without_a_trace_the_request_names_the_event() -> None:
    assert read(logs_json({"body": {"stringValue": "x"}})).events[0].correlation_id == CORRELATION_ID


@pytest.mark.parametrize("request_json", [{}, {"resourceLogs": []}, {"resourceLogs": [{"scopeLogs": []}]}])
def test_a_request_without_records_is_taken(request_json: Json) -> None:
    assert read_logs(json.dumps(request_json).encode(), JSON_TYPE, sender()).events == []
    assert read_logs(as_protobuf(request_json), PROTOBUF_TYPE, sender()).events == [] if request_json else True


def test_an_empty_message_is_a_request_without_records() -> None:
    assert read_logs(b"", PROTOBUF_TYPE, sender()).events == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_texts(value: float) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.double_value = value
    (event,) = read_logs(request.SerializeToString(), PROTOBUF_TYPE, sender()).events
    assert json.loads(event.payload)["body"] == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]


def test_a_text_with_nul_can_be_stored() -> None:
    record = {"body": {"stringValue": "a\0b"}, "attributes": [{"key": "k\0", "value": {"stringValue": "v\0"}}]}
    (event,) = read(logs_json(record)).events
    assert "\0" not in event.summary
    assert "\\u0000" not in event.payload


def test_a_record_that_is_too_large_keeps_its_summary_severity_and_time() -> None:
    record = RECORD | {"attributes": [{"key": "long", "value": {"stringValue": "x" * 100_000}}]}
    (event,) = read_logs(json.dumps(logs_json(record)).encode(), JSON_TYPE, sender()).events
    assert (event.summary, event.severity) == ("payment failed", "error")
    assert json.loads(event.payload)["line_bytes"] > 100_000
    assert len(event.payload) < 64 * 1024


def test_more_records_than_a_request_may_have_are_refused_before_they_are_mapped() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(RECEIVE_LIMIT_EVENTS + 1):
        records.add().body.string_value = "x"
    with pytest.raises(ApiError) as refused:
        read_logs(request.SerializeToString(), PROTOBUF_TYPE, sender())
    assert (refused.value.reason, str(RECEIVE_LIMIT_EVENTS) in refused.value.title) == ("payload_too_large", True)
    del records[-1]
    assert len(read_logs(request.SerializeToString(), PROTOBUF_TYPE, sender()).events) == RECEIVE_LIMIT_EVENTS


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed_json"),
        (b"[]", "bad_request"),
        (b'{"resourceLogs": 1}', "bad_request"),
        (b"{", "malformed_json"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_logs(body, JSON_TYPE, sender())
    assert refused.value.reason == reason


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/protobuf", "application/grpc"])
def test_other_types_are_refused(media_type: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_logs(b"", media_type, sender())
    assert refused.value.reason == "unsupported_media_type"
