"""A server of a newer release than its database is not started, and says what is missing."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests import next_release
from tests.processes import run_program
from tests.servers import ROOT, RunningServer
from tests.stacks import Stack
from vx11_site.data.pending_migrations import NAMED

OURS = ["manage.py", "serve", "--port"]
DAPHNES = ["-m", "vx11_site", "--port"]
BEFORE = "0005"
MIGRATIONS = ROOT / "gateway/migrations"

each_command = pytest.mark.parametrize("command", [OURS, DAPHNES], ids=["manage.py serve", "python -m vx11_site"])


@pytest.fixture
def server(stack: Stack, tmp_path: Path) -> RunningServer:
    """Not started, on an empty database of its own."""
    environment = dict(stack.a.environment)
    if stack.size != "embedded":
        environment["VX11_DATABASE_URL"] = stack.postgres.create_database(f"old_{secrets.token_hex(4)}")
    return RunningServer(tmp_path, environment | {"VX11_DATA_DIR": str(tmp_path / "data")})


def start(server: RunningServer, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Which is expected to end at once."""
    words = [sys.executable, *command, str(server.port)]
    return run_program(words, folder=server.checkout, environment=server.environment, stdin="", timeout_seconds=30)


@each_command
def test_on_a_database_that_lacks_a_migration_no_server_starts_and_the_migration_is_named(
    server: RunningServer, command: list[str]
) -> None:
    server.manage("migrate", "--no-input")
    server.manage("migrate", "--no-input", "gateway", BEFORE)
    done = start(server, command)
    assert done.returncode == 1
    names = sorted(f"gateway.{path.stem}" for path in MIGRATIONS.glob("0*.py") if path.stem[:4] > BEFORE)
    missing = ", ".join(names[:NAMED])
    assert "The database is not up to date, " in done.stderr
    assert f"missing: {missing}" in done.stderr
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


@each_command
def test_on_an_empty_database_no_server_starts(server: RunningServer, command: list[str]) -> None:
    done = start(server, command)
    assert done.returncode == 1
    assert "migrations are missing: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_of_the_next_release_is_served(server: RunningServer, tmp_path: Path) -> None:
    here = server.checkout
    server.checkout = next_release.make(tmp_path / "next")
    server.manage("migrate", "--no-input")
    server.checkout = here
    server.start()
    try:
        assert "migrations are up to date" in server.manage("doctor")
    finally:
        assert server.stop() == 0
