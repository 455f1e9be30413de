"""From one release to the next and back, under load: old and new share the database, and nothing is lost."""

import asyncio
from pathlib import Path

import pytest

from tests import next_release
from tests.cases.recording import Recovery
from tests.conftest import OwnStack
from tests.faults.traffic import Traffic
from tests.faults.waiting import until
from tests.servers import ROOT, RunningServer
from tests.stacks import Stack
from vx11_site import release

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

EVENTS = 30


def replace(server: RunningServer, checkout: Path) -> None:
    """As an upgrade does with each process: stop it in peace, start what is there now."""
    assert server.stop() == 0
    server.checkout = checkout
    server.start()


def migrate(server: RunningServer, checkout: Path) -> None:
    """The next release's migrations, while this server serves."""
    new = RunningServer(Path(server.environment["VX11_DATA_DIR"]).parent, server.environment)
    new.checkout = checkout
    assert next_release.NAME in new.manage("migrate", "--no-input")


def versions(stack: Stack) -> list[str]:
    return [stack.client(None, server=server).get("/health").json()["version"] for server in stack.servers]


async def are_back(traffic: Traffic) -> None:
    await until(lambda: all(reader.connected for reader in traffic.readers), "every reader is back")
    await traffic.stores(EVENTS)
    await traffic.all_read_on()


async def test_f32_an_upgrade_and_the_way_back_lose_nothing_though_old_and_new_share_the_database(
    own_stack: OwnStack, tmp_path: Path, recovery: Recovery
) -> None:
    stack = own_stack()
    checkout = await asyncio.to_thread(next_release.make, tmp_path / "next")
    async with Traffic(stack) as traffic:
        await traffic.stores(EVENTS)
        await asyncio.to_thread(migrate, stack.a, checkout)
        # Of the old release, on the new tables.
        await are_back(traffic)
        assert {reader.connections for reader in traffic.readers} == {1}
        for version, there in ((next_release.NEXT_VERSION, checkout), (release.version(), ROOT)):
            for number, server in enumerate(stack.servers, start=1):
                with recovery("a process is replaced by one of another release, and all its readers are back"):
                    await asyncio.to_thread(replace, server, there)
                    await are_back(traffic)
                assert versions(stack)[:number] == [version] * number
        await traffic.settle()
    assert set(traffic.refused) <= {503}


async def test_f32_the_table_of_events_becomes_a_partition_beneath_servers_of_the_release_before(
    own_stack: OwnStack, tmp_path: Path, recovery: Recovery
) -> None:
    stack = own_stack()
    if stack.size == "embedded":
        pytest.skip("there are no partitions on SQLite")
    before = await asyncio.to_thread(next_release.make_previous, tmp_path / "previous")
    await asyncio.to_thread(start_before_partitions, stack, before)
    async with Traffic(stack) as traffic:
        await traffic.stores(EVENTS)
        assert versions(stack) == [next_release.PREVIOUS_VERSION] * len(stack.servers)
        new = RunningServer(tmp_path, stack.a.environment)
        with recovery("the table of events is exchanged, and publishers and readers go on"):
            assert "events.0005_partitions... OK" in await asyncio.to_thread(new.manage, "migrate", "--no-input")
            await are_back(traffic)
        assert {reader.connections for reader in traffic.readers} == {1}
        for number, server in enumerate(stack.servers, start=1):
            with recovery("a process is replaced by one of another release, and all its readers are back"):
                await asyncio.to_thread(replace, server, ROOT)
                await are_back(traffic)
            assert versions(stack)[:number] == [release.version()] * number
        await traffic.settle()
    assert set(traffic.refused) <= {503}


def start_before_partitions(stack: Stack, checkout: Path) -> None:
    """Servers of that release, on a database as it left it."""
    for server in stack.servers:
        assert server.stop() == 0
    stack.a.manage("migrate", "--no-input", "events", next_release.BEFORE_PARTITIONS)
    for server in stack.servers:
        server.checkout = checkout
        server.start()
