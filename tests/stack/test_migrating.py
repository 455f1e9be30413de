"""manage.py migrate on a database that others use at the same time."""

import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.processes import OwnProcess
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.waiting import wait_until

SLEEPS = "from django.db import connection; connection.cursor().execute('SELECT pg_sleep(1)')"
BEFORE = "0001"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def server(stack: Stack, tmp_path: Path) -> RunningServer:
    """Not started, on an empty database of its own."""
    if stack.size == "embedded":
        pytest.skip("of SQLite there is one user at a time")
    own = {"VX11_DATABASE_URL": stack.postgres.create_database(f"new_{secrets.token_hex(4)}")}
    return RunningServer(tmp_path, {**stack.a.environment, **own, "VX11_DATA_DIR": str(tmp_path / "data")})


def database(server: RunningServer) -> psycopg.Connection:
    return psycopg.connect(server.environment["VX11_DATABASE_URL"])


def begun(server: RunningServer, folder: Path) -> OwnProcess:
    """manage.py migrate, which goes on meanwhile."""
    process = OwnProcess(folder / "migrate.log")
    command = [sys.executable, "manage.py", "migrate", "--no-input"]
    process.start(command, folder=server.checkout, environment=server.environment)
    return process


def test_several_that_migrate_at_once_all_find_it_done(server: RunningServer) -> None:
    with ThreadPoolExecutor(4) as people:
        done = list(people.map(lambda _: server.run_manage("migrate", "--no-input"), range(4)))
    assert [one.returncode for one in done] == [0] * 4, [one.stdout + one.stderr for one in done]
    assert any("Another process migrates this database; waiting." in one.stderr for one in done)
    assert "[ ]" not in server.manage("showmigrations")


def test_a_table_that_is_in_use_is_waited_for_and_then_again(server: RunningServer, tmp_path: Path) -> None:
    server.manage("migrate", "--no-input")
    server.manage("migrate", "--no-input", "events", BEFORE)
    with database(server) as reader:
        reader.execute("SELECT count(*) FROM events_event").fetchone()
        process = begun(server, tmp_path)
        wait_until(lambda: "A table is in use. 4 more tries." in process.log(), "a try is given up", timeout_seconds=30)
    assert wait_until(lambda: not process.running, "it has ended", timeout_seconds=30)
    assert process.exit_code == 0, process.log()
    assert "[ ]" not in server.manage("showmigrations")


def test_the_limit_on_the_time_of_a_statement_is_not_for_migrations(server: RunningServer) -> None:
    # Nothing that makes a table is done within that.
    server.environment["VX11_DATABASE_URL"] += "?options=-c%20statement_timeout%3D1"
    server.manage("migrate", "--no-input")
    assert "statement timeout" in server.run_manage("shell", "-c", SLEEPS).stderr


@pytest.mark.once
def test_on_sqlite_several_that_migrate_at_once_take_turns(tmp_path: Path) -> None:
    server = RunningServer(tmp_path, {})
    with ThreadPoolExecutor(4) as people:
        done = list(people.map(lambda _: server.run_manage("migrate", "--no-input"), range(4)))
    assert [one.returncode for one in done] == [0] * 4, [one.stdout + one.stderr for one in done]
    assert any("Another process migrates this database; waiting." in one.stderr for one in done)
    assert "[ ]" not in server.manage("showmigrations")
