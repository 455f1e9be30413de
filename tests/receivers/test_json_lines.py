"""Lines and arrays of JSON: our own events as they stand, records of other programs by the mapping."""

import json

import pytest

from events.log import NewEvent
from gateway.http.errors import ApiError
from receivers.intake import RECEIVE_LIMIT_EVENTS
from receivers.json_lines import JSON_TYPE, LINES_TYPES, read_lines
from tests.receivers.samples import sender
from vx11_client.feeding.feed_mapping import FeedMapping

OWN = {
    "event_type": "order.failed",
    "summary": "order 7 failed",
    "severity": "error",
    "event_id": "o-7",
    "payload": {"n": 7},
}
FOREIGN = {"level": "warning", "msg": "disk is nearly full", "ts": 1780000000.5, "free": 0.10}


def lines(*objects: object) -> bytes:
    return "\n".join(json.dumps(each) for each in objects).encode()


def refusal(body: bytes, media_type: str = LINES_TYPES[0]) -> ApiError:
    with pytest.raises(ApiError) as refused:
        read_lines(body, media_type, sender())
    return refused.value


def same(event: NewEvent) -> tuple[object, ...]:
    return (event.event_type, event.summary, event.severity, event.module, event.payload, event.occurred_at)


@pytest.mark.parametrize("media_type", LINES_TYPES)
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n \n", b"\r\n"])
def test_lines_are_events(media_type: str, end: bytes) -> None:
    own, foreign = read_lines(lines(OWN, FOREIGN) + end, media_type, sender()).events
    assert same(own)[:4] == ("order.failed", "order 7 failed", "error", "shop")
    assert (own.event_id, own.payload) == ("o-7", '{"n":7}')
    assert same(foreign)[:4] == ("log.line", "disk is nearly full", "warn", "shop")
    assert json.loads(foreign.payload) == FOREIGN


def test_an_array_is_the_same_as_lines() -> None:
    found = read_lines(json.dumps([OWN, FOREIGN]).encode(), JSON_TYPE, sender()).events
    assert list(map(same, found)) == list(map(same, read_lines(lines(OWN, FOREIGN), LINES_TYPES[0], sender()).events))
    (one,) = read_lines(json.dumps(OWN).encode(), JSON_TYPE, sender()).events
    assert one.event_id == "o-7"


def test_a_line_is_the_event_that_publish_events_makes_of_it() -> None:
    (event,) = read_lines(lines(FOREIGN), LINES_TYPES[0], sender()).events
    of_file = FeedMapping(guess_severity=True).event_of_text(json.dumps(FOREIGN))
    assert of_file is not None
    assert (event.summary, event.severity) == (of_file["summary"], of_file["severity"])
    assert json.loads(event.payload) == of_file["payload"]


def test_numbers_stay_as_they_were_written() -> None:
    (event,) = read_lines(b'{"msg":"x","n":0.10,"e":1e5}', LINES_TYPES[0], sender()).events
    assert '"n":0.10,"e":1e5' in event.payload


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (lines(OWN) + b"\n" + lines(OWN)[:-9] + b'"}}', 2),
        (b'{"msg":"a"}\n{"msg":"b","msg":"c"}\n', 2),
        (b'{"msg":"a"}\n[1]\n', 2),
        (b"not json", 1),
        (b'\n\n{"msg":"\\ud800"}', 3),
        (b'{"msg":"a"} {"msg":"b"}', 1),
    ],
)
def test_a_line_that_is_wrong_is_named(body: bytes, line: int) -> None:
    refused = refusal(body)
    assert refused.reason == "malformed_json"
    assert refused.title.startswith(f"Line {line} ")


@pytest.mark.parametrize("body", [b"\xff\xfe{}", lines(OWN)[:-5], b'{"a":' * 40 + b"1" + b"}" * 40])
def test_what_is_no_text_cut_off_or_deep_is_refused(body: bytes) -> None:
    assert refusal(body).status == 400


def test_a_wrong_event_is_named_and_nothing_is_taken() -> None:
    refused = refusal(lines(OWN, OWN | {"event_type": "window.opened", "event_id": "x"}))
    assert refused.reason == "validation_error"
    assert list(refused.errors or {}) == ["events[1].event_type"]


def test_an_event_of_another_module_is_refused() -> None:
    refused = refusal(lines(OWN | {"module": "other"}))
    assert refused.reason == "insufficient_scope"


def test_more_events_or_values_than_a_request_may_have_are_refused() -> None:
    assert refusal(b'{"msg":"x"}\n' * (RECEIVE_LIMIT_EVENTS + 1)).reason == "payload_too_large"
    assert (
        refusal(json.dumps([{"msg": "x"}] * (RECEIVE_LIMIT_EVENTS + 1)).encode(), JSON_TYPE).reason
        == "payload_too_large"
    )
    assert refusal(b'{"a":[' + b"1," * 100_001 + b"1]}").reason == "payload_too_large"


@pytest.mark.parametrize("media_type", ["", "text/plain", "text/csv", "application/x-www-form-urlencoded"])
def test_other_types_are_refused(media_type: str) -> None:
    assert refusal(lines(OWN), media_type).reason == "unsupported_media_type"


def test_an_array_of_other_things_is_refused() -> None:
    refused = refusal(b'[{"msg":"x"},1]', JSON_TYPE)
    assert (refused.reason, list(refused.errors or {})) == ("validation_error", ["[1]"])
