"""Windows over HTTP: who may open them, what is answered, and that every process sees the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.stack.operators import close_window, open_window, operator, viewer, window, window_events
from tests.stack.test_sessions import User
from tests.stacks import Stack
from tests.waiting import wait_until

STATUS_FIELDS = {
    "mode",
    "ttl_seconds",
    "window_id",
    "services",
    "degraded",
    "reason",
    "opened_by",
    "created_at",
    "deadline",
    "chat_enabled",
    "cursor",
}
CORE = ["madre", "redis", "tentaculo_link"]
OPEN, EXTEND, CLOSE = (f"{API}/window/{verb}" for verb in ("open", "extend", "close"))
STATUS = f"{API}/window/status"


@pytest.fixture
def other(stack: Stack) -> Client:
    """The same principal at server `b`."""
    return stack.client(stack.principal_token, server=stack.b)


def test_a_window_is_opened_extended_and_closed_with_an_event_for_each(principal: Client, other: Client) -> None:
    close_window(principal)
    since = principal.cursor()
    opened = open_window(principal, services=["switch"], ttl_sec=60, reason="a test")
    assert opened.keys() == STATUS_FIELDS | {"status", "ttl_remaining_sec", "services_started"}
    assert (opened["status"], opened["mode"], opened["services_started"]) == ("ok", "window_active", ["switch"])
    assert (opened["services"], opened["ttl_remaining_sec"], opened["reason"]) == ([*CORE, "switch"], 60, "a test")
    seen = other.get(STATUS).json()
    assert seen.keys() == STATUS_FIELDS
    assert (seen["window_id"], seen["deadline"]) == (opened["window_id"], opened["deadline"])
    extended = other.post(EXTEND, json={"ttl_sec": 1000})
    assert extended.status_code == 200
    assert 990 < extended.json()["ttl_remaining_sec"] <= 1000
    closed = principal.post(CLOSE).json()
    assert closed.keys() == STATUS_FIELDS | {"status", "closed_at", "services_stopped"}
    assert (closed["status"], closed["mode"], closed["window_id"]) == ("ok", "solo_madre", opened["window_id"])
    assert (closed["services_stopped"], closed["services"]) == (["switch"], CORE)
    told = window_events(principal, since, opened["window_id"])
    assert [event["event_type"] for event in told] == ["window.opened", "window.extended", "window.closed"]
    assert {event["module"] for event in told} == {"madre"}


def test_an_empty_body_opens_the_usual_window(principal: Client) -> None:
    close_window(principal)
    answer = principal.post(OPEN)
    assert answer.status_code == 200
    assert answer.json()["services_started"] == ["switch", "hermes"]
    assert 595 < answer.json()["ttl_remaining_sec"] <= 600
    close_window(principal)


def test_a_window_that_is_held_has_no_end(principal: Client) -> None:
    with window(principal, mode="hold", ttl_sec=5) as held:
        assert (held["ttl_remaining_sec"], held["ttl_seconds"], held["deadline"]) == (None, None, None)


def test_a_second_window_is_409_with_the_first(principal: Client, other: Client) -> None:
    with window(principal, services=["hermes"]) as first:
        body = assert_problem(other.post(OPEN, json={}), 409, "window_already_open")
        assert body["window"].keys() == STATUS_FIELDS
        assert body["window"]["window_id"] == first["window_id"]


def test_without_a_window_there_is_nothing_to_extend_or_close(principal: Client) -> None:
    close_window(principal)
    assert_problem(principal.post(EXTEND, json={}), 409, "no_open_window")
    assert_problem(principal.post(CLOSE), 409, "no_open_window")


def test_of_many_who_open_at_once_one_gets_the_window(principal: Client, other: Client) -> None:
    close_window(principal)
    since = principal.cursor()
    with ThreadPoolExecutor(10) as people:
        clients = [principal, other] * 5
        answers = list(people.map(lambda client: client.post(OPEN, json={"ttl_sec": 60}), clients))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    window_id = next(answer.json()["window_id"] for answer in answers if answer.status_code == 200)
    assert {answer.json()["window"]["window_id"] for answer in answers if answer.status_code == 409} == {window_id}
    assert len(window_events(principal, since, window_id)) == 1
    close_window(principal)


def test_a_window_expires_once_whoever_looks(stack: Stack, principal: Client, other: Client) -> None:
    close_window(principal)
    since = principal.cursor()
    opened = open_window(principal, ttl_sec=1)

    def expired() -> bool:
        return [event["event_type"] for event in window_events(other, since, opened["window_id"])][1:] != []

    wait_until(expired, "the window has expired")
    assert other.get(STATUS).json()["mode"] == "solo_madre"
    with window(principal, ttl_sec=1) as following:
        wait_until(
            lambda: len(window_events(other, since, following["window_id"])) == 2, "the next one has expired too"
        )
    told = window_events(principal, since, opened["window_id"])
    assert [event["event_type"] for event in told] == ["window.opened", "window.expired"]
    assert told[1]["payload"]["by"] is None
    assert stack.a.running


def test_a_window_is_told_on_the_stream_of_every_process(stack: Stack, principal: Client) -> None:
    close_window(principal)
    with stack.client(stack.principal_token, server=stack.b).stream(event_type="window.opened") as stream:
        stream.connected()
        with window(principal, services=["spawner"]) as opened:
            event = stream.event()
    assert event["payload"]["window_id"] == opened["window_id"]
    assert event["payload"]["window"]["services"] == ["spawner"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"services": ["switch", "nobody"]}, "services"),
        ({"services": "switch"}, "services"),
        ({"services": [5]}, "services"),
        ({"services": [f"m{number}" for number in range(101)]}, "services"),
        ({"ttl_sec": 0}, "ttl_sec"),
        ({"ttl_sec": 86_401}, "ttl_sec"),
        ({"ttl_sec": 1.5}, "ttl_sec"),
        ({"ttl_sec": True}, "ttl_sec"),
        ({"ttl_sec": "600"}, "ttl_sec"),
        ({"mode": "forever"}, "mode"),
        ({"mode": ["ttl"]}, "mode"),
        ({"reason": 5}, "reason"),
        ({"reason": "x" * 501}, "reason"),
    ],
)
def test_a_bad_value_is_422_and_names_its_field(body: dict[str, object], field: str, principal: Client) -> None:
    close_window(principal)
    assert assert_problem(principal.post(OPEN, json=body), 422, "validation_error")["errors"].keys() == {field}
    assert principal.get(STATUS).json()["mode"] == "solo_madre"


def test_all_that_is_wrong_is_said_together(principal: Client) -> None:
    body = assert_problem(principal.post(OPEN, json={"mode": "x", "reason": 5, "ttl_sec": 0}), 422, "validation_error")
    assert body["errors"].keys() == {"mode", "reason", "ttl_sec"}


def test_who_may_only_look_changes_nothing(stack: Stack) -> None:
    looking = viewer(stack)
    assert looking.get(STATUS).status_code == 200
    for path in (OPEN, EXTEND, CLOSE):
        assert_problem(looking.post(path, json={}), 403, "insufficient_scope")


def test_a_service_token_changes_nothing(service: Client) -> None:
    assert service.get(STATUS).status_code == 200
    for path in (OPEN, EXTEND, CLOSE):
        assert_problem(service.post(path, json={}), 403, "insufficient_scope")


@pytest.mark.parametrize("root", [API, f"{API}/v1"])
def test_every_name_that_front_ends_use_leads_to_the_same(root: str, principal: Client) -> None:
    close_window(principal)
    opened = principal.post(f"{root}/chat/window/open", json={"ttl_sec": 60})
    assert opened.status_code == 200
    for name in ("window/status", "chat/window/status", "windows"):
        assert principal.get(f"{root}/{name}").json()["window_id"] == opened.json()["window_id"]
    assert principal.post(f"{root}/chat/window/extend", json={}).status_code == 200
    assert principal.post(f"{root}/chat/window/close").json()["window_id"] == opened.json()["window_id"]
    assert principal.get(f"{root}/window/open").status_code == 405


def test_who_opened_it_is_named(stack: Stack, principal: Client) -> None:
    close_window(principal)
    client, public_id = operator(stack)
    since = principal.cursor()
    opened = open_window(client, ttl_sec=60)
    (event,) = window_events(principal, since, opened["window_id"])
    assert event["payload"]["principal_id"] == public_id
    assert event["payload"]["by"] == opened["opened_by"]
    close_window(principal)


def test_w03_somebody_at_the_console_needs_the_role_and_the_proof_that_our_page_asks(
    stack: Stack, principal: Client
) -> None:
    close_window(principal)
    with User(stack, "operator").session() as session:
        assert_problem(session.browser.post(OPEN, json={"ttl_sec": 60}), 403, "csrf_failed")
        proof = {"X-CSRFToken": session.csrf_token}
        assert session.browser.post(OPEN, json={"ttl_sec": 60}, headers=proof).status_code == 200
        reply = session.browser.post(f"{API}/chat", json={"message": "window"}, headers=proof)
        assert reply.status_code == 200
        assert len(session.browser.get(f"{API}/chat").json()["messages"]) == 2
        assert session.browser.post(CLOSE, headers=proof).status_code == 200
    with User(stack, "viewer").session() as session:
        answer = session.browser.post(OPEN, json={}, headers={"X-CSRFToken": session.csrf_token})
        assert_problem(answer, 403, "insufficient_scope")
