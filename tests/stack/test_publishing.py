"""Publishing: what becomes of a right event, and that a wrong one leaves nothing behind."""

import json
from collections.abc import Callable

import pytest

from tests.answers import EVENT_FIELDS, assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack

EVENTS = f"{API}/events"
EVENT_LIMIT_BYTES = 64 * 1024
BATCH_LIMIT = 500


def test_an_event_of_two_fields_gets_the_documented_defaults(principal: Client, service: Client, marker: str) -> None:
    answer = service.published({"event_type": "drift", "summary": "moved"}, headers={"X-Correlation-Id": marker})

    event = principal.polled(correlation_id=marker)["events"][0]
    assert event.keys() == EVENT_FIELDS
    assert (event["event_id"], event["seq"]) == (answer["event_id"], answer["seq"])
    assert answer["cursor"].endswith(f"-{event['seq']}")
    assert (event["severity"], event["module"], event["payload"]) == ("info", "operator_backend", {})
    assert event["occurred_at"] is None
    assert event["created_at"].endswith("Z")


def test_a_complete_event_comes_back_as_it_was_sent(principal: Client, service: Client, marker: str) -> None:
    sent = {
        "event_id": f"own.{marker}",
        "event_type": "drift.found-2_x",
        "summary": "Größe übersteigt 5 € 🚨",
        "module": "hormiguero",
        "severity": "critical",
        "payload": {"deep": [1, 2.5, None, True, {"a": "b"}]},
        "correlation_id": marker,
        "occurred_at": "2026-01-04T01:34:28.123456Z",
    }
    assert service.published(sent)["event_id"] == sent["event_id"]

    event = principal.polled(correlation_id=marker)["events"][0]
    assert {name: event[name] for name in sent} == sent


def test_warning_is_read_as_warn(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    service.published(new_event(severity="warning"))
    assert principal.polled(correlation_id=marker)["events"][0]["severity"] == "warn"


def test_a_batch_is_stored_in_its_order(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    answer = service.published([new_event(summary=f"number {number}") for number in range(BATCH_LIMIT)])

    events = principal.polled(correlation_id=marker, limit=500)["events"]
    assert [event["summary"] for event in events] == [f"number {number}" for number in range(BATCH_LIMIT)]
    assert [(event["event_id"], event["seq"]) for event in events] == [
        (event["event_id"], event["seq"]) for event in answer["events"]
    ]
    assert answer["cursor"].endswith(f"-{events[-1]['seq']}")


def test_a_batch_with_one_bad_event_stores_none_and_names_it(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    answer = service.publish([new_event(), new_event(), new_event(event_type="Not Allowed"), new_event()])

    assert "2" in json.dumps(assert_problem(answer, 422, "validation_error")["errors"])
    assert principal.polled(correlation_id=marker)["total"] == 0


@pytest.mark.parametrize("count", [0, BATCH_LIMIT + 1])
def test_a_batch_has_1_to_500_events(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, count: int
) -> None:
    assert_problem(service.publish([new_event()] * count), 422, "validation_error")
    assert principal.polled(correlation_id=marker)["total"] == 0


WRONG_FIELDS: dict[str, Json] = {
    "no event_type": {"event_type": None},
    "empty event_type": {"event_type": ""},
    "event_type of 65": {"event_type": "a" * 65},
    "event_type in capitals": {"event_type": "Drift"},
    "event_type with a slash": {"event_type": "a/b"},
    "event_type a number": {"event_type": 1},
    "no summary": {"summary": None},
    "summary of 501": {"summary": "a" * 501},
    "summary an object": {"summary": {}},
    "unknown severity": {"severity": "loud"},
    "payload a list": {"payload": []},
    "payload a text": {"payload": "{}"},
    "event_id of 65": {"event_id": "a" * 65},
    "event_id with a space": {"event_id": "a b"},
    "occurred_at no time": {"occurred_at": "yesterday"},
}


@pytest.mark.parametrize("wrong", WRONG_FIELDS)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, wrong: str
) -> None:
    field = next(iter(WRONG_FIELDS[wrong]))

    answer = service.publish(new_event(**WRONG_FIELDS[wrong]))

    assert field in json.dumps(assert_problem(answer, 422, "validation_error")["errors"])
    assert principal.polled(correlation_id=marker)["total"] == 0


@pytest.mark.parametrize(
    "fields", [{"event_type": "a" * 64}, {"summary": "ü" * 500}, {"event_id": "a" * 33 + "._-" + "Z" * 28}]
)
def test_a_field_at_its_limit_is_stored(service: Client, new_event: Callable[..., Json], fields: Json) -> None:
    service.published(new_event(**fields))


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null"])
def test_a_body_that_is_no_object_is_refused(service: Client, body: bytes) -> None:
    answer = service.post(EVENTS, content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, 422, "validation_error")


def body_of(size_bytes: int, event: Json) -> bytes:
    """The event as compact JSON of exactly this size."""

    def compact(filling: str) -> bytes:
        return json.dumps({**event, "payload": {"filling": filling}}, separators=(",", ":")).encode()

    return compact("x" * (size_bytes - len(compact(""))))


@pytest.mark.parametrize("size_bytes", [EVENT_LIMIT_BYTES - 1, EVENT_LIMIT_BYTES])
def test_s07_an_event_of_up_to_64_kib_arrives_whole(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, size_bytes: int
) -> None:
    body = body_of(size_bytes, new_event())

    with principal.stream(correlation_id=marker) as stream:
        stream.connected()
        answer = service.post(EVENTS, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 201, answer.text
        assert stream.event()["payload"] == json.loads(body)["payload"]


@pytest.mark.parametrize("size_bytes", [EVENT_LIMIT_BYTES + 1, 1024 * 1024])
@pytest.mark.parametrize("in_batch", [False, True])
def test_s07_a_larger_event_is_too_large(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, *, size_bytes: int, in_batch: bool
) -> None:
    body = body_of(size_bytes, new_event())
    if in_batch:
        body = b'{"events": [' + body + b"]}"

    answer = service.post(EVENTS, content=body, headers={"Content-Type": "application/json"})

    assert_problem(answer, 413, "payload_too_large")
    assert principal.polled(correlation_id=marker)["total"] == 0


def test_a22_a_service_publishes_only_for_its_module(
    stack: Stack, principal: Client, new_event: Callable[..., Json], marker: str
) -> None:
    token, _ = stack.issue_token("service", modules=("switch",))
    switch = stack.client(token)

    assert_problem(switch.publish(new_event(module="hermes")), 403, "insufficient_scope")
    assert_problem(switch.publish([new_event(), new_event(module="hermes")]), 403, "insufficient_scope")
    assert principal.polled(correlation_id=marker)["total"] == 0
    switch.published(new_event())
    assert [event["module"] for event in principal.polled(correlation_id=marker)["events"]] == ["switch"]


RESERVED = ["error", "open", "message", "heartbeat", "connected", "caught-up"]
RESERVED += ["stream-end", "stream-reset", "stream-x", "system.down", "window.opened", "chat.message"]


@pytest.mark.parametrize("event_type", RESERVED)
def test_a23_the_servers_own_event_types_are_refused(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, event_type: str
) -> None:
    assert_problem(service.publish(new_event(event_type=event_type)), 422, "validation_error")
    assert principal.polled(correlation_id=marker)["total"] == 0


# --- what does not belong in an event ---


def test_p11_what_the_server_sets_cannot_be_set_by_a_publisher(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    forged = {"id": 1, "seq": 1, "created_at": "2000-01-01T00:00:00Z", "principal": "root", "type": "connected"}

    answer = service.publish(new_event(**forged))

    assert answer.status_code in (201, 422)
    for event in principal.polled(correlation_id=marker)["events"]:
        assert event["seq"] == answer.json()["seq"]
        assert event["type"] == "event"
        assert not event["created_at"].startswith("2000")
        assert event.keys() == EVENT_FIELDS


HOSTILE_TEXTS = [
    "'; DROP TABLE events_event; --",
    "<img src=x onerror=alert(1)>",
    "=cmd()",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "%s%n",
]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_p12_hostile_text_is_text(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, text: str
) -> None:
    service.published(new_event(summary=text, payload={text: text}))

    event = principal.polled(correlation_id=marker)["events"][0]
    assert (event["summary"], event["payload"]) == (text, {text: text})
