"""Many clients: fan-out without loss, a storm when all come back at once, and coming and going without a trace."""

import asyncio
import time

import httpx2
import pytest

from tests.cases.recording import Recovery
from tests.client import LOOPBACK
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.server.crowd import Crowd, Reader
from tests.server.publisher import EVENT, Publisher
from tests.server.watching import open_sockets, resident_bytes, wait_for_metric
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

CLIENTS = 1_000
# Of each stream that has come and gone; one that stays costs twice as much.
SETTLING_BYTES = 8 * 1024


def assert_complete(readers: list[Reader], durable: list[int]) -> None:
    """Every event that was answered with 201, once and in order, and no gap in what came besides."""
    assert durable
    wait_until(lambda: all(reader.seqs and reader.seqs[-1] >= durable[-1] for reader in readers), "all have everything")
    for reader in readers:
        assert reader.seqs == list(range(reader.seqs[0], reader.seqs[-1] + 1))
        assert reader.seqs[0] <= durable[0]
        assert reader.problems == []


def test_r11_two_hundred_streams_get_fifty_events_a_second_in_order(
    own_stack: OwnStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = own_stack()
    with Crowd() as crowd:
        readers = crowd.open(stack.a.url, stack.principal_token, 200)
        publisher = Publisher(stack.client(stack.service_token, server=stack.b), events_per_second=50)
        publisher.start()
        wait_until(lambda: len(publisher.durable) > 100, "events flow", timeout_seconds=30)
        durable = publisher.stop()
        assert_complete(readers, durable)
    # Our own client reads them all in one thread, so this is an upper bound.
    spreads = sorted(
        reader.arrivals[seq] - min(other.arrivals[seq] for other in readers) for reader in readers for seq in durable
    )
    with capsys.disabled():
        print(f" spread over readers: p99 {spreads[len(spreads) * 99 // 100] * 1000:.0f} ms ", end="")  # noqa: T201


def test_r07_a_thousand_clients_come_back_after_a_crash_and_miss_nothing(
    own_stack: OwnStack, recovery: Recovery
) -> None:
    # All of them share a token, and for some seconds those of the crashed process count as well.
    stack = own_stack(VX11_MAX_STREAMS_PER_PRINCIPAL=str(2 * CLIENTS))
    with Crowd() as crowd:
        readers = crowd.open(stack.a.url, stack.principal_token, CLIENTS, returns=True)
        publisher = Publisher(stack.client(stack.service_token, server=stack.b), events_per_second=10)
        publisher.start()
        wait_until(lambda: len(publisher.durable) > 30, "events flow")
        stack.a.kill()
        stack.a.start()
        started_at = time.monotonic()
        with recovery(f"{CLIENTS} clients are back after a crash"):
            wait_until(
                lambda: all(reader.live and reader.times_opened > 1 for reader in readers),
                "all are back",
                timeout_seconds=20,
            )
        came_back = time.monotonic() - started_at
        durable = publisher.stop()
        assert_complete(readers, durable)
    # Nobody was turned away, and they did not come back at one moment.
    assert {status for reader in readers for status in reader.statuses} == {200}
    assert came_back > 0.5


def test_r09_coming_and_going_leaves_nothing_behind(own_stack: OwnStack) -> None:
    stack = own_stack()
    principal, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with Crowd() as crowd:

        def come_and_go() -> None:
            crowd.open(stack.a.url, stack.principal_token, 50)
            service.published(EVENT)
            crowd.close()

        def settle() -> tuple[int, int]:
            wait_for_metric(principal, "vx11_streams_active", 0)
            wait_for_metric(principal, "vx11_connections_open", 1)
            return open_sockets(stack.a), resident_bytes(stack.a)

        for _ in range(10):
            come_and_go()
        sockets, resident = settle()
        opened = metric(principal, "vx11_operator_sse_connections_principal_total")
        until = time.monotonic() + 5
        while time.monotonic() < until:
            come_and_go()
        sockets_after, resident_after = settle()
        opened = metric(principal, "vx11_operator_sse_connections_principal_total") - opened
    assert opened > 500
    assert sockets_after <= sockets + 2
    # The database's cache and the allocator settle slowly.
    assert (resident_after - resident) / opened < SETTLING_BYTES


def test_r15_hundreds_of_requests_at_once_each_get_their_own_answer(stack: Stack) -> None:
    async def ask(client: httpx2.AsyncClient, number: int) -> tuple[str, str]:
        mark = f"mix-{number}"
        answer = await client.get("/operator/api/events?limit=1", headers={"X-Correlation-Id": mark})
        return mark, answer.headers["x-correlation-id"]

    async def ask_all() -> list[tuple[str, str]]:
        async with httpx2.AsyncClient(base_url=stack.a.url, **LOOPBACK, timeout=30) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(200)))

    assert all(mark == given for mark, given in asyncio.run(ask_all()))
