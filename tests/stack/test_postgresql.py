"""PostgreSQL as people run it: its own tools, a pooler in between, a list of hosts, and few connections."""

import asyncio
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from ledger.reader import CONNECTIONS
from tests.client import API, LOOPBACK, Event
from tests.conftest import OwnStack
from tests.processes import OwnProcess, accepts_connections, free_port
from tests.servers import ROOT
from tests.stacks import Stack
from tests.stores import PrivatePostgres
from tests.waiting import wait_until

NewEvent = Callable[..., Event]
REQUESTS, AT_ONCE = 400, 100
HELD = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vx11-operator' AND datname = %s"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def scaled_only(stack_size: str) -> None:
    if stack_size == "embedded":
        pytest.skip("an embedded installation has no PostgreSQL")


def url_of(stack: Stack) -> str:
    return stack.a.environment["VX11_DATABASE_URL"]


def documented(heading: str) -> str:
    """The shell commands under a heading of docs/operations.md."""
    section = (ROOT / "docs/operations.md").read_text().partition(f"### {heading}\n")[2]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found, f"no commands under {heading}"
    return found[1]


def run_documented(stack: Stack, heading: str, folder: Path) -> None:
    """As they stand, with a manage.py that is somewhere else."""
    commands = documented(heading).replace("manage.py", f"{ROOT}/.venv/bin/python {ROOT}/manage.py")
    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=folder, env=stack.a.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_f23_a_dump_restored_as_documented_is_a_log_of_a_new_epoch(
    own_stack: OwnStack, new_event: NewEvent, tmp_path: Path
) -> None:
    stack = own_stack()
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    service.published(new_event(summary="kept"))
    run_documented(stack, "Backup of PostgreSQL", tmp_path)
    lost = service.published(new_event(summary="lost"))
    for server in stack.servers:
        server.stop()

    run_documented(stack, "Restore of PostgreSQL", tmp_path)

    for server in stack.servers:
        server.start()
    with reader.stream(last_event_id=lost["cursor"]) as stream:
        assert stream.named("stream-reset").data["reason"] == "epoch"
        after = service.published(new_event(summary="after"))
        assert stream.event()["seq"] == after["seq"]
    assert after["seq"] > lost["seq"]
    assert reader.poll(since=lost["cursor"]).status_code == 410
    assert [event["summary"] for event in reader.polled(limit=10)["events"]] == ["kept", "after"]


def assert_carries_events(stack: Stack, new_event: NewEvent) -> None:
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with stack.client(None, server=stack.b).stream(token=reader.ticket()) as stream:
        stream.connected()
        published = [service.published(new_event())["event_id"] for _ in range(20)]
        assert [event["event_id"] for event in stream.events(20)] == published
    assert reader.get("/ready").status_code == 200


def test_of_several_hosts_the_one_that_takes_writes_is_used(
    own_stack: OwnStack, new_event: NewEvent, pytestconfig: pytest.Config
) -> None:
    there = url_of(own_stack())
    port = re.search(r":(\d+)/", there)
    assert port
    several = there.replace(port[0], f":{free_port()},127.0.0.1:{port[1]}/") + "?target_session_attrs=read-write"
    assert_carries_events(own_stack(VX11_DATABASE_URL=several), new_event)


class PgBouncer:
    """Debian's, in transaction mode, with fewer connections to the server than it takes itself."""

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        self.port = free_port()
        self._file = postgres.folder / f"pgbouncer-{self.port}.ini"
        self._file.write_text(f"""[databases]
* = host=127.0.0.1 port={postgres.port} user=vx11
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
ignore_startup_parameters = options
""")
        self.process = OwnProcess(folder / "pgbouncer.log")

    def start(self) -> None:
        user = "postgres" if os.geteuid() == 0 else None
        environment = {"PATH": os.environ["PATH"]}
        self.process.start(["/usr/sbin/pgbouncer", self._file], folder=Path("/"), environment=environment, user=user)
        wait_until(lambda: accepts_connections(self.port), "PgBouncer accepts connections")


@pytest.fixture
def pgbouncer(stack: Stack, tmp_path: Path) -> Iterator[PgBouncer]:
    bouncer = PgBouncer(stack.postgres, tmp_path)
    bouncer.start()
    yield bouncer
    bouncer.process.end()


def test_a_pooler_that_lends_connections_for_a_transaction_will_do(
    stack: Stack, pgbouncer: PgBouncer, own_stack: OwnStack, new_event: NewEvent
) -> None:
    there = stack.postgres.create_database("pooled")
    through = there.replace(f":{stack.postgres.port}/", f":{pgbouncer.port}/") + "?DISABLE_SERVER_SIDE_CURSORS=true"
    pooled = own_stack(VX11_DATABASE_URL=through)
    assert_carries_events(pooled, new_event)
    pooled.a.manage("prune_events", "--keep-rows", "5")
    with psycopg.connect(there) as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = 'pooled'").fetchone()
    assert row
    assert row[0] <= 5 + 1


async def test_a_server_holds_no_more_connections_than_is_documented(own_stack: OwnStack, new_event: NewEvent) -> None:
    stack = own_stack()
    name = url_of(stack).rpartition("/")[2]
    maximum = 0
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(http: httpx2.AsyncClient, number: int) -> int:
        server = stack.servers[number % len(stack.servers)]
        headers = {"X-VX11-Token": stack.service_token if number % 4 == 1 else stack.principal_token}
        asked = [
            ("GET", f"{API}/events?limit=50", None),
            ("POST", f"{API}/events", new_event()),
            ("POST", f"{API}/events/sse-token", {}),
            ("GET", "/operator/login", None),
        ]
        method, path, body = asked[number % 4]
        async with turns:
            return (await http.request(method, server.url + path, headers=headers, json=body, timeout=30)).status_code

    async with httpx2.AsyncClient(**LOOPBACK) as http:
        asking = asyncio.gather(*[ask(http, number) for number in range(REQUESTS)])
        while not asking.done():
            held = await asyncio.to_thread(stack.postgres.ask, HELD, name)
            maximum = max(maximum, held[0][0])
        statuses = await asking
    assert max(statuses) < 500
    assert 0 < maximum <= CONNECTIONS * len(stack.servers)
