"""CloudEvents from the project's SDK, in all three modes: taken once, however often they are sent."""

import datetime
import json
import socket

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.answers import assert_problem
from tests.client import API, Client
from tests.stacks import Stack

CLOUD_EVENTS = f"{API}/ingest/cloudevents"
BATCH = "application/cloudevents-batch+json"


def cloud_event(marker: str, number: int = 1) -> CloudEvent:
    attributes = {
        "id": f"{marker}-{number}",
        "source": f"https://shop.example.org/{marker}",
        "type": "org.example.order.failed",
        "specversion": "1.0",
        "time": datetime.datetime(2026, 5, 28, 20, 26, 40, tzinfo=datetime.UTC),
        "subject": f"order {number} é",
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, {"message": f"order {number} failed", "level": "error"})


def send(client: Client, message: HTTPMessage) -> tuple[int, dict[str, object]]:
    answer = client.post(CLOUD_EVENTS, content=message.body, headers=message.headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("in_mode", [to_binary_event, to_structured_event])
def test_an_event_of_the_sdk_is_in_the_log_once(service: Client, principal: Client, marker: str, in_mode: type) -> None:
    status, body = send(service, in_mode(cloud_event(marker)))
    assert (status, body["new"]) == (201, 1)
    # Sent again, also in the other mode, it is known.
    for again in (to_binary_event, to_structured_event):
        status, repeated = send(service, again(cloud_event(marker)))
        assert (status, repeated["new"], repeated["events"]) == (200, 0, body["events"])
    (event,) = principal.polled(module=marker)["events"]
    assert (event["event_type"], event["summary"], event["severity"]) == (
        *("org.example.order.failed", "order 1 failed", "error"),
    )
    assert event["occurred_at"].startswith("2026-05-28T20:26:40")
    assert event["payload"]["subject"] == "order 1 é"
    assert event["payload"]["data"] == {"message": "order 1 failed", "level": "error"}


def test_a_batch_is_in_the_log_as_a_whole_and_in_its_order(service: Client, principal: Client, marker: str) -> None:
    """The SDK makes no batches: the events are its own, in an array."""
    events = [json.loads(to_structured_event(cloud_event(marker, number)).body) for number in range(600)]
    answer = service.post(CLOUD_EVENTS, content=json.dumps(events), headers={"Content-Type": BATCH})
    assert (answer.status_code, answer.json()["new"]) == (201, 600)
    assert [event["summary"] for event in principal.all_events(module=marker)] == [
        f"order {number} failed" for number in range(600)
    ]


def test_a_batch_with_one_wrong_event_is_refused_as_a_whole(service: Client, principal: Client, marker: str) -> None:
    events = [json.loads(to_structured_event(cloud_event(marker, number)).body) for number in range(3)]
    del events[2]["source"]
    answer = service.post(CLOUD_EVENTS, content=json.dumps(events), headers={"Content-Type": BATCH})
    body = assert_problem(answer, 422, "validation_error")
    assert body["errors"] == {"[2].source": ["required: a text"]}
    assert principal.polled(module=marker, total="true")["total"] == 0


def test_an_empty_batch_is_taken(stack: Stack) -> None:
    client = stack.client(stack.service_token)
    answer = client.post(CLOUD_EVENTS, content=b"[]", headers={"Content-Type": BATCH})
    assert (answer.status_code, answer.json()) == (200, {"events": [], "cursor": None, "new": 0})


def test_a_sender_that_asks_whether_it_may_send_is_told_so_and_at_which_rate(stack: Stack) -> None:
    """The handshake of CloudEvents, which comes without a token."""
    caller = stack.client(None)
    asked = {"WebHook-Request-Origin": "eventemitter.example.com"}
    answer = caller.request("OPTIONS", CLOUD_EVENTS, headers=asked | {"WebHook-Request-Rate": "120"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert answer.headers["webhook-allowed-rate"] == "120"
    assert "POST" in answer.headers["allow"]
    # Who does not ask is told the methods, as everywhere; what is granted is no right to send.
    plain = caller.request("OPTIONS", CLOUD_EVENTS)
    assert (plain.status_code, "webhook-allowed-origin" in plain.headers) == (204, False)
    assert_problem(caller.post(CLOUD_EVENTS, json={}), 401, "missing_token")


@pytest.mark.parametrize(
    "headers",
    [
        {"WebHook-Request-Origin": "https://example.com/x"},
        {"WebHook-Request-Origin": "a" * 254},
        {"WebHook-Request-Origin": "*"},
        {"WebHook-Request-Origin": "example.com", "WebHook-Request-Rate": "-1"},
        {"WebHook-Request-Origin": "example.com", "WebHook-Request-Rate": "9" * 5_000},
    ],
    ids=["address", "long", "star", "negative", "digits"],
)
def test_a_handshake_that_is_none_is_refused(stack: Stack, headers: dict[str, str]) -> None:
    answer = stack.client(None).request("OPTIONS", CLOUD_EVENTS, headers=headers)
    assert_problem(answer, 400, "bad_request")


def test_the_address_that_a_handshake_wants_to_be_called_back_at_is_not_called(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.3)
        callback = f"http://127.0.0.1:{listening.getsockname()[1]}/permit"
        headers = {"WebHook-Request-Origin": "example.com", "WebHook-Request-Callback": callback}
        assert stack.client(None).request("OPTIONS", CLOUD_EVENTS, headers=headers).status_code == 200
        with pytest.raises(TimeoutError):
            listening.accept()
