"""Networks that break: answers get lost, connections are cut, a cable is pulled."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cases.recording import Recovery
from tests.client import API, Client, Json
from tests.conftest import OwnStack
from tests.faults.far_networks import FarNetwork
from tests.faults.traffic import Traffic
from tests.metrics import metric
from tests.proxies import Proxy
from tests.servers import RunningServer
from tests.stacks import HEARTBEAT_SECONDS, Size
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

CUTS = 5
# How long a server may keep a stream whose client has vanished.
VANISHED_SECONDS = 45
PATIENCE_SECONDS = 1


@pytest.mark.parametrize("by", ["key", "event_id"])
async def test_f16_a_publisher_that_repeats_what_was_not_answered_publishes_once(
    own_stack: OwnStack, new_event: Callable[..., Json], marker: str, by: str
) -> None:
    stack = own_stack()
    kind: dict[str, Any] = {"headers": {"Idempotency-Key": marker}} if by == "key" else {}
    event = new_event() if by == "key" else new_event(event_id=marker)
    reader = stack.client(stack.principal_token, server=stack.b)
    async with Proxy(stack.a.url) as proxy:
        service = Client(proxy.url, token=stack.service_token, credentials=stack.credentials)
        proxy.loses_answers = True
        for _ in range(2):
            with pytest.raises(httpx2.ReadTimeout):
                await asyncio.to_thread(service.publish, event, timeout=PATIENCE_SECONDS, **kind)
        (stored,) = reader.polled(correlation_id=marker)["events"]

        proxy.loses_answers = False
        answer = await asyncio.to_thread(service.publish, event, **kind)

    assert answer.status_code == 200
    assert (answer.json()["event_id"], answer.json()["seq"]) == (stored["event_id"], stored["seq"])
    assert reader.polled(correlation_id=marker)["total"] == 1


async def test_connections_that_are_cut_anywhere_cost_no_event(own_stack: OwnStack) -> None:
    stack = own_stack()
    async with (
        Proxy(stack.a.url) as to_a,
        Proxy(stack.b.url) as to_b,
        Traffic(stack, publish_to=[to_a.url], read_from=[to_b.url, to_a.url], pause_seconds=0) as traffic,
    ):
        for _ in range(CUTS):
            await traffic.stores(30)
            to_a.cut()
            to_b.cut()
            await traffic.all_read_on()
        await traffic.settle()
        assert traffic.refused == []


@pytest.fixture
def far_network(stack_size: Size) -> Iterator[FarNetwork]:
    if stack_size == "scaled":
        pytest.skip("one server is enough for one cable")
    if os.geteuid() != 0:
        pytest.skip("only root can lay cables")
    with FarNetwork() as network:
        yield network


@pytest.fixture
def near_server(far_network: FarNetwork, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that listens at this machine's end of the cable."""
    environment = {
        "VX11_ALLOWED_HOSTS": far_network.near_address,
        "VX11_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "VX11_PRINCIPAL_TOKEN": f"principal-{secrets.token_hex(16)}",
        "VX11_SERVICE_TOKEN": f"service-{secrets.token_hex(16)}",
    }
    server = RunningServer(tmp_path / "server", environment, host=far_network.near_address)
    server.manage("migrate", "--no-input")
    server.start()
    yield server
    server.stop()


def open_stream(network: FarNetwork, server: RunningServer, *, cursor: str) -> socket.socket:
    connection = network.connect(server.port)
    token = server.environment["VX11_PRINCIPAL_TOKEN"]
    lines = [f"GET {API}/events/stream?last_event_id={cursor} HTTP/1.1", f"Host: {network.near_address}"]
    lines += [f"X-VX11-Token: {token}", "Accept: text/event-stream", "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def read_until(connection: socket.socket, what: bytes) -> bytes:
    """What comes up to there; TimeoutError when nothing comes for as long as three heartbeats."""
    connection.settimeout(3 * HEARTBEAT_SECONDS)
    received = b""
    while what not in received:
        piece = connection.recv(65536)
        assert piece, f"the stream ended before {what!r}"
        received += piece
    return received


def test_f17_both_ends_notice_that_the_network_between_them_is_gone_and_nothing_is_lost(
    far_network: FarNetwork, near_server: RunningServer, recovery: Recovery
) -> None:
    environment = near_server.environment
    reader = Client(near_server.url, token=environment["VX11_PRINCIPAL_TOKEN"], credentials=set())
    service = Client(near_server.url, token=environment["VX11_SERVICE_TOKEN"], credentials=set())
    start = reader.cursor()
    with open_stream(far_network, near_server, cursor=start) as connection:
        read_until(connection, b"heartbeat")
        assert metric(reader, "vx11_streams_active") == 1
        far_network.unplug()
        lost = service.published({"event_type": "a", "summary": "said into the void"})["event_id"]
        with pytest.raises(TimeoutError):
            read_until(connection, lost.encode())
        with recovery("the server gives up a stream whose client is cut off"):
            wait_until(
                lambda: metric(reader, "vx11_streams_active") == 0,
                "the server gives the stream up",
                timeout_seconds=VANISHED_SECONDS,
                pause_seconds=0.5,
            )
    far_network.plug()
    with open_stream(far_network, near_server, cursor=start) as connection:
        assert lost.encode() in read_until(connection, b"caught-up")
