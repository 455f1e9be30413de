"""What a publisher may send: defaults, limits, and what makes two events the same."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log.submissions import (
    EVENT_LIMIT_BYTES,
    RESERVED_TYPES,
    SUMMARY_LIMIT,
    UNKNOWN_NAME_LIMIT,
    UNKNOWN_NAMED_LIMIT,
    Defaults,
    Invalid,
    NewEvent,
    read_event,
    read_key,
)
from events.models import Event

DEFAULTS = Defaults("operator_backend", "request-1")
PLAIN = {"event_type": "drift", "summary": "it drifts"}


def read(defaults: Defaults = DEFAULTS, **fields: Any) -> NewEvent:
    return read_event({**PLAIN, **fields}, defaults)


def errors(data: Any) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as raised:
        read_event(data, DEFAULTS)
    assert not raised.value.too_large
    return raised.value.errors


def test_what_is_not_said_has_defaults() -> None:
    event = read()
    assert (event.severity, event.module, event.payload) == ("info", "operator_backend", "{}")
    assert (event.correlation_id, event.occurred_at, event.fingerprint) == ("request-1", None, "")
    assert event.event_id != read().event_id


def test_null_is_the_same_as_not_said() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("severity", "module", "payload", "correlation_id", "event_id", "occurred_at")
    )
    event = read(**nothing)
    assert (event.severity, event.module, event.payload, event.fingerprint) == ("info", "operator_backend", "{}", "")


def test_what_is_said_is_kept() -> None:
    event = read(
        event_id="mine",
        severity="critical",
        module="Switch_1",
        correlation_id="c-1",
        payload={"a": [1]},
        occurred_at="2026-01-04T03:34:28+02:00",
    )
    assert (event.event_id, event.severity, event.module, event.correlation_id) == (
        "mine",
        "critical",
        "Switch_1",
        "c-1",
    )
    assert json.loads(event.payload) == {"a": [1]}
    assert event.occurred_at == datetime(2026, 1, 4, 1, 34, 28, tzinfo=UTC)


def test_warning_is_read_as_warn_and_a_time_without_zone_as_utc() -> None:
    event = read(severity="warning", occurred_at="2026-01-04T01:34:28")
    assert (event.severity, event.occurred_at) == ("warn", datetime(2026, 1, 4, 1, 34, 28, tzinfo=UTC))


@pytest.mark.parametrize("data", [None, [], "x", 3, True])
def test_what_is_no_object_is_refused(data: Any) -> None:
    assert "event" in errors(data)


UNACCEPTABLE: dict[str, list[Any]] = {
    "event_type": ["", "A", "a b", "a\nid: 9", "a\r", "é", "x" * 65, 3, ["a"], {"a": 1}],
    "summary": ["", 3, None, ["a"], "x" * (SUMMARY_LIMIT + 1)],
    "severity": ["fatal", "WARN", 3, ["info"], {}, ""],
    "module": ["", "a b", "é", "x" * 65, 3, [], "a,b"],
    "correlation_id": ["", "a b", "x" * 65, 3, "\x7f"],
    "event_id": ["", "a/b", "x" * 65, 3, "٣"],
    "occurred_at": ["", "yesterday", 3, "2026-13-01", [], "9999-12-31T23:59:59-12:00"],
    "payload": ["x", 3, [], [1], True, {"a": 2**64}, {"a": [-(2**63) - 1]}],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in UNACCEPTABLE.items() for value in values],
)
def test_a_value_that_cannot_be_taken_is_refused_by_its_field(field: str, value: Any) -> None:
    assert list(errors({**PLAIN, field: value})) == [field]


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert set(errors({"severity": "fatal", "payload": []})) == {"event_type", "summary", "severity", "payload"}


@pytest.mark.parametrize(
    "name", [*sorted(RESERVED_TYPES), "stream-end", "stream-", "system.x", "window.opened", "chat.message"]
)
def test_a23_types_of_the_server_are_refused(name: str) -> None:
    assert list(errors({**PLAIN, "event_type": name})) == ["event_type"]


@pytest.mark.parametrize("name", ["stream", "messages", "windows.opened", "a", "0", "x" * 64, "a.b-c_d"])
def test_types_that_only_look_like_those_of_the_server_are_taken(name: str) -> None:
    assert read(event_type=name).event_type == name


def test_a_summary_may_have_any_characters_up_to_its_limit() -> None:
    text = "ñ\n😀" + "x" * (SUMMARY_LIMIT - 3)
    assert read(summary=text).summary == text


def sized(size_bytes: int, **fields: Any) -> dict[str, Any]:
    """An event whose compact JSON has that many bytes."""
    data = {**PLAIN, "payload": {"text": ""}, **fields}
    data["payload"]["text"] = "x" * (size_bytes - len(orjson.dumps(data)))
    return data


def test_an_event_of_the_largest_size_is_taken_and_one_byte_more_is_too_large() -> None:
    read_event(sized(EVENT_LIMIT_BYTES), DEFAULTS)
    with pytest.raises(Invalid) as raised:
        read_event(sized(EVENT_LIMIT_BYTES + 1), DEFAULTS)
    assert raised.value.too_large


def test_fields_that_no_event_has_are_refused_by_name_with_the_one_that_may_have_been_meant() -> None:
    assert errors({**PLAIN, "seq": 2**70, "Sumary": {}, "publisher": "another"}) == {
        "seq": ["unknown; data of your own goes into payload"],
        "Sumary": ["unknown; did you mean summary?"],
        "publisher": ["unknown; data of your own goes into payload"],
    }


def test_n10_many_or_long_unknown_fields_make_a_short_answer() -> None:
    found = errors({**PLAIN, **{f"{number}{'k' * 60_000}": 0 for number in range(5_000)}})
    assert len(found) == UNKNOWN_NAMED_LIMIT
    assert all(len(name) == UNKNOWN_NAME_LIMIT for name in found)


@given(
    size_bytes=st.integers(EVENT_LIMIT_BYTES - 5000, EVENT_LIMIT_BYTES + 5000),
    summary=st.text("\n😀x", min_size=1, max_size=500),
)
def test_an_event_is_measured_as_it_is_sent(size_bytes: int, summary: str) -> None:
    data = sized(size_bytes, summary=summary)
    too_large = pytest.raises(Invalid) if size_bytes > EVENT_LIMIT_BYTES else nullcontext()
    with too_large:
        read_event(data, DEFAULTS)


def test_only_an_event_that_can_be_repeated_has_a_fingerprint() -> None:
    assert read().fingerprint == ""
    fingerprint = read(event_id="mine").fingerprint
    assert len(fingerprint) == Event._meta.get_field("fingerprint").max_length
    assert read(Defaults("m", "c", "key")).fingerprint


def test_the_same_content_has_the_same_fingerprint_whatever_the_request() -> None:
    one = read(Defaults("m", "request-1", "key"), payload={"a": 1, "b": 2})
    again = read_event({"payload": {"b": 2, "a": 1}, **PLAIN}, Defaults("m", "request-2", "key"))
    assert one.fingerprint == again.fingerprint


@pytest.mark.parametrize(
    "changed",
    [{"summary": "other"}, {"event_type": "other"}, {"severity": "error"}, {"payload": {"a": 1}}, {"module": "switch"}]
    + [{"correlation_id": "c"}, {"occurred_at": "2026-01-04"}],
)
def test_any_other_content_has_another_fingerprint(changed: dict[str, Any]) -> None:
    assert read(event_id="mine").fingerprint != read(event_id="mine", **changed).fingerprint


@pytest.mark.parametrize(("text", "key"), [(None, None), ("", None), ("a", "a"), ("~!" * 64, "~!" * 64)])
def test_an_idempotency_key_is_visible_ascii(text: str | None, key: str | None) -> None:
    assert read_key(text) == key


@pytest.mark.parametrize("text", ["a b", "é", "x" * 129, "\x7f", "a\n"])
def test_an_idempotency_key_that_cannot_be_compared_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_key(text)
