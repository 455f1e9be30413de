"""The last moments of a ticket, as Redis counts them: no server's clock has a say."""

from hashlib import sha256

import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.stacks import Stack
from tests.waiting import wait_until

LAST_SECOND_MS = 1_000


@pytest.fixture(autouse=True)
def scaled(stack: Stack) -> None:
    if stack.size == "embedded":
        pytest.skip("there is no Redis in an embedded stack")


def key_of(ticket: str) -> str:
    return f"vx11:sse_token:{sha256(ticket.encode()).hexdigest()}"


def test_a14_in_its_last_second_a_ticket_opens_a_stream_at_any_server(stack: Stack, principal: Client) -> None:
    for server in stack.servers:
        ticket = principal.ticket()
        assert stack.redis.ask("PEXPIRE", key_of(ticket), LAST_SECOND_MS) == 1
        assert stack.client(None, server=server).stream_status(token=ticket) == 200


def test_a14_after_its_last_second_a_ticket_opens_nothing_at_any_server(stack: Stack, principal: Client) -> None:
    ticket = principal.ticket()
    assert stack.redis.ask("PEXPIRE", key_of(ticket), 1) == 1
    wait_until(lambda: not stack.redis.ask("EXISTS", key_of(ticket)), "Redis has forgotten the ticket")
    for server in stack.servers:
        answer = stack.client(None, server=server).get(f"{API}/events/stream", params={"token": ticket})
        assert_problem(answer, 401, "invalid_token")
