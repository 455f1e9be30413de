"""Behind nginx as shipped, processes come and go under load: nothing is lost, and everybody is told the truth."""

import asyncio
import secrets
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.answers import assert_problem
from tests.cases.recording import Recovery
from tests.client import API, LOOPBACK
from tests.deploy.conftest import OwnTopology
from tests.deploy.topology import Topology
from tests.faults.traffic import Traffic
from tests.faults.waiting import WAIT_SECONDS, until
from tests.servers import RunningServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

READERS = 12
# What `stream-end` allows a client to wait at the most; the readers here come back sooner.
RETRY_SECONDS = 7
ASK_PAUSE_SECONDS = 0.05
EVENTS = 20
REFUSALS = 10
# A request in two goes to the one that hangs, and costs its client the time that it has patience for.
HANG_SECONDS = 90
# nginx gives up after 4 s; the rest is for a machine that stalls.
ANSWER_SECONDS = 10
STREAM = f"{API}/events/stream"


class Operator:
    """Looks at status and modules all the time, and counts what was answered."""

    def __init__(self, topology: Topology) -> None:
        self._url = topology.nginx.url
        self._headers = {"X-VX11-Token": topology.principal_token}
        self.answers: Counter[str] = Counter()

    async def look(self) -> None:
        async with httpx2.AsyncClient(base_url=self._url, headers=self._headers, **LOOPBACK, timeout=10) as client:
            while True:
                for name in ("status", "modules"):
                    answer = await client.get(f"{API}/{name}")
                    degraded = name == "status" and answer.json().get("degraded")
                    self.answers[f"{answer.status_code}{' degraded' if degraded else ''}"] += 1
                await asyncio.sleep(ASK_PAUSE_SECONDS)


def through_nginx(topology: Topology) -> Traffic:
    here = [topology.nginx.url]
    return Traffic(topology, readers=READERS, publish_to=here, read_from=here, answer_seconds=ANSWER_SECONDS)


async def come_back(traffic: Traffic) -> float:
    """Until every reader reads on; how long that took."""
    began = time.monotonic()
    await until(lambda: all(reader.connected for reader in traffic.readers), "every reader is back")
    await traffic.all_read_on()
    return time.monotonic() - began


async def all_reach(traffic: Traffic, seq: int) -> None:
    """While one of two gateways hangs."""
    await until(
        lambda: all(reader.seq >= seq for reader in traffic.readers),
        "every reader reads on at the other gateway",
        timeout_seconds=HANG_SECONDS,
    )


def answers_through(url: str, server: RunningServer) -> bool:
    """Whether a request that comes through nginx reaches this server: it is up, and nginx does not shun it any more."""
    correlation_id = f"probe-{secrets.token_hex(8)}"
    httpx2.get(url, headers={"X-Correlation-Id": correlation_id}, **LOOPBACK, timeout=5)
    return correlation_id in server.process.log()


def restart(topology: Topology, server: RunningServer) -> None:
    assert server.stop() == 0
    server.start()
    wait_until_used(topology, server)


def wait_until_used(topology: Topology, server: RunningServer) -> None:
    nginx = topology.nginx
    url = f"{nginx.url}{API}/modules" if server in topology.servers else f"{nginx.backend_url}/api/modules"
    wait_until(lambda: answers_through(url, server), "nginx uses the server again", timeout_seconds=WAIT_SECONDS)


@contextmanager
def hung(server: RunningServer) -> Iterator[None]:
    """While this lasts, it takes connections and bytes and answers nothing."""
    server.process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send(signal.SIGCONT)


async def test_f31_a_rolling_restart_of_every_process_loses_nothing_and_nobody_is_refused(
    own_topology: OwnTopology, recovery: Recovery
) -> None:
    topology = own_topology()
    operator = Operator(topology)
    async with through_nginx(topology) as traffic:
        looking = asyncio.create_task(operator.look())
        for server in [*topology.servers, *topology.backends]:
            await traffic.stores(EVENTS)
            with recovery("a process is restarted in peace, and all its readers are back"):
                await asyncio.to_thread(restart, topology, server)
                assert await come_back(traffic) < RETRY_SECONDS
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await traffic.settle()

    # Each reader was sent away by each gateway that it was at, politely, and came in again at once.
    ends = sum((reader.ends for reader in traffic.readers), Counter())
    assert set(ends) == {"draining"}, ends
    assert ends["draining"] >= READERS
    assert all(reader.connections == reader.ends["draining"] + 1 for reader in traffic.readers)
    assert (traffic.refused, traffic.unanswered) == ([], set())
    assert set(operator.answers) == {"200"}, operator.answers


async def test_f13_a_gateway_that_is_killed_costs_no_event_and_its_readers_go_on_at_the_other(
    own_topology: OwnTopology, recovery: Recovery
) -> None:
    topology = own_topology()
    async with through_nginx(topology) as traffic:
        for gateway in topology.servers:
            await traffic.stores(EVENTS)
            await asyncio.to_thread(gateway.kill)
            with recovery("readers of a killed gateway are back through nginx"):
                assert await come_back(traffic) < RETRY_SECONDS
            await asyncio.to_thread(gateway.start)
            await asyncio.to_thread(wait_until_used, topology, gateway)
        await traffic.settle()
    # nginx answers in any case. What it cannot know (was it stored?) it does not claim.
    assert set(traffic.refused) <= {503}
    assert traffic.unanswered == set()


async def test_f13_a_gateway_that_hangs_costs_no_event_and_its_readers_go_on_at_the_other(
    own_topology: OwnTopology, recovery: Recovery
) -> None:
    topology = own_topology()
    async with through_nginx(topology) as traffic:
        for gateway in topology.servers:
            await traffic.stores(EVENTS)
            with hung(gateway), recovery("readers of a gateway that hangs are back through nginx"):
                await traffic.stores(EVENTS)
                await all_reach(traffic, max(traffic.stored.values()))
            await asyncio.to_thread(wait_until_used, topology, gateway)
        await traffic.settle()
    # Publishers had more patience than nginx, so it has told them.
    assert (set(traffic.refused), traffic.unanswered) == ({503}, set())


def test_without_any_gateway_there_is_an_honest_answer_and_tickets_stay_good(own_topology: OwnTopology) -> None:
    topology = own_topology()
    client = topology.proxied(topology.principal_token)
    ticket = client.ticket()
    for gateway in topology.servers:
        gateway.stop()
    for answer in (client.get(STREAM, params={"token": ticket}), client.issue_ticket(), client.get(f"{API}/modules")):
        assert_problem(answer, 503, "dependency_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert ticket not in topology.nginx.logs()
    for gateway in topology.servers:
        gateway.start()
    assert topology.proxied(None).stream_status(token=ticket) == 200


async def test_while_tickets_cannot_be_asked_for_publishing_goes_on(own_topology: OwnTopology) -> None:
    topology = own_topology()
    client = topology.proxied(topology.principal_token)
    async with through_nginx(topology) as traffic:
        await asyncio.to_thread(topology.redis.stop)
        for _ in range(REFUSALS):
            # Each process is asked, and both say no: neither is lost for it.
            answer = await asyncio.to_thread(client.get, STREAM, params={"token": str(uuid.uuid4())})
            assert_problem(answer, 503, "dependency_unavailable")
            await traffic.stores(1)
        await asyncio.to_thread(topology.redis.start)
        await traffic.settle()
    assert (traffic.refused, traffic.unanswered) == ([], set())


async def test_f30_without_any_backend_events_go_on_and_the_rest_says_what_is_missing(
    own_topology: OwnTopology,
) -> None:
    topology = own_topology()
    client = topology.proxied(topology.principal_token)
    async with through_nginx(topology) as traffic:
        for backend in topology.backends:
            await asyncio.to_thread(backend.kill)
        await traffic.stores(EVENTS)
        assert_problem(await asyncio.to_thread(client.get, f"{API}/modules"), 503, "backend_unavailable")
        status = await asyncio.to_thread(client.get, f"{API}/window/status")
        assert (status.status_code, status.json()["mode"], status.json()["degraded"]) == (200, "degraded", True)
        await asyncio.to_thread(topology.backends[0].start)
        await until(lambda: client.get(f"{API}/modules").status_code == 200, "one backend is enough")
        await traffic.settle()
    assert (traffic.refused, traffic.unanswered) == ([], set())
