"""JSON numbers: what was written is what is read, on every path that a payload takes inside the server."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log.records import Record, encode
from events.log.submissions import Defaults, Invalid, NewEvent, read_event
from vx11_client import exact_json
from vx11_client.feeding.feed_mapping import FeedMapping
from vx11_client.lines.line import Line
from vx11_client.publishing.delivery import encoded
from vx11_client.reading.event_printer import EventPrinter
from vx11_client.reading.stream_reader import Received

# Each is something else, or another text, once JavaScript or orjson has read and written it.
ODD_NUMBERS = (
    *("9007199254740993", "-9007199254740993", "18446744073709551615", "-9223372036854775808"),
    *("0.1000000000000000055511151231257827", "1e5", "1E5", "1e+5", "1.0e-7", "1e-400", "1e22", "-0", "-0.0", "-0e0"),
    *("0.10", "1.0", "100000.0", "1e16", "123456789012345678.0", "5e-324", "1.7976931348623157e308"),
)

digits = st.text("0123456789", min_size=1, max_size=30)
wholes = st.just("0") | st.integers(1, 2**63 - 1).map(str)
numbers = st.builds(
    lambda sign, whole, fraction, exponent: sign + whole + fraction + exponent,
    st.sampled_from(["", "-"]),
    wholes,
    st.just("") | digits.map(lambda text: f".{text}"),
    st.just("")
    | st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 280)),
)


@given(text=numbers)
def test_n10_any_number_is_written_as_it_was_read(text: str) -> None:
    document = f'{{"n":{text},"in":[{text}]}}'
    assert exact_json.dumps(exact_json.loads(document)).decode() == document


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_n10_an_odd_number_is_the_double_that_python_makes_of_it(text: str) -> None:
    assert exact_json.loads(text) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e309", "9" * 5000, "01", "+1", ".5", "1."]
)
def test_n10_what_no_number_of_json_is_or_no_reader_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what JSON raises, and what we do
        exact_json.loads(text)


@pytest.mark.parametrize("text", ["18446744073709551616", "-9223372036854775809", "1" * 40])
def test_n10_a_whole_number_beyond_64_bits_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        published(text)
    assert list(raised.value.errors) == ["payload"]


@given(one=numbers, other=numbers)
def test_content_is_the_same_when_its_numbers_are_equal_however_they_are_spelled(one: str, other: str) -> None:
    same = exact_json.canonical(exact_json.loads(one)) == exact_json.canonical(exact_json.loads(other))
    if same:
        # As a decimal; or as a double, which is all that whole numbers with an exponent or a fraction ever were.
        assert Decimal(one) == Decimal(other)


@pytest.mark.parametrize(("one", "other"), [("1e5", "100000.0"), ("0.10", "0.1"), ("1E5", "1e+5"), ("-0", "0")])
def test_a_retry_that_spells_a_number_otherwise_is_the_same_content(one: str, other: str) -> None:
    assert published(one).fingerprint == published(other).fingerprint


def test_numbers_that_only_doubles_confuse_are_other_content() -> None:
    assert published("0.1").fingerprint != published("0.1000000000000000055511").fingerprint


def payload(text: str) -> str:
    return f'{{"n":{text},"in":[{{"n":{text}}}]}}'


def published(text: str) -> NewEvent:
    body = f'{{"event_type":"drift","summary":"x","event_id":"mine","payload":{payload(text)}}}'
    return read_event(exact_json.loads(body), Defaults("m", "c"))


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_n10_a_payload_is_stored_and_told_with_the_numbers_that_were_sent(text: str) -> None:
    event = published(text)
    assert event.payload == payload(text)
    moment = datetime(2026, 1, 4, tzinfo=UTC)
    record = Record(7, "e", "drift", "x", "m", "info", "c", event.payload, moment, None)
    assert payload(text).encode() in encode(record).body


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_n10_the_terminal_prints_the_numbers_that_came(text: str) -> None:
    out = io.StringIO()
    event: dict[str, Any] = exact_json.loads(f'{{"type":"event","payload":{payload(text)}}}')
    EventPrinter(out, io.StringIO(), as_json=True, in_colour=False).show(Received(event))
    assert payload(text) in out.getvalue()


@pytest.mark.parametrize("text", ODD_NUMBERS)
@pytest.mark.parametrize("kind", ["an event", "a line of another program"])
def test_n10_a_feed_sends_the_numbers_of_its_line(text: str, kind: str) -> None:
    known = '"event_type":"drift","summary":"x",' if kind == "an event" else '"msg":"x",'
    content = f'{{{known}"payload":{payload(text)}}}'.encode()
    event = FeedMapping().event(Line(content, len(content)))
    assert event is not None
    assert payload(text).encode() in encoded(event, event_id="e", line_number=1).body


def test_n10_a_feed_sends_whole_numbers_that_the_server_cannot_take_as_texts() -> None:
    content = b'{"event_type":"drift","summary":"x","payload":{"n":[18446744073709551616]}}'
    event = FeedMapping().event(Line(content, len(content)))
    assert event is not None
    assert orjson.loads(encoded(event, event_id="e", line_number=1).body)["payload"] == {"n": ["18446744073709551616"]}
