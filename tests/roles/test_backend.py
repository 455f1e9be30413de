"""A backend: who may ask it, in whose name, and what it does not serve."""

import re

import pytest

from gateway.backend.delegation import OPERATOR, OPERATOR_RIGHTS
from tests.answers import assert_problem
from tests.client import API, Client
from tests.roles.asking import answers, backend_client, in_the_name_of
from tests.stack.operators import close_window, window
from tests.stack.test_sessions import User
from tests.stacks import Stack
from tests.waiting import wait_until

EVERYTHING = ("events:read", "window:write", "chat:write")
PATHS = ("window/status", "windows", "chat/window/status", "status", "modules", "modules/madre")


@pytest.fixture(scope="module")
def tokens(shared_stack: Stack) -> dict[str, str]:
    """By what they may."""
    issued = {
        scope: shared_stack.issue_token("service", scopes=(scope,))[0]
        for scope in ("operator:forward", "events:publish", "metrics:read")
    }
    return {**issued, "principal": shared_stack.principal_token}


@pytest.fixture(scope="module")
def operator_id(shared_stack: Stack) -> str:
    return shared_stack.issue_token("principal", scopes=EVERYTHING)[1]


@pytest.fixture
def forwarder(stack: Stack, tokens: dict[str, str]) -> Client:
    return backend_client(stack, tokens["operator:forward"])


def test_without_a_valid_token_it_is_401(stack: Stack) -> None:
    assert_problem(backend_client(stack, None).get("/api/status"), 401, "missing_token")
    unknown = backend_client(stack, "vx11s_nobody-has-this").get("/api/status")
    assert_problem(unknown, 401, "main_auth_failed", detail="invalid_token")
    assert answers(unknown) is None


def test_a_ticket_is_no_token_there(stack: Stack, principal: Client) -> None:
    refused = backend_client(stack, principal.ticket()).get("/api/status")
    assert_problem(refused, 401, "main_auth_failed", detail="invalid_token")


@pytest.mark.parametrize("kind", ["principal", "events:publish", "metrics:read"])
@pytest.mark.parametrize("path", PATHS)
def test_a_token_without_the_right_to_forward_is_403_whomever_it_names(
    kind: str, path: str, stack: Stack, tokens: dict[str, str], operator_id: str
) -> None:
    client = backend_client(stack, tokens[kind])
    for headers in ({}, in_the_name_of(operator_id, *EVERYTHING)):
        refused = client.get(f"/api/{path}", headers=headers)
        assert_problem(refused, 403, "insufficient_scope")
        assert answers(refused) is None


@pytest.mark.parametrize("path", PATHS)
def test_the_right_to_forward_reads_under_every_name(path: str, forwarder: Client, operator_id: str) -> None:
    asked = forwarder.get(f"/api/{path}", headers=in_the_name_of(operator_id, *EVERYTHING))
    assert (asked.status_code, answers(asked)) == (200, operator_id)
    for_itself = forwarder.get(f"/api/{path}")
    assert (for_itself.status_code, answers(for_itself)) == (200, "nobody")


def test_for_itself_a_gateway_only_reads(forwarder: Client) -> None:
    for path in ("/api/chat", "/api/settings"):
        assert_problem(forwarder.get(path), 403, "insufficient_scope")
    assert_problem(forwarder.post("/api/window/open", json={}), 403, "insufficient_scope")


def test_an_operator_acts_with_the_rights_that_both_know_of(
    stack: Stack, principal: Client, forwarder: Client, operator_id: str
) -> None:
    close_window(principal)
    looking = stack.issue_token("principal", scopes=("events:read",))[1]
    invented = in_the_name_of(looking, *EVERYTHING)
    assert_problem(forwarder.post("/api/window/open", json={}, headers=invented), 403, "insufficient_scope")
    less = in_the_name_of(operator_id, "events:read")
    assert_problem(forwarder.post("/api/window/open", json={}, headers=less), 403, "insufficient_scope")
    opened = forwarder.post("/api/window/open", json={}, headers=in_the_name_of(operator_id, *EVERYTHING))
    assert (opened.status_code, answers(opened)) == (200, operator_id)
    close_window(principal)


def test_who_is_unknown_or_revoked_is_401_and_named(stack: Stack, forwarder: Client) -> None:
    revoked = stack.issue_token("principal", scopes=EVERYTHING)[1]
    named = in_the_name_of(revoked, *EVERYTHING)
    assert forwarder.get("/api/settings", headers=named).status_code == 200
    stack.revoke_token(revoked)
    for public_id in ("p-0000000000", "u-999999"):
        refused = forwarder.get("/api/settings", headers=in_the_name_of(public_id, session_id="0" * 20))
        assert_problem(refused, 401, "main_auth_failed", detail="invalid_token")
        assert answers(refused) == public_id
    wait_until(
        lambda: forwarder.get("/api/settings", headers=named).status_code != 200, "it is known", timeout_seconds=2
    )
    assert_problem(forwarder.get("/api/settings", headers=named), 401, "main_auth_failed", detail="invalid_token")


def test_who_has_signed_out_is_401(stack: Stack, forwarder: Client) -> None:
    user = User(stack, "operator")
    with user.session() as session:
        key = session.browser.cookies["vx11_session"]
        named = stack.a.python(
            "from django.contrib.auth.models import User; from gateway.identity import console_sessions as sessions;"
            f"user = User.objects.get(username={user.name!r});"
            f"print('found', sessions.principal_id(user.pk), sessions.session_id({key!r}))"
        )
        found = re.search(r"found (\S+) (\S+)", named)
        assert found, named
        headers = in_the_name_of(found[1], *EVERYTHING, session_id=found[2])
        assert forwarder.get("/api/chat", headers=headers).status_code == 200
        session.browser.post("/operator/logout", headers={"X-CSRFToken": session.csrf_token})
    other = backend_client(stack, forwarder.token, server=stack.backends[1])
    wait_until(
        lambda: other.get("/api/chat", headers=headers).status_code != 200, "the other one knows", timeout_seconds=2
    )
    refused = other.get("/api/chat", headers=headers)
    assert_problem(refused, 401, "main_auth_failed", detail="invalid_token")


@pytest.mark.parametrize(
    "wrong",
    [
        {OPERATOR: "somebody"},
        {OPERATOR: "p-" + "a" * 4000},
        {OPERATOR_RIGHTS: "everything"},
        {OPERATOR_RIGHTS: "window:write, chat:write"},
        {"X-VX11-Operator-Session": "x y"},
        {"X-VX11-Operator-Address": "<script>"},
    ],
)
def test_headers_that_no_gateway_writes_are_400(wrong: dict[str, str], forwarder: Client, operator_id: str) -> None:
    refused = forwarder.get("/api/status", headers=in_the_name_of(operator_id, *EVERYTHING) | wrong)
    assert_problem(refused, 400, "bad_request")
    assert answers(refused) is None


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/operator/",
        "/operator/login",
        "/admin/",
        "/static/operator_api/favicon.svg",
        f"{API}/status",
        f"{API}/events",
        f"{API}/events/stream",
        f"{API}/events/sse-token",
        f"{API}/schema/",
        "/api/events",
        "/api/v1/status",
        "/api/",
    ],
)
def test_nothing_else_is_there(path: str, forwarder: Client) -> None:
    assert_problem(forwarder.get(path), 404, "not_found")
    assert_problem(forwarder.get(path, headers={"Cookie": "vx11_session=x"}), 404, "not_found")


def test_it_says_which_part_it_is_and_whether_it_is_ready(stack: Stack, tokens: dict[str, str]) -> None:
    nobody = backend_client(stack, None)
    assert nobody.get("/health").json()["module"] == "operator_backend"
    assert stack.client(None).get("/health").json()["module"] == "tentaculo_link"
    assert nobody.get("/ready").json() == {"status": "ok", "degraded": []}
    assert_problem(nobody.get("/metrics"), 401, "missing_token")
    assert "vx11_events_published_total" in backend_client(stack, tokens["metrics:read"]).get("/metrics").text


def test_what_it_refuses_to_an_operator_is_on_record_with_his_address(
    stack: Stack, forwarder: Client, principal: Client, operator_id: str
) -> None:
    other = stack.issue_token("principal", scopes=EVERYTHING)[1]
    with window(principal):
        headers = in_the_name_of(operator_id, *EVERYTHING)
        refused = forwarder.get(f"/api/chat?principal={other}", headers=headers)
        assert_problem(refused, 403, "insufficient_scope")
    row = stack.a.python(
        "from gateway.models import TokenAudit;"
        f"print(*TokenAudit.objects.filter(principal_id={operator_id!r}, reason='insufficient_scope')"
        ".values_list('address', flat=True))"
    )
    assert "10.0.0.9" in row
