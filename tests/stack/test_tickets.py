"""Credentials and tickets: who gets one, what it opens, and that it opens it once."""

import hashlib
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from tests.answers import assert_problem
from tests.client import API, Client, Json
from tests.conftest import OwnStack
from tests.stacks import Stack
from tests.waiting import wait_until

SSE_TOKEN = f"{API}/events/sse-token"
STREAM = f"{API}/events/stream"
RACERS = 50


def test_a_ticket_answer_says_all_a_client_needs(principal: Client) -> None:
    answer = principal.issue_ticket()

    assert answer.status_code == 200
    body = answer.json()
    ticket = body["sse_token"]
    assert str(uuid.UUID(ticket)) == ticket
    assert uuid.UUID(ticket).version == 4
    assert (body["ttl_sec"], body["expires_in_sec"]) == (60, 60)
    assert body["endpoint"] == STREAM
    assert body["usage"].startswith("curl -N ")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "header", [{"X-VX11-Token": "{}"}, {"Authorization": "Bearer {}"}, {"Authorization": "bearer {}"}]
)
def test_a_principal_may_come_in_either_header(stack: Stack, header: dict[str, str]) -> None:
    headers = {name: value.format(stack.principal_token) for name, value in header.items()}
    assert stack.client(None).issue_ticket(headers=headers).status_code == 200


def test_a_ticket_of_one_server_is_redeemed_by_another(stack: Stack, principal: Client) -> None:
    assert stack.client(None, server=stack.b).stream_status(token=principal.ticket()) == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_an_empty_body_is_an_empty_object_whatever_its_type(principal: Client, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert principal.post(SSE_TOKEN, content=b"", headers=headers).status_code == 200


def test_a_narrowed_ticket_shows_only_what_it_was_narrowed_to(
    stack: Stack, principal: Client, service: Client, new_event: Callable[..., Json]
) -> None:
    ticket = principal.ticket(modules=["switch"], severities=["warn", "error"], event_types=["test.wanted"])
    wanted = new_event(module="switch", severity="warn", event_type="test.wanted")

    with stack.client(None).stream(token=ticket) as stream:
        stream.connected()
        service.published(
            [{**wanted, "module": "hermes"}, {**wanted, "severity": "info"}, {**wanted, "event_type": "other"}]
        )
        event_id = service.published(wanted)["event_id"]
        assert stream.event()["event_id"] == event_id


@pytest.mark.parametrize("narrowing", [{"severities": ["loud"]}, {"modules": "switch"}, {"event_types": [1]}])
def test_a_narrowing_of_the_wrong_kind_is_refused(principal: Client, narrowing: Json) -> None:
    assert_problem(principal.issue_ticket(narrowing), 422, "validation_error")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_tickets_are_for_post_only(principal: Client, method: str) -> None:
    answer = principal.request(method, SSE_TOKEN)
    assert_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


def test_a_principal_without_the_scope_gets_no_ticket(stack: Stack) -> None:
    token, _ = stack.issue_token("principal", scopes=("events:read",))
    assert_problem(stack.client(token).issue_ticket(), 403, "insufficient_scope")


# --- a ticket opens one stream, once ---


def test_a10_two_tickets_in_one_request_are_refused_and_neither_is_used_up(stack: Stack, principal: Client) -> None:
    first, second = principal.ticket(), principal.ticket()
    stranger = stack.client(None)

    assert_problem(stranger.get(f"{STREAM}?token={first}&token={second}"), 400, "duplicate_parameter")
    assert [stranger.stream_status(token=first), stranger.stream_status(token=second)] == [200, 200]


def test_a12_a_used_ticket_is_refused(stack: Stack, principal: Client) -> None:
    ticket = principal.ticket()
    stranger = stack.client(None)

    assert stranger.stream_status(token=ticket) == 200
    assert_problem(stranger.get(STREAM, params={"token": ticket}), 401, "invalid_token")


def test_a12_a_ticket_that_never_was_gets_the_same_answer_as_a_used_one(stack: Stack, principal: Client) -> None:
    used = principal.ticket()
    stranger = stack.client(None)
    assert stranger.stream_status(token=used) == 200

    bodies = [stranger.get(STREAM, params={"token": ticket}).json() for ticket in (used, str(uuid.uuid4()))]
    assert {**bodies[0], "correlation_id": ""} == {**bodies[1], "correlation_id": ""}


def test_a13_of_fifty_racers_with_one_ticket_one_gets_in(stack: Stack, principal: Client) -> None:
    ticket = principal.ticket()
    racers = [stack.client(None, server=stack.servers[index % len(stack.servers)]) for index in range(RACERS)]

    with ThreadPoolExecutor(RACERS) as pool:
        statuses = list(pool.map(lambda racer: racer.stream_status(token=ticket), racers))

    assert sorted(statuses) == [200] + [401] * (RACERS - 1)


def test_a14_a_ticket_is_worth_nothing_after_its_time(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_SSE_TOKEN_TTL_SECONDS="1")
    answer = stack.client(stack.principal_token).issue_ticket()
    issued = time.monotonic()
    assert answer.json()["ttl_sec"] == 1

    wait_until(lambda: time.monotonic() > issued + 1.1, "the ticket's second is over")
    refusal = stack.client(None).get(STREAM, params={"token": answer.json()["sse_token"]})
    assert_problem(refusal, 401, "invalid_token")


def test_a14_a_stream_outlives_its_ticket(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_SSE_TOKEN_TTL_SECONDS="1")
    ticket = stack.client(stack.principal_token).ticket()
    with stack.client(None).stream(token=ticket) as stream:
        opened = time.monotonic()
        stream.connected()
        stream.next(lambda frame: time.monotonic() > opened + 2.5 and frame.name == "heartbeat", "a late heartbeat")


def test_a14_redis_forgets_a_ticket_after_60_seconds_and_never_knew_its_text(stack: Stack, principal: Client) -> None:
    if stack.size == "embedded":
        pytest.skip("there is no Redis in an embedded stack")
    ticket = principal.ticket()
    key = f"vx11:sse_token:{hashlib.sha256(ticket.encode()).hexdigest()}"

    with redis.Redis.from_url(stack.redis.url) as store:
        assert 55_000 < store.pttl(key) <= 60_000
        values = [store.dump(key) or b"" for key in store.scan_iter("vx11:sse_token:*")]
    assert values
    assert not [value for value in values if any(secret.encode() in value for secret in stack.credentials)]


BURNS: dict[str, tuple[dict[str, Any], int]] = {
    "HEAD": ({"method": "HEAD"}, 200),
    "OPTIONS": ({"method": "OPTIONS"}, 204),
    "POST": ({"method": "POST"}, 405),
    "html": ({"headers": {"Accept": "text/html"}}, 406),
    "prefetch": ({"headers": {"Sec-Purpose": "prefetch"}}, 403),
    "cross-site": ({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
    "cursor": ({"last_event_id": "'; drop"}, 400),
    "filter": ({"severity": "loud"}, 422),
}


@pytest.mark.parametrize("burn", BURNS)
def test_a15_no_refusal_and_no_preview_uses_up_a_ticket(stack: Stack, principal: Client, burn: str) -> None:
    request, status = BURNS[burn]
    ticket = principal.ticket()
    stranger = stack.client(None)

    assert stranger.stream_status(token=ticket, **request) == status
    assert stranger.stream_status(token=ticket) == 200


def test_a15_head_tells_a_used_ticket_from_a_fresh_one(stack: Stack, principal: Client) -> None:
    ticket = principal.ticket()
    stranger = stack.client(None)

    assert stranger.stream_status(token=ticket) == 200
    assert stranger.stream_status(token=ticket, method="HEAD") == 401
