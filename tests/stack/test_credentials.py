"""Credentials: which of them open what, and that one which is not valid now opens nothing."""

from collections.abc import Callable

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

SSE_TOKEN = f"{API}/events/sse-token"
STREAM = f"{API}/events/stream"


@pytest.mark.parametrize(("method", "path"), [("POST", SSE_TOKEN), ("GET", STREAM), ("GET", f"{API}/events")])
def test_a01_no_credential_is_a_missing_token(stack: Stack, method: str, path: str) -> None:
    answer = stack.client(None).request(method, path)

    assert_problem(answer, 401, "missing_token")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "error=" not in answer.headers["www-authenticate"]


def test_a01_an_empty_header_counts_as_no_credential(stack: Stack) -> None:
    answer = stack.client(None).issue_ticket(headers={"X-VX11-Token": "", "Authorization": ""})
    assert_problem(answer, 401, "missing_token")


def test_a02_a03_a04_wrong_expired_and_revoked_tokens_get_the_same_answer(stack: Stack) -> None:
    expiring, _ = stack.issue_token("principal", expires_in="2s")
    revoked, public_id = stack.issue_token("principal")
    stack.revoke_token(public_id)

    def refusal(token: str) -> tuple[Json, str]:
        answer = refusal_of(stack.client(token))
        body = assert_problem(answer, 401, "main_auth_failed", detail="invalid_token")
        return {**body, "correlation_id": ""}, answer.headers["www-authenticate"]

    assert refusal(expiring) == refusal(revoked) == refusal("x") == refusal("vx11p_" + "a" * 43)


def refusal_of(client: Client) -> httpx2.Response:
    """The first refusal of a token that is about to become invalid, or has."""

    def refusal() -> httpx2.Response | None:
        answer = client.issue_ticket()
        return answer if answer.status_code == 401 else None

    return wait_until(refusal, "the token is refused")


@pytest.mark.parametrize("call", ["issue", "stream", "poll", "publish"])
def test_a06_a_ticket_is_no_principal(stack: Stack, principal: Client, call: str) -> None:
    assert_problem(CALLS[call](stack.client(principal.ticket())), 401, "main_auth_failed", detail="invalid_token")


@pytest.mark.parametrize("call", ["issue", "stream", "poll"])
def test_a06_a_service_token_does_not_read(stack: Stack, call: str) -> None:
    assert_problem(CALLS[call](stack.client(stack.service_token)), 403, "insufficient_scope")


def test_a06_a_principal_does_not_publish(principal: Client) -> None:
    assert_problem(CALLS["publish"](principal), 403, "insufficient_scope")


CALLS: dict[str, Callable[[Client], httpx2.Response]] = {
    "issue": lambda client: client.issue_ticket(),
    "stream": lambda client: client.get(STREAM),
    "poll": lambda client: client.poll(),
    "publish": lambda client: client.publish({"event_type": "test.happened", "summary": "not to be stored"}),
}


@pytest.mark.parametrize("path", [STREAM, SSE_TOKEN, f"{API}/events", f"{API}/events/stats", f"{API}/window/status"])
@pytest.mark.parametrize("key", ["token", "access_token", "X-VX11-Token"])
def test_a07_a_token_in_the_query_is_refused_unseen(stack: Stack, path: str, key: str) -> None:
    method = "POST" if path == SSE_TOKEN else "GET"
    answer = stack.client(None).request(method, path, params={key: stack.principal_token})
    assert_problem(answer, 400, "token_in_query")


def test_a07_a_valid_header_does_not_make_a_token_in_the_query_right(stack: Stack, principal: Client) -> None:
    assert_problem(principal.get(STREAM, params={"token": stack.principal_token}), 400, "token_in_query")


def test_a08_two_different_credentials_are_ambiguous(stack: Stack, principal: Client) -> None:
    answer = principal.issue_ticket(headers={"Authorization": f"Bearer {stack.service_token}"})
    assert_problem(answer, 400, "ambiguous_credentials")


def test_a08_the_same_credential_twice_is_one(stack: Stack, principal: Client) -> None:
    assert principal.issue_ticket(headers={"Authorization": f"Bearer {stack.principal_token}"}).status_code == 200


# --- rights ---


def test_a16_asking_for_a_module_outside_ones_rights_is_refused_everywhere(stack: Stack) -> None:
    token, _ = stack.issue_token("principal", modules=("switch",))
    viewer = stack.client(token)

    assert_problem(viewer.issue_ticket({"modules": ["switch", "hermes"]}), 403, "insufficient_scope")
    assert_problem(viewer.get(STREAM, params={"module": "hermes"}), 403, "insufficient_scope")
    assert_problem(viewer.poll(module="hermes"), 403, "insufficient_scope")
    assert_problem(viewer.get(f"{API}/events/stats", params={"module": "hermes"}), 403, "insufficient_scope")


def test_a16_other_modules_events_are_left_out_of_stream_replay_and_poll_alike(
    stack: Stack, principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    token, _ = stack.issue_token("principal", modules=("switch",))
    viewer = stack.client(token)
    before = principal.cursor()

    with viewer.stream(correlation_id=marker) as live:
        live.connected()
        answer = service.published([new_event(module=module) for module in ("hermes", "switch", "spawner", "switch")])
        own = [answer["events"][index]["event_id"] for index in (1, 3)]
        assert [event["event_id"] for event in live.events(2)] == own
    with stack.client(None).stream(token=viewer.ticket(), last_event_id=before, correlation_id=marker) as replay:
        assert [event["event_id"] for event in replay.events(2)] == own
    polled = viewer.polled(since=before, correlation_id=marker)
    assert [event["event_id"] for event in polled["events"]] == own
    assert polled["total"] == 2


REMOVALS = {
    "command": None,
    "row deleted": "AccessToken.objects.get(public_id={0!r}).delete()",
    "queryset deleted": "AccessToken.objects.filter(public_id={0!r}).delete()",
}


@pytest.mark.parametrize("removal", REMOVALS)
def test_a20_a_removed_token_is_refused_by_every_server(stack: Stack, removal: str) -> None:
    token, public_id = stack.issue_token("principal")
    assert {stack.client(token, server=server).issue_ticket().status_code for server in stack.servers} == {200}

    code = REMOVALS[removal]
    if code is None:
        stack.revoke_token(public_id)
    else:
        stack.a.python(f"from gateway.models import AccessToken; {code.format(public_id)}")

    for server in stack.servers:
        answer = refusal_of(stack.client(token, server=server))
        assert_problem(answer, 401, "main_auth_failed", detail="invalid_token")


def test_a20_a_ticket_issued_before_its_principal_was_revoked_opens_nothing(stack: Stack) -> None:
    token, public_id = stack.issue_token("principal")
    client = stack.client(token)
    ticket = client.ticket()

    stack.revoke_token(public_id)

    refusal_of(client)
    assert_problem(stack.client(None).get(STREAM, params={"token": ticket}), 401, "invalid_token")
