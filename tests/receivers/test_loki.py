"""Lines of Loki: labels, metadata and lines become events, as JSON and as protobuf alike."""

import dataclasses
import json

import cramjam
import pytest

from events.log import NewEvent
from gateway.http.errors import ApiError
from receivers.intake import RECEIVE_LIMIT_EVENTS, Received
from receivers.loki import read_push
from receivers.protobuf_messages import PushRequest
from tests.receivers.samples import Json, sender

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
AT = "1780000000123456789"
Line = tuple[str, dict[str, str]]


def packed(labels: str, *lines: Line, at: str = AT) -> bytes:
    push = PushRequest()
    stream = push.streams.add(labels=labels)
    for text, metadata in lines:
        entry = stream.entries.add(line=text)
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(int(at), 10**9)
        for name, value in metadata.items():
            entry.structured_metadata.add(name=name, value=value)
    return bytes(cramjam.snappy.compress_raw(push.SerializeToString()))


def as_json(labels: dict[str, str], *lines: Line, at: str = AT) -> bytes:
    values = [[at, text, metadata] if metadata else [at, text] for text, metadata in lines]
    return json.dumps({"streams": [{"stream": labels, "values": values}]}).encode()


def read(labels: dict[str, str], *lines: Line, any_module: bool = False) -> Received:
    quoted = "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()) + "}"
    of_message = read_push(packed(quoted, *lines), PROTOBUF, sender(any_module=any_module))
    of_json = read_push(as_json(labels, *lines), JSON, sender(any_module=any_module))
    assert list(map(content_of, of_json.events)) == list(map(content_of, of_message.events))
    assert of_json.rejected_count == of_message.rejected_count
    return of_json


def content_of(event: NewEvent) -> Json:
    return dataclasses.asdict(event) | {"event_id": ""}


def test_a_line_with_labels_is_an_event() -> None:
    (event,) = read({"job": "nginx", "filename": "/var/log/x"}, ("upstream timed out", {"trace": "abc"})).events
    assert (event.event_type, event.summary, event.severity, event.module) == (
        *("log.line", "upstream timed out", "info", "shop"),
    )
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-05-28T20:26:40.123456+00:00"
    assert json.loads(event.payload) == {
        "labels": {"job": "nginx", "filename": "/var/log/x"},
        "metadata": {"trace": "abc"},
    }


@pytest.mark.parametrize(
    ("labels", "line", "metadata", "severity"),
    [
        ({}, "ERROR it failed", {}, "error"),
        ({"level": "warning"}, "ERROR it failed", {}, "warn"),
        ({"level": "warning"}, "it failed", {"detected_level": "critical"}, "critical"),
        ({"severity": "fatal"}, "it failed", {}, "critical"),
        ({"detected_level": "error"}, "it failed", {}, "error"),
        ({"level": "unknown"}, "plain", {}, "info"),
        ({}, '{"level":"error","msg":"x"}', {}, "error"),
    ],
)
def test_metadata_counts_before_labels_and_labels_before_the_line(
    labels: dict[str, str], line: str, metadata: dict[str, str], severity: str
) -> None:
    assert read(labels, (line, metadata)).events[0].severity == severity


def test_a_line_of_json_is_read_and_keeps_its_fields() -> None:
    (event,) = read({"job": "app"}, ('{"msg":"order failed","order":7,"labels":["own"]}', {})).events
    assert event.summary == "order failed"
    assert json.loads(event.payload) == {
        "labels": {"job": "app"},
        "fields": {"msg": "order failed", "order": 7, "labels": ["own"]},
    }
    (event,) = read({"job": "app"}, ('{"msg":"order failed","order":7}', {})).events
    assert json.loads(event.payload) == {"labels": {"job": "app"}, "msg": "order failed", "order": 7}


@pytest.mark.parametrize(
    ("labels", "module"),
    [
        ({"job": "a/b", "service_name": "pay", "app": "x"}, "pay"),
        ({"job": "default/nginx"}, "default-nginx"),
        ({"host": "h1"}, "own"),
    ],
)
def test_a_token_of_every_module_takes_the_module_from_a_label(labels: dict[str, str], module: str) -> None:
    assert read(labels, ("x", {}), any_module=True).events[0].module == module


def test_empty_lines_are_left_out_and_counted() -> None:
    received = read({"a": "b"}, ("", {}), ("  \n", {}), ("one", {}))
    assert ([event.summary for event in received.events], received.rejected_count) == (["one"], 2)


def test_a_line_that_is_too_long_keeps_what_fits() -> None:
    (event,) = read({"job": "x" * 2000}, ("ERROR " + "y" * 300_000, {})).events
    assert (event.severity, len(event.summary), len(event.payload) < 64 * 1024) == ("error", 500, True)
    assert json.loads(event.payload)["line_bytes"] == 300_006


def test_labels_and_metadata_that_are_too_long_are_left_out_and_the_line_stays() -> None:
    long = {"note": "y" * 70_000}
    for labels, metadata in ((long, {}), ({"job": "x"}, long)):
        (event,) = read(labels, ("ERROR it failed", metadata)).events
        assert (event.summary, event.severity) == ("ERROR it failed", "error")
        assert json.loads(event.payload) == {"line": "ERROR it failed", "line_bytes": 15}


@pytest.mark.parametrize("at", ["0", "1", "9999999999999999999"])
def test_a_time_that_no_log_can_mean_is_none(at: str) -> None:
    (event,) = read_push(as_json({"a": "b"}, ("x", {}), at=at), JSON, sender()).events
    assert event.occurred_at is None


def test_a_type_that_is_not_named_is_protobuf_as_loki_has_it() -> None:
    assert len(read_push(packed('{a="b"}', ("x", {})), "", sender()).events) == 1


@pytest.mark.parametrize(
    "push",
    [
        *([], {}, {"streams": 1}, {"streams": [1]}, {"streams": [{"stream": {"a": 1}, "values": []}]}),
        *({"streams": [{"stream": {}}]}, {"streams": [{"stream": {}, "values": [1]}]}),
        *({"streams": [{"stream": {}, "values": [[value, "x"]]}]} for value in (1, "", "-1", "1.5", "x", "1" * 20)),
        *(
            {"streams": [{"stream": {}, "values": [value]}]}
            for value in (["1"], ["1", 2], ["1", "x", 3], ["1", "x", {}, 4])
        ),
    ],
)
def test_json_that_is_no_push_is_refused_with_its_place(push: object) -> None:
    with pytest.raises(ApiError) as refused:
        read_push(json.dumps(push).encode(), JSON, sender())
    assert (refused.value.status, refused.value.title.startswith("The push cannot be read: ")) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"abc",
        packed('{a="b"}', ("x", {}))[:-1],
        bytes(cramjam.snappy.compress_raw(b"\x0a\x05abc")),
        packed("a", ("x", {})),
    ],
    ids=["empty", "no block", "cut off", "no message", "no labels"],
)
def test_what_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        read_push(body, PROTOBUF, sender())
    assert refused.value.status == 400


def test_a_block_that_would_be_large_is_not_unpacked() -> None:
    bomb = bytes(cramjam.snappy.compress_raw(b"\0" * (4 * 1024 * 1024 + 1)))
    assert len(bomb) < 250_000
    # One that claims to be even larger: four gigabytes.
    for block in (bomb, b"\xff\xff\xff\xff\x0f" + bomb):
        with pytest.raises(ApiError) as refused:
            read_push(block, PROTOBUF, sender())
        assert refused.value.reason == "payload_too_large"


def test_more_lines_than_a_request_may_have_are_refused() -> None:
    lines: list[Line] = [("x", {})] * (RECEIVE_LIMIT_EVENTS + 1)
    for body, media_type in ((packed("{}", *lines), PROTOBUF), (as_json({}, *lines), JSON)):
        with pytest.raises(ApiError) as refused:
            read_push(body, media_type, sender())
        assert refused.value.reason == "payload_too_large"


@pytest.mark.parametrize("media_type", ["text/plain", "application/protobuf"])
def test_other_types_are_refused(media_type: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_push(b"", media_type, sender())
    assert refused.value.reason == "unsupported_media_type"
