"""Chat over HTTP: refused by policy without a window, stored and answered with one, read by whom it belongs to."""

import secrets
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.conftest import OwnStack
from tests.operator_api.chat.fake_assistant import Assistant
from tests.stack.operators import close_window, operator, viewer, window
from tests.stacks import Stack
from tests.waiting import wait_until

CHAT = f"{API}/chat"
LATE = "The assistant is late"


@pytest.fixture
def session_id() -> str:
    return f"s-{secrets.token_hex(6)}"


@pytest.fixture
def _open(principal: Client) -> Iterator[None]:
    with window(principal, ttl_sec=600):
        yield


def said(client: Client, message: str = "help", **fields: Any) -> Json:
    answer = say(client, message, **fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def say(client: Client, message: Any = "help", *, key: str | None = None, **fields: Any) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(CHAT, json={"message": message, **fields}, headers=headers)


def read(client: Client, **params: Any) -> list[Json]:
    answer = client.get(CHAT, params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["messages"])


def test_without_a_window_the_refusal_is_of_the_form_that_front_ends_know(principal: Client, session_id: str) -> None:
    close_window(principal)
    answer = say(principal, session_id=session_id)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "status": "OFF_BY_POLICY",
        "service": "operator_backend",
        "message": "Disabled by SOLO_MADRE policy",
        "recommended_action": "Ask Madre to open operator window",
        "correlation_id": answer.headers["X-Correlation-Id"],
        "detail": "window_closed",
        "reason": "window_closed",
    }
    assert read(principal, session_id=session_id) == []


@pytest.mark.usefixtures("_open")
def test_a_message_is_answered_stored_and_told_without_its_text(principal: Client, session_id: str) -> None:
    since = principal.cursor()
    reply = said(principal, "help", session_id=session_id)
    assert (reply["degraded"], reply["fallback_source"], reply["session_id"]) == (False, None, session_id)
    question, answer = read(principal, session_id=session_id)
    assert (question["role"], question["content"], question["message_id"]) == ("user", "help", reply["message_id"])
    assert (answer["role"], answer["content"], answer["message_id"]) == (
        "assistant",
        reply["response"],
        reply["response_id"],
    )
    assert question["correlation_id"] == reply["correlation_id"]
    told = [event for event in principal.polled(since=since, event_type="chat.message", limit=500)["events"]]
    mine = [event for event in told if event["payload"]["session_id"] == session_id]
    assert [event["payload"]["message_id"] for event in mine] == [question["message_id"], answer["message_id"]]
    assert reply["response"] not in str(mine)


@pytest.mark.usefixtures("_open")
def test_a_session_is_made_for_whoever_names_none(principal: Client) -> None:
    reply = said(principal)
    assert [message["role"] for message in read(principal, session_id=reply["session_id"])] == ["user", "assistant"]


@pytest.mark.usefixtures("_open")
def test_p15_a_double_click_is_one_message(stack: Stack, principal: Client, session_id: str) -> None:
    other = stack.client(stack.principal_token, server=stack.b)
    key = secrets.token_hex(8)
    with ThreadPoolExecutor(6) as clicks:
        clients = [principal, other] * 3
        replies = list(clicks.map(lambda client: said(client, "help", session_id=session_id, key=key), clients))
    assert len({(reply["message_id"], reply["response_id"], reply["response"]) for reply in replies}) == 1
    assert [message["role"] for message in read(principal, session_id=session_id)] == ["user", "assistant"]
    assert_problem(say(principal, "status", session_id=session_id, key=key), 409, "idempotency_conflict")


@pytest.mark.usefixtures("_open")
def test_others_read_nothing_of_it_but_those_who_may_read_all(stack: Stack, principal: Client, session_id: str) -> None:
    client, public_id = operator(stack)
    reply = said(client, "help", session_id=session_id)
    stranger, _ = operator(stack)
    assert read(stranger, session_id=session_id) == []
    assert_problem(
        stranger.get(CHAT, params={"session_id": session_id, "principal": public_id}), 403, "insufficient_scope"
    )
    assert_problem(stranger.get(CHAT, params={"before": reply["message_id"]}), 404, "not_found")
    assert len(read(principal, session_id=session_id, principal=public_id)) == 2
    assert len(read(client, principal=public_id)) == 2


@pytest.mark.usefixtures("_open")
def test_history_is_paged_backwards_by_message(principal: Client, session_id: str) -> None:
    for _ in range(3):
        said(principal, session_id=session_id)
    everything = read(principal, session_id=session_id)
    assert len(everything) == 6
    newest = principal.get(CHAT, params={"session_id": session_id, "limit": 2}).json()
    assert (newest["messages"], newest["has_more"]) == (everything[4:], True)
    before = everything[4]["message_id"]
    oldest = principal.get(CHAT, params={"session_id": session_id, "before": before, "limit": 4}).json()
    assert (oldest["messages"], oldest["has_more"]) == (everything[:4], False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": 5}, "message"),
        ({"message": "x" * 8001}, "message"),
        ({"message": "hi", "session_id": "a b"}, "session_id"),
        ({"message": "hi", "session_id": "x" * 65}, "session_id"),
        ({"message": "hi", "metadata": []}, "metadata"),
        ({"message": "hi", "metadata": {"a": "x" * 8192}}, "metadata"),
        ({"message": "hi", "metadata": {"a": 2**70}}, "metadata"),
    ],
)
@pytest.mark.usefixtures("_open")
def test_a_bad_value_is_422_and_names_its_field(body: Json, field: str, principal: Client) -> None:
    assert assert_problem(principal.post(CHAT, json=body), 422, "validation_error")["errors"].keys() == {field}


@pytest.mark.usefixtures("_open")
def test_the_longest_message_is_taken_whole(principal: Client, session_id: str) -> None:
    text = "ñ" * 8000
    said(principal, text, session_id=session_id)
    assert read(principal, session_id=session_id)[0]["content"] == text


@pytest.mark.parametrize(
    ("params", "status", "reason"),
    [
        ({"limit": 0}, 422, "validation_error"),
        ({"limit": 201}, 422, "validation_error"),
        ({"before": "the first"}, 422, "validation_error"),
        ({"before": str(uuid.uuid4())}, 404, "not_found"),
        ({"session_id": "a b"}, 422, "validation_error"),
        ({"session_id": ["a", "b"]}, 400, "duplicate_parameter"),
    ],
)
def test_bad_questions_for_history_are_refused(params: Json, status: int, reason: str, principal: Client) -> None:
    assert_problem(principal.get(CHAT, params=params), status, reason)


def test_who_may_not_chat_and_services_are_refused(stack: Stack, service: Client) -> None:
    looking = viewer(stack)
    assert_problem(say(looking), 403, "insufficient_scope")
    assert read(looking) == []
    assert_problem(say(service), 403, "insufficient_scope")
    assert_problem(service.get(CHAT), 403, "insufficient_scope")


def test_with_an_assistant_answers_come_in_time_late_or_from_here(own_stack: OwnStack) -> None:
    with Assistant() as assistant:
        token = f"assistant-{secrets.token_hex(8)}"
        stack = own_stack(
            VX11_CHAT_UPSTREAM_URL=assistant.url,
            VX11_CHAT_UPSTREAM_TOKEN=token,
            VX11_CHAT_UPSTREAM_WAIT_MS="1500",
        )
        stack.credentials.add(token)
        principal = stack.client(stack.principal_token)
        other = stack.client(stack.principal_token, server=stack.b)
        with window(principal):
            reply = said(principal, "hello", session_id="s-1", metadata={"page": "console"})
            assert (reply["response"], reply["degraded"]) == ("you said hello", False)
            assert assistant.questions[0].headers["X-VX11-Token"] == token
            assert assistant.questions[0].headers["X-Correlation-Id"] == reply["correlation_id"]
            assert assistant.questions[0].body["metadata"] == {"page": "console"}
            assistant.hold()
            with other.stream(event_type="chat.message") as stream:
                stream.connected()
                late = said(principal, "are you there?", session_id="s-2")
                assert (late["degraded"], late["fallback_source"]) == (True, "local")
                assert LATE in late["response"]
                assert [event["payload"]["role"] for event in stream.events(2)] == ["user", "system"]
                assistant.release()
                answer = stream.event()
            assert (answer["payload"]["role"], answer["payload"]["in_reply_to"]) == ("assistant", late["message_id"])
            roles = [message["role"] for message in read(other, session_id="s-2")]
            assert roles == ["user", "system", "assistant"]
        assert say(principal).json()["status"] == "OFF_BY_POLICY"
        assert len(assistant.questions) == 2


def test_a_message_and_a_close_that_race_agree(stack: Stack, principal: Client) -> None:
    """Whatever is stored was told before the window closed."""
    other = stack.client(stack.principal_token, server=stack.b)
    for _ in range(3):
        with window(principal, ttl_sec=60) as opened, ThreadPoolExecutor(9) as people:
            session_id = f"s-{secrets.token_hex(6)}"
            since = opened["cursor"]
            talking = [people.submit(say, client, "help", session_id=session_id) for client in [principal, other] * 4]
            closing = people.submit(close_window, other)
            statuses = sorted(future.result().status_code for future in talking)
            assert closing.result().status_code == 200
        taken = statuses.count(200)
        assert statuses == [200] * taken + [403] * (8 - taken)

        def told(since: str = since) -> list[Json]:
            return list(principal.polled(since=since, event_type="chat.message,window.closed", limit=500)["events"])

        wait_until(lambda: any(event["event_type"] == "window.closed" for event in told()), "the window has closed")
        mine = [event for event in told() if event["payload"].get("session_id", session_id) == session_id]
        kinds = [event["payload"].get("role", "closed") for event in mine]
        questions = [kind for kind in kinds if kind in ("user", "closed")]
        assert questions == ["user"] * taken + ["closed"]
