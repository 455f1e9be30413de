"""How many streams a principal may have in the whole installation, and what frees a place."""

from contextlib import ExitStack

import pytest

from tests.answers import assert_problem
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.stacks import Stack
from tests.waiting import wait_until

LIMIT = 4
STREAM = f"{API}/events/stream"


@pytest.fixture
def stack_of_few(own_stack: OwnStack) -> Stack:
    return own_stack(VX11_MAX_STREAMS_PER_PRINCIPAL=str(LIMIT))


def reader(stack: Stack, number: int) -> Client:
    """Server by server, in turn."""
    return stack.client(stack.principal_token, server=stack.servers[number % len(stack.servers)])


def open_all(stack: Stack, held: ExitStack, count: int = LIMIT) -> None:
    for number in range(count):
        stream = held.enter_context(reader(stack, number).stream())
        stream.connected()
        # A stream that nobody refers to any more is closed.
        held.callback(bool, stream)


def test_r04_one_more_stream_is_refused_by_every_server_until_one_is_closed(stack_of_few: Stack) -> None:
    stack = stack_of_few
    with ExitStack() as held:
        open_all(stack, held, LIMIT - 1)
        with reader(stack, 0).stream() as last:
            last.connected()
            for server in stack.servers:
                refused = stack.client(stack.principal_token, server=server).get(STREAM)
                problem = assert_problem(refused, 429, "too_many_streams")
                assert f"VX11_MAX_STREAMS_PER_PRINCIPAL is {LIMIT}" in problem["title"]
                assert int(refused.headers["retry-after"]) >= 1
                assert stack.client(stack.principal_token, server=server).request("HEAD", STREAM).status_code == 429
        wait_until(lambda: reader(stack, 1).stream_status() == 200, "the place is free", pause_seconds=0.1)


def test_r04_the_limit_is_each_principals_own(stack_of_few: Stack) -> None:
    token, _ = stack_of_few.issue_token("principal")
    with ExitStack() as held:
        open_all(stack_of_few, held)
        assert stack_of_few.client(token).stream_status() == 200


def test_a15_a_ticket_refused_for_the_quota_is_not_used_up(stack_of_few: Stack) -> None:
    stack = stack_of_few
    with ExitStack() as held:
        ticket = reader(stack, 0).ticket()
        with ExitStack() as full:
            open_all(stack, full)
            assert_problem(stack.client(None).get(STREAM, params={"token": ticket}), 429, "too_many_streams")
        anybody = stack.client(None)
        wait_until(
            lambda: anybody.request("HEAD", STREAM, params={"token": ticket}).status_code == 200, "a place is free"
        )
        stream = held.enter_context(anybody.stream(token=ticket))
        assert stream.connected()


def test_r04_places_of_a_killed_server_are_free_again(stack_of_few: Stack) -> None:
    stack = stack_of_few
    with ExitStack() as held:
        open_all(stack, held)
        stack.b.kill()
        if stack.size == "embedded":
            stack.b.start()
        client = stack.client(stack.principal_token, server=stack.a)
        wait_until(lambda: client.stream_status() == 200, "a place is free", timeout_seconds=30, pause_seconds=0.5)


def test_a18_an_administrator_ends_a_stream_in_whichever_process(stack: Stack) -> None:
    with stack.client(stack.principal_token, server=stack.b).stream() as ended, ExitStack() as held:
        stream_id = ended.connected().data["stream_id"]
        other = held.enter_context(stack.client(stack.principal_token, server=stack.b).stream())
        other.connected()
        stack.a.python(f"from gateway.models import EndedStream; EndedStream.end([{stream_id!r}])")
        assert ended.named("stream-end", timeout_seconds=2).data["reason"] == "disconnected_by_admin"
        assert other.named("heartbeat")
