"""Encoding: what is in an event can never become something else on the wire."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.answers import assert_problem
from tests.client import API, Client, Json

EVENTS = f"{API}/events"
JSON_TYPE = {"Content-Type": "application/json"}
# Everything JSON can say and the log may hold: NUL and lone surrogates are refused at the door.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n", "\u2028"])
@pytest.mark.parametrize("field", ["event_type", "module", "event_id", "correlation_id"])
def test_s01_a_line_break_in_a_name_is_refused(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, field: str, newline: str
) -> None:
    answer = service.publish(new_event(**{field: f"a{newline}id: 999{newline}data: x"}))
    assert_problem(answer, 422, "validation_error")
    assert principal.polled(correlation_id=marker)["total"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "a\n\nevent: stream-end\ndata: {}",
        "a\r\rid: 1\r\r",
        "a\r\n\r\ndata: x",
        "\u2028\u2029\x85",
        ": comment\n\n",
        "\ufeff",
    ],
)
def test_s02_line_breaks_in_data_stay_in_the_data_of_one_event(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, text: str
) -> None:
    with principal.stream(correlation_id=marker) as stream:
        stream.connected()
        first = service.published(new_event(payload={"m": text}))["event_id"]
        second = service.published(new_event())["event_id"]
        events = stream.events(2)

    assert [event["event_id"] for event in events] == [first, second]
    assert events[0]["payload"] == {"m": text}


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x1b", "\x7f", "\x85", "\x9f", "\u200b", "\u202e", "\ufeff"])
@pytest.mark.parametrize("field", ["event_type", "module", "event_id", "correlation_id"])
def test_s03_control_characters_in_a_name_are_refused(
    service: Client, new_event: Callable[..., Json], field: str, character: str
) -> None:
    assert_problem(service.publish(new_event(**{field: f"a{character}b"})), 422, "validation_error")


@pytest.mark.parametrize("text", ["\\ud800", "\\udfff", "\\ud800x", "\\u0000"])
@pytest.mark.parametrize(
    "place", ['"summary": "{}"', '"summary": "x", "payload": {{"m": "{}"}}', '"summary": "x", "payload": {{"{}": 1}}']
)
def test_s05_lone_surrogates_and_nul_are_refused(
    principal: Client, service: Client, marker: str, place: str, text: str
) -> None:
    body = f'{{"event_type": "x", "correlation_id": "{marker}", {place.format(text)}}}'
    assert_problem(service.post(EVENTS, content=body, headers=JSON_TYPE), 422, "validation_error")
    assert principal.polled(correlation_id=marker)["total"] == 0


def test_s05_a_pair_of_surrogates_is_a_character(principal: Client, service: Client, marker: str) -> None:
    body = f'{{"event_type": "x", "correlation_id": "{marker}", "summary": "\\ud83d\\udea8"}}'
    assert service.post(EVENTS, content=body, headers=JSON_TYPE).status_code == 201
    assert principal.polled(correlation_id=marker)["events"][0]["summary"] == "🚨"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.dictionaries(TEXT, VALUES, max_size=5))
def test_whatever_json_goes_in_comes_out_of_poll_and_stream(
    principal: Client, service: Client, new_event: Callable[..., Json], payload: Json
) -> None:
    before = principal.cursor()
    event_id = service.published(new_event(payload=payload))["event_id"]

    with principal.stream(last_event_id=before, follow="false") as stream:
        streamed = [frame.data for frame in stream.rest() if frame.data.get("event_id") == event_id]
    polled = [event for event in principal.polled(since=before)["events"] if event["event_id"] == event_id]

    assert streamed == polled
    assert polled[0]["payload"] == payload
