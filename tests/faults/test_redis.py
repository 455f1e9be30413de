"""Redis is only a wake-up and the place of tickets: whatever it does, streams and publishing go on."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.answers import assert_problem
from tests.cases.recording import Recovery
from tests.client import API, Client, Json
from tests.faults.traffic import Traffic
from tests.metrics import metric
from tests.processes import free_port
from tests.stacks import Stack
from tests.stores import PrivateRedis
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

# The contract says two seconds; the rest is for a test machine that does other things as well.
REFUSAL_SECONDS = 3
EVENTS = 5
# So often must the log have made up for Redis before a test believes that anything was lost.
GAPS = 3


def assert_goes_on_without_cache(stack: Stack, new_event: Callable[..., Json]) -> None:
    """What is published at one server arrives at a stream of the other, and the server wants its requests."""
    reader = stack.client(stack.principal_token)
    service = stack.client(stack.service_token, server=stack.b)
    with reader.stream() as stream:
        stream.connected()
        published = [service.published(new_event())["event_id"] for _ in range(EVENTS)]
        assert [event["event_id"] for event in stream.events(EVENTS)] == published
    assert [reader.get(path).status_code for path in ("/health", "/ready")] == [200, 200]


def assert_says_what_is_missing(client: Client) -> None:
    assert client.get("/ready").json().get("degraded") == ["cache"]


def assert_tickets_are_unavailable(client: Client) -> None:
    """Soon, and with the words for a dependency that is away: neither 401 nor 500, and never a ticket."""
    started = time.monotonic()
    answer = client.issue_ticket()
    assert time.monotonic() - started < REFUSAL_SECONDS
    assert_problem(answer, 503, "dependency_unavailable")
    assert answer.headers["retry-after"]


def wait_for_tickets(client: Client) -> None:
    wait_until(lambda: client.issue_ticket().status_code == 200, "tickets are issued again")


def test_f01_without_redis_streams_and_publishing_go_on_and_tickets_are_refused_as_unavailable(
    redis_stack: Stack, new_event: Callable[..., Json], recovery: Recovery
) -> None:
    stack = redis_stack
    reader = stack.client(stack.principal_token)
    service = stack.client(stack.service_token, server=stack.b)
    with reader.stream() as stream:
        stream.connected()
        ticket_of_before = reader.ticket()
        stack.redis.kill()

        published = [service.published(new_event())["event_id"] for _ in range(EVENTS)]

        assert [event["event_id"] for event in stream.events(EVENTS)] == published
        assert_tickets_are_unavailable(reader)
        assert_says_what_is_missing(reader)
        assert_goes_on_without_cache(stack, new_event)
        stream.events(EVENTS)

        stack.redis.start()
        with recovery("tickets are issued again after Redis is back"):
            wait_for_tickets(reader)
        after = service.published(new_event())["event_id"]
        assert stream.event()["event_id"] == after
    # Redis came back empty, so nobody knows that ticket any more.
    assert stack.client(None).stream_status(token=ticket_of_before) == 401
    assert stack.client(None, server=stack.b).stream_status(token=reader.ticket()) == 200


def test_f02_while_redis_hangs_tickets_are_refused_in_time_and_all_else_goes_on(
    redis_stack: Stack, new_event: Callable[..., Json], recovery: Recovery
) -> None:
    stack = redis_stack
    reader = stack.client(stack.principal_token)
    ticket = reader.ticket()
    with reader.stream() as stream:
        stream.connected()
        with stack.redis.hung():
            assert_tickets_are_unavailable(reader)
            assert_says_what_is_missing(reader)
            assert_problem(stack.client(None).get(f"{API}/events/stream?token={ticket}"), 503, "dependency_unavailable")
            assert_goes_on_without_cache(stack, new_event)
            stream.events(EVENTS)
        with recovery("tickets are issued again after Redis goes on"):
            wait_for_tickets(reader)
        after = stack.client(stack.service_token, server=stack.b).published(new_event())["event_id"]
        assert stream.event()["event_id"] == after
    # The refusal while Redis hung has not used the ticket up.
    assert stack.client(None).stream_status(token=ticket) == 200


@contextmanager
def full(redis: PrivateRedis) -> Iterator[None]:
    """OOM: it takes no write that needs memory."""
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    yield
    redis.ask("CONFIG", "SET", "maxmemory", "0")


@contextmanager
def read_only(redis: PrivateRedis) -> Iterator[None]:
    """READONLY: it has been made a replica, here of nobody."""
    redis.ask("REPLICAOF", "127.0.0.1", free_port())
    yield
    redis.ask("REPLICAOF", "NO", "ONE")


@contextmanager
def locked(redis: PrivateRedis) -> Iterator[None]:
    """NOAUTH: it wants a password that nobody was told, also from connections that are there."""
    redis.ask("CONFIG", "SET", "requirepass", "changed")
    redis.ask("CLIENT", "KILL", "TYPE", "normal", password="changed")
    redis.ask("CLIENT", "KILL", "TYPE", "pubsub", password="changed")
    yield
    redis.ask("CONFIG", "SET", "requirepass", "", password="changed")


@contextmanager
def loading(redis: PrivateRedis) -> Iterator[None]:
    """LOADING: it was restarted and still reads what it had written to disk."""
    ballast = [word for number in range(400) for word in (f"ballast:{number}", "x" * 1000)]
    redis.ask("MSET", *ballast)
    redis.ask("SAVE")
    redis.stop()
    # 50 ms for each key, and an ear for clients after each kilobyte.
    slowly = {"key_load_delay": "50000", "loading_process_events_interval_bytes": "1024"}
    redis.start(**slowly)
    yield
    redis.ask("CONFIG", "SET", "key-load-delay", "0")


@pytest.mark.parametrize("fault", [full, read_only, locked, loading])
def test_f03_a_redis_that_refuses_is_a_dependency_that_is_away(
    redis_stack: Stack, new_event: Callable[..., Json], fault: Callable[[PrivateRedis], Iterator[None]]
) -> None:
    stack = redis_stack
    reader = stack.client(stack.principal_token)
    ticket = reader.ticket()
    with fault(stack.redis):  # type: ignore[attr-defined]  # what contextmanager makes of it
        assert_tickets_are_unavailable(reader)
        # A door that cannot be checked stays shut; whoever it does know (a full Redis still reads) may come in.
        assert stack.client(None).stream_status(token=str(uuid.uuid4())) in (401, 503)
        assert stack.client(None, server=stack.b).stream_status(token=ticket) in (200, 503)
        assert_goes_on_without_cache(stack, new_event)
    wait_for_tickets(reader)


async def gaps_healed(stack: Stack) -> float:
    """How often server `b` did not hear of events, and read them from the log."""
    client = stack.client(stack.principal_token, server=stack.b)
    return await asyncio.to_thread(metric, client, "vx11_relay_gaps_healed_total")


async def test_r17_a_channel_layer_that_loses_its_subscriptions_costs_no_event(redis_stack: Stack) -> None:
    stack = redis_stack
    async with Traffic(stack, publish_to=[stack.a.url], read_from=[stack.b.url], pause_seconds=0) as traffic:
        enough = await gaps_healed(stack) + GAPS
        while await gaps_healed(stack) < enough:
            stack.redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
            await traffic.stores(100)
        await traffic.settle()
        assert {reader.connections for reader in traffic.readers} == {1}


async def test_r17_a_channel_layer_that_carries_nothing_for_a_while_costs_no_event(redis_stack: Stack) -> None:
    stack = redis_stack
    async with Traffic(stack, publish_to=[stack.a.url], read_from=[stack.b.url]) as traffic:
        await traffic.stores(20)
        enough = await gaps_healed(stack) + GAPS
        # Redis disconnects who listens, and refuses both to listen and to tell.
        stack.redis.ask("ACL", "SETUSER", "default", "resetchannels")
        while await gaps_healed(stack) < enough:
            await traffic.all_read_on(20)
        stack.redis.ask("ACL", "SETUSER", "default", "allchannels")
        await traffic.stores(20)
        await traffic.settle()
        assert {reader.connections for reader in traffic.readers} == {1}


async def test_f05_an_event_whose_wake_up_was_lost_comes_with_the_next_look_at_the_log(redis_stack: Stack) -> None:
    """Every wake-up is lost here, and the log is looked at once a second."""
    stack = redis_stack
    stack.redis.ask("ACL", "SETUSER", "default", "resetchannels")
    service, reader = stack.client(stack.service_token), stack.client(stack.principal_token, server=stack.b)
    with reader.stream() as stream:
        stream.connected()
        for number in range(3):
            event_id = service.published({"event_type": "a", "summary": f"number {number}"})["event_id"]
            assert stream.event(timeout_seconds=REFUSAL_SECONDS)["event_id"] == event_id
