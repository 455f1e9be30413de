"""A test event over HTTP: who may send one, and that it names its sender."""

from tests.answers import assert_problem
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.stack.operators import operator, viewer
from tests.stack.test_sessions import User
from tests.stacks import Stack

TRIAL = f"{API}/test-event"


def test_a_test_event_is_in_the_log_and_names_who_sent_it(stack: Stack, principal: Client, marker: str) -> None:
    sender, public_id = operator(stack)
    answer = sender.post(TRIAL, headers={"X-Correlation-Id": marker})
    assert answer.status_code == 201
    (event,) = principal.polled(correlation_id=marker)["events"]
    assert answer.json().keys() == {"event_id", "seq", "cursor"}
    assert (event["event_id"], event["seq"]) == (answer.json()["event_id"], answer.json()["seq"])
    assert answer.json()["cursor"].endswith(f"-{event['seq']}")
    assert (event["event_type"], event["module"], event["severity"]) == ("system.test", "operator_backend", "info")
    assert event["payload"]["principal_id"] == public_id
    assert event["payload"]["by"] in event["summary"]


def test_two_are_two_events(principal: Client, marker: str) -> None:
    ids = {principal.post(TRIAL, headers={"X-Correlation-Id": marker}).json()["event_id"] for _ in range(2)}
    assert {event["event_id"] for event in principal.polled(correlation_id=marker)["events"]} == ids
    assert len(ids) == 2


def test_who_may_only_look_and_a_publisher_may_not_send_one(stack: Stack, service: Client, marker: str) -> None:
    for client in (viewer(stack), service):
        assert_problem(client.post(TRIAL, headers={"X-Correlation-Id": marker}), 403, "insufficient_scope")
    assert_problem(stack.client(None).post(TRIAL), 401, "missing_token")
    assert stack.client(stack.principal_token).polled(correlation_id=marker)["events"] == []


def test_no_publisher_can_send_what_looks_like_one(service: Client) -> None:
    body = assert_problem(
        service.post(f"{API}/events", json={"event_type": "system.test", "summary": "x"}), 422, "validation_error"
    )
    assert "event_type" in body["errors"]


def test_a_session_sends_one_with_its_csrf_token_only(stack: Stack, principal: Client, marker: str) -> None:
    with User(stack, "operator").session() as session:
        headers = {"X-Correlation-Id": marker}
        assert_problem(session.browser.post(TRIAL, headers=headers), 403, "csrf_failed")
        answer = session.browser.post(TRIAL, headers={**headers, "X-CSRFToken": session.csrf_token})
        assert answer.status_code == 201
    (event,) = principal.polled(correlation_id=marker)["events"]
    assert event["payload"]["principal_id"].startswith("u-")


def test_test_events_count_as_changes(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_CHANGE_RATE="2/30s")
    principal = stack.client(stack.principal_token)
    assert [principal.post(TRIAL).status_code for _ in range(3)] == [201, 201, 429]
