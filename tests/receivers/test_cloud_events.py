"""CloudEvents: three modes, one event; an id and a source are the event's id."""

import json
from typing import Any

import pytest

from events.log import NewEvent
from gateway.http.errors import ApiError
from receivers.cloud_events import BATCH_TYPE, STRUCTURED_TYPE, read_events
from receivers.intake import RECEIVE_LIMIT_EVENTS, Received
from tests.receivers.samples import sender

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "A234-1234",
    "source": "https://shop.example.org/orders?x=1",
    "type": "org.example.Order.Failed",
    "subject": "order 7",
    "time": "2026-05-28T20:26:40.123456Z",
    "datacontenttype": "application/json",
    "data": {"message": "order 7 failed", "level": "error", "price": 0.10},
}


def read(
    body: bytes, content_type: str, headers: dict[str, str] | None = None, *, any_module: bool = False
) -> Received:
    return read_events(body, content_type, headers or {}, sender(any_module=any_module))


def read_one(event: object, *, any_module: bool = False) -> NewEvent:
    (found,) = read(json.dumps(event).encode(), STRUCTURED_TYPE, any_module=any_module).events
    return found


def refusal(body: bytes, content_type: str, headers: dict[str, str] | None = None) -> ApiError:
    with pytest.raises(ApiError) as refused:
        read(body, content_type, headers)
    return refused.value


def test_an_event_keeps_all_that_it_says() -> None:
    event = read_one(EVENT)
    assert (event.event_type, event.summary, event.severity) == ("org.example.order.failed", "order 7 failed", "error")
    assert event.module == "shop"
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-05-28T20:26:40.123456+00:00"
    assert json.loads(event.payload) == EVENT


def test_all_modes_are_the_same_event() -> None:
    structured = read_one(EVENT)
    (batched,) = read(json.dumps([EVENT]).encode(), f"{BATCH_TYPE}; charset=UTF-8").events
    attributes = {
        f"Ce-{name.title()}": value for name, value in EVENT.items() if name not in ("data", "datacontenttype")
    }
    (binary,) = read(json.dumps(EVENT["data"]).encode(), "application/json", attributes).events
    for other in (batched, binary):
        assert json.loads(other.payload) == json.loads(structured.payload)
        assert (other.event_id, other.fingerprint, other.summary, other.severity, other.occurred_at) == (
            *(
                structured.event_id,
                structured.fingerprint,
                structured.summary,
                structured.severity,
                structured.occurred_at,
            ),
        )


def test_the_id_is_made_of_source_and_id_and_nothing_else() -> None:
    first, again = read_one(EVENT), read_one(EVENT | {"data": {"message": "sent again"}, "time": None})
    assert (first.event_id, first.fingerprint) == (again.event_id, again.fingerprint)
    assert read_one(EVENT | {"id": "B"}).event_id != first.event_id
    assert read_one(EVENT | {"source": "other"}).event_id != first.event_id
    # The border between the two counts.
    assert (
        read_one(EVENT | {"source": "a", "id": "bc"}).event_id != read_one(EVENT | {"source": "ab", "id": "c"}).event_id
    )


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"data": {"msg": "from data"}}, "from data"),
        ({"data": "a text\nof two lines"}, "a text of two lines"),
        ({"data": {"n": 1}}, "order 7"),
        ({"data": [1, 2]}, "order 7"),
        ({"data": None, "subject": None}, "org.example.Order.Failed"),
        ({"data": {"msg": "x" * 900}}, "x" * 500),
    ],
)
def test_the_summary_is_what_says_most(fields: dict[str, object], summary: str) -> None:
    assert read_one(EVENT | fields).summary == summary


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"severity": "critical", "data": {}}, "critical"),
        ({"data": {}}, "info"),
        ({"data": {"severity": "WARN"}}, "warn"),
    ],
)
def test_the_severity_is_that_of_an_extension_or_of_the_data(fields: dict[str, object], severity: str) -> None:
    assert read_one(EVENT | fields).severity == severity


def test_a_type_of_the_servers_own_gets_a_prefix() -> None:
    assert read_one(EVENT | {"type": "window.opened"}).event_type == "ext.window.opened"
    assert read_one(EVENT | {"type": "///"}).event_type == "cloudevent"


@pytest.mark.parametrize(
    ("source", "module"),
    [("https://x.example/orders/", "orders"), ("/apps/pay?x=/y", "pay"), ("urn:x", "urn-x"), ("/", "own")],
)
def test_a_token_of_every_module_takes_the_end_of_the_source(source: str, module: str) -> None:
    assert read_one(EVENT | {"source": source}, any_module=True).module == module


def test_binary_data_of_other_types() -> None:
    attributes = {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0", "ce-subject": "%C3%A9%20%22"}
    (text,) = read(b"plain", "text/plain", attributes).events
    assert (json.loads(text.payload)["data"], text.summary) == ("plain", "plain")
    assert json.loads(text.payload)["subject"] == 'é "'
    (raw,) = read(b"\xff\x00", "application/octet-stream", attributes).events
    assert json.loads(raw.payload)["data_base64"] == "/wA="
    (none,) = read(b"", "", attributes).events
    assert "data" not in json.loads(none.payload)


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
@pytest.mark.parametrize("value", ["", None, 7])
def test_what_an_event_must_have_is_named(name: str, value: object) -> None:
    refused = refusal(json.dumps([EVENT, EVENT | {name: value}]).encode(), BATCH_TYPE)
    assert (refused.status, list(refused.errors or {})) == (422, [f"[1].{name}"])
    without = {f"ce-{each}": "x" for each in ("id", "source", "type", "specversion") if each != name}
    if name != "specversion":
        assert list(refusal(b"", "", without | {"ce-specversion": "1.0"}).errors or {}) == [f"ce-{name}"]


@pytest.mark.parametrize("version", ["0.3", "1.1", "2"])
def test_another_version_is_refused(version: str) -> None:
    refused = refusal(json.dumps(EVENT | {"specversion": version}).encode(), STRUCTURED_TYPE)
    assert (refused.errors or {})["specversion"] == ["only 1.0 is taken"]


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"[]", STRUCTURED_TYPE, "validation_error"),
        (b"{}", BATCH_TYPE, "validation_error"),
        (b"[1]", BATCH_TYPE, "validation_error"),
        (b"{", STRUCTURED_TYPE, "malformed_json"),
        (b'{"id":"1","id":"2"}', STRUCTURED_TYPE, "malformed_json"),
        (b"{}", "application/json", "unsupported_media_type"),
        (b"{}", f"{STRUCTURED_TYPE}; charset=latin-1", "unsupported_media_type"),
        (b"{}", "application/cloudevents+avro", "unsupported_media_type"),
    ],
)
def test_what_is_no_event_is_refused(body: bytes, content_type: str, reason: str) -> None:
    assert refusal(body, content_type).reason == reason


def test_headers_that_name_no_attribute_are_refused() -> None:
    attributes = {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0", "ce-my_name": "x"}
    assert list(refusal(b"", "", attributes).errors or {}) == ["ce-my_name"]


def test_an_empty_batch_is_taken_and_a_large_one_is_not() -> None:
    assert read(b"[]", BATCH_TYPE).events == []
    batch = [
        {"id": str(number), "source": "s", "type": "t", "specversion": "1.0"}
        for number in range(RECEIVE_LIMIT_EVENTS + 1)
    ]
    assert refusal(json.dumps(batch).encode(), BATCH_TYPE).reason == "payload_too_large"
    assert len(read(json.dumps(batch[:-1]).encode(), BATCH_TYPE).events) == RECEIVE_LIMIT_EVENTS


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (b'{"message": "order 7 failed"}', "order 7 failed"),
        (b"order 7 failed", "order 7 failed"),
        (b"{", "{"),
        (b"7", "t"),
    ],
)
def test_data_without_a_type_is_json_if_it_can_be(body: bytes, summary: str) -> None:
    """The project's SDK writes JSON, and names no type where the event names none."""
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
    (event,) = read(body, "", headers).events
    assert event.summary == summary
