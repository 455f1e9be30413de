"""Limits of a running installation: two servers count together, and nobody pays for somebody else."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, LOOPBACK, Client, Event
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.stack.test_sessions import User
from tests.stacks import Stack

STREAM = f"{API}/events/stream"
NOBODY = "vx11p_" + "x" * 43


def assert_limited(answer: httpx2.Response, reason: str = "rate_limited", *, max_seconds: int = 60) -> None:
    assert_problem(answer, 429, reason)
    assert 1 <= int(answer.headers["retry-after"]) <= max_seconds


def clients(stack: Stack, token: str | None) -> list[Client]:
    return [stack.client(token, server=server) for server in stack.servers]


def test_a24_tickets_beyond_the_rate_are_refused_by_all_servers_together_and_others_go_on(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_TOKEN_RATE="20/30s")
    other, _ = stack.issue_token("principal")
    asking = clients(stack, stack.principal_token) * 20

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda client: client.issue_ticket(), asking * 2))

    assert sum(answer.status_code == 200 for answer in answers) == 20
    refused = [answer for answer in answers if answer.status_code != 200]
    for answer in refused:
        assert_limited(answer, max_seconds=30)
    assert stack.client(other).issue_ticket().status_code == 200
    counted = sum(
        metric(client, 'vx11_limited_total{limit="tickets"}') for client in clients(stack, stack.principal_token)
    )
    assert counted == len(refused)
    if stack.size == "scaled":
        keys = stack.redis.ask("KEYS", "vx11:sse_token:*")
        assert len(keys) == 21


def test_tickets_of_one_address_can_be_limited_too(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_TOKEN_RATE_PER_ADDRESS="5/30s", VX11_TRUSTED_PROXIES="127.0.0.1")
    tokens = [stack.issue_token("principal")[0] for _ in range(2)]

    def issue(number: int, address: str) -> httpx2.Response:
        client = stack.client(tokens[number % 2], server=stack.servers[number % len(stack.servers)])
        return client.issue_ticket(headers={"X-Real-IP": address})

    answers = [issue(number, "192.0.2.1") for number in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert issue(0, "192.0.2.2").status_code == 200


def test_a28_an_address_whose_credentials_fail_too_often_waits_and_valid_ones_from_it_pass(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_FAILED_CREDENTIAL_RATE="10/m")
    strangers = clients(stack, NOBODY)

    answers = [strangers[number % len(strangers)].issue_ticket() for number in range(15)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 5
    assert_limited(answers[-1])
    for client in clients(stack, stack.principal_token):
        assert client.issue_ticket().status_code == 200
        assert client.stream_status() == 200
    # No credential is not a wrong one.
    assert_problem(stack.client(None).issue_ticket(), 401, "missing_token")


def test_a28_unknown_tickets_and_used_ones_count_as_failures(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_FAILED_CREDENTIAL_RATE="3/m")
    anybody = stack.client(None)
    ticket = stack.client(stack.principal_token).ticket()
    assert anybody.stream_status(token=ticket) == 200
    statuses = [anybody.stream_status(token=ticket) for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert anybody.stream_status(token="550e8400-e29b-41d4-a716-446655440000") == 429


def test_addresses_count_apart_and_are_believed_from_trusted_proxies_only(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_FAILED_CREDENTIAL_RATE="2/m", VX11_TRUSTED_PROXIES="127.0.0.1")
    stranger = stack.client(NOBODY)

    def ask(address: str) -> int:
        return stranger.issue_ticket(headers={"X-Real-IP": address}).status_code

    assert [ask("192.0.2.1") for _ in range(3)] == [401, 401, 429]
    assert ask("192.0.2.2") == 401
    assert [ask(f"2001:db8:1:2::{number}") for number in (1, 2, 3)] == [401, 401, 429]

    untrusting = own_stack(VX11_FAILED_CREDENTIAL_RATE="2/m").client(NOBODY)
    answers = [untrusting.issue_ticket(headers={"X-Real-IP": f"192.0.2.{number}"}) for number in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_events_beyond_a_tokens_rate_are_refused_whole_and_stored_nowhere(
    own_stack: OwnStack, new_event: Callable[..., Event]
) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="40/m")
    publishers = clients(stack, stack.service_token)

    for number in range(4):
        assert publishers[number % len(publishers)].publish([new_event()] * 10).status_code == 201
    assert_limited(publishers[0].publish(new_event()))
    assert_limited(publishers[-1].publish([new_event()] * 2))
    assert stack.client(stack.principal_token).polled(limit=1)["total"] == 40
    # Before it is known what a request holds, it needs the right to one event.
    assert_limited(publishers[0].publish([new_event()] * 41))
    # Waiting would never help a batch that is larger than the rate.
    fresh = stack.client(stack.issue_token("service", scopes=("events:publish",))[0])
    assert_problem(fresh.publish([new_event()] * 41), 413, "payload_too_large")


def test_publishing_goes_on_within_its_rate_while_redis_hangs(
    own_stack: OwnStack, stack_size: str, new_event: Callable[..., Event]
) -> None:
    if stack_size == "embedded":
        pytest.skip("there is no Redis in an embedded stack")
    stack = own_stack(VX11_PUBLISH_RATE="30/m")
    publisher = stack.client(stack.service_token)
    with stack.redis.hung():
        started = time.monotonic()
        assert [publisher.publish(new_event()).status_code for _ in range(30)] == [201] * 30
        assert_limited(publisher.publish(new_event()))
        assert time.monotonic() - started < 10


def test_w09_signing_in_is_slowed_down_for_whoever_guesses(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_LOGIN_RATE="3/m")
    user, other = User(stack, "operator"), User(stack, "operator")
    right, user.password = user.password, "a wrong one"

    for _ in range(3):
        assert sign_in(user).status_code == 200
    for path in ("/operator/login", "/admin/login/"):
        answer = sign_in(user, path)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert "Too many failed sign-ins" in answer.text
    # Also with the right password: who guesses must not learn that it was one.
    user.password = right
    assert sign_in(user).status_code == 429
    # A right password is not counted, however often; and others are not locked out, also by many more tries.
    assert [sign_in(user).status_code for _ in range(40)] == [429] * 40
    assert [sign_in(other).status_code for _ in range(5)] == [302] * 5


def sign_in(user: User, path: str = "/operator/login") -> httpx2.Response:
    with httpx2.Client(base_url=user.stack.a.url, **LOOPBACK, timeout=10) as browser:
        browser.get(path)
        cookie = browser.cookies["vx11_csrf"]
        fields = {"username": user.name, "password": user.password, "csrfmiddlewaretoken": cookie, "next": ""}
        return browser.post(path, data=fields, headers={"Referer": user.stack.a.url + path})
