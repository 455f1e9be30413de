"""Numbers of JSON come out as they went in, whatever way they take; or are refused by name."""

import json
from collections.abc import Callable
from html import unescape

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack

EVENTS = f"{API}/events"
JSON_TYPE = {"Content-Type": "application/json"}
NUMBERS = (
    "9007199254740993,-9007199254740993,18446744073709551615,1e5,1E+5,0.10,1.0,-0,-0.0,1e-400,"
    "0.1000000000000000055511151231257827,123456789012345678.5"
)
PAYLOAD = f'{{"numbers":[{NUMBERS}],"in":{{"one":{{"n":1e5}}}}}}'


def publication(event: Json, payload: str) -> str:
    return json.dumps({**event, "payload": "PAYLOAD"}).replace('"PAYLOAD"', payload)


def publish(client: Client, event: Json, payload: str) -> Json:
    answer = client.post(EVENTS, content=publication(event, payload), headers=JSON_TYPE)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_n10_a_payload_is_streamed_and_polled_with_the_numbers_that_were_sent(
    stack: Stack, principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    before = principal.cursor()
    with principal.stream(correlation_id=marker) as live:
        lines = live.response.iter_lines()
        assert any('"connected"' in line for line in lines)
        publish(service, new_event(), PAYLOAD)
        text = next(line for line in lines if PAYLOAD in line)
    assert text.startswith("data: ")
    with principal.stream(correlation_id=marker, last_event_id=before, follow="false") as replayed:
        assert PAYLOAD in replayed.response.read().decode()
    assert PAYLOAD in principal.poll(correlation_id=marker).text


def test_n10_a_batch_keeps_numbers_too(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    batch = ",".join(publication(new_event(), PAYLOAD) for _ in range(400))
    answer = service.post(EVENTS, content=f'{{"events":[{batch}]}}', headers=JSON_TYPE)
    assert answer.status_code == 201, answer.text
    assert principal.poll(correlation_id=marker, limit=500).text.count(PAYLOAD) == 400


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, '1,"n":2', "01"])
def test_n10_what_is_no_number_or_stands_twice_is_malformed(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, number: str
) -> None:
    body = publication(new_event(), f'{{"n":{number}}}')
    assert_problem(service.post(EVENTS, content=body, headers=JSON_TYPE), 400, "malformed_json")
    assert principal.polled(correlation_id=marker, limit=1)["total"] == 0


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809", "9" * 500])
def test_n10_a_whole_number_beyond_64_bits_is_refused_by_its_field(
    service: Client, new_event: Callable[..., Json], number: str
) -> None:
    body = publication(new_event(), f'{{"n":{number}}}')
    problem = assert_problem(service.post(EVENTS, content=body, headers=JSON_TYPE), 422, "validation_error")
    assert list(problem["errors"]) == ["payload"]


def test_n10_the_same_number_spelled_otherwise_is_the_same_event(
    service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    event = new_event(event_id=marker)
    first = publish(service, event, '{"n":[1e5,0.10]}')
    again = service.post(EVENTS, content=publication(event, '{"n":[100000.0,0.1]}'), headers=JSON_TYPE)
    assert (again.status_code, again.json()) == (200, first)
    other = service.post(EVENTS, content=publication(event, '{"n":[1e5,0.1000000000000000055]}'), headers=JSON_TYPE)
    assert_problem(other, 409, "idempotency_conflict")


def test_n10_a_feed_and_a_reader_on_the_terminal_keep_numbers(stack: Stack, principal: Client, marker: str) -> None:
    line = f'{{"event_type":"test.feed","summary":"x","correlation_id":"{marker}","payload":{PAYLOAD}}}'
    stack.a.manage("publish_events", "--url", stack.a.url, stdin=line)
    assert PAYLOAD in principal.poll(correlation_id=marker).text
    words = ("--json", "--last", "1", "--no-follow", "--correlation-id", marker)
    assert PAYLOAD in stack.a.manage("tail_events", "--url", stack.a.url, *words)


def test_n10_settings_are_kept_with_the_numbers_that_were_sent(stack: Stack) -> None:
    token, _ = stack.issue_token("principal", scopes=("window:write",))
    client = stack.client(token, server=stack.b)
    opened = client.post(f"{API}/window/open", json={"services": ["switch"]})
    assert opened.status_code == 200, opened.text
    try:
        body = f'{{"settings":{PAYLOAD}}}'
        assert PAYLOAD in client.post(f"{API}/settings", content=body, headers=JSON_TYPE).text
        assert PAYLOAD in client.get(f"{API}/settings").text
    finally:
        client.post(f"{API}/window/close")


def test_n10_the_admin_shows_the_numbers_that_were_sent(
    stack: Stack, service: Client, new_event: Callable[..., Json]
) -> None:
    seq = publish(service, new_event(), PAYLOAD)["seq"]
    code = (
        "from django.contrib import admin; from events.models import Event; from events.admin.pages import EventAdmin; "
        f"print(EventAdmin(Event, admin.site).readable_payload(Event.objects.get(seq={seq})))"
    )
    shown = unescape(stack.a.python(code))
    assert [line.strip(" ,") for line in shown.splitlines()[2:14]] == NUMBERS.split(",")
