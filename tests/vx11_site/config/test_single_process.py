"""Without Redis a second serving process is refused, and a restart is never in the way."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from events.models import Node
from tests.processes import STOP_TIMEOUT_SECONDS
from tests.servers import ROOT
from tests.stacks import Size
from tests.stores import PrivateRedis
from tests.waiting import wait_until
from vx11_site.config.single_process import ADVISORY_LOCK

# What serving begins with, without the server.
CLAIM = """
import django; django.setup()
from vx11_site.config import single_process
single_process.claim(); single_process.claim()
print("claimed", flush=True)
input()
"""


class Claimant:
    """A process that claims to serve, until it is ended."""

    def __init__(self, folder: Path, **variables: str) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "vx11_site.settings",
            "VX11_DATA_DIR": str(folder),
            **variables,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLAIM],
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.claimed = self.process.stdout.readline() == "claimed\n"

    def end(self) -> str:
        """What it said on stderr."""
        self.process.kill()
        return self.process.communicate(timeout=STOP_TIMEOUT_SECONDS)[1]


@pytest.fixture
def variables(stack_size: Size) -> dict[str, str]:
    """PostgreSQL when the tests run on it."""
    names = ("VX11_DATABASE_URL", "VX11_SECRET_KEY")
    return {name: os.environ[name] for name in names if name in os.environ}


@pytest.fixture
def first(tmp_path: Path, variables: dict[str, str]) -> Iterator[Claimant]:
    claimant = Claimant(tmp_path, **variables)
    yield claimant
    said = claimant.end()
    assert claimant.claimed, said


@pytest.mark.usefixtures("first")
def test_a_second_process_is_told_what_to_do(tmp_path: Path, variables: dict[str, str]) -> None:
    second = Claimant(tmp_path, **variables)
    assert not second.claimed
    assert "VX11_REDIS_URL" in second.end()
    assert second.process.returncode == 1


def test_a_claim_dies_with_its_process_however_it_dies(
    first: Claimant, tmp_path: Path, variables: dict[str, str]
) -> None:
    first.end()
    second = Claimant(tmp_path, **variables)
    assert second.claimed
    second.end()


@pytest.mark.usefixtures("first")
def test_with_redis_there_may_be_several(tmp_path: Path, variables: dict[str, str]) -> None:
    with PrivateRedis() as redis:
        second = Claimant(tmp_path, **variables, VX11_REDIS_URL=redis.url)
        assert second.claimed
        second.end()


@pytest.fixture
def database(variables: dict[str, str]) -> Iterator[psycopg.Connection]:
    if "VX11_DATABASE_URL" not in variables:
        pytest.skip("the lock of a file is not lost while its process lives")
    with psycopg.connect(variables["VX11_DATABASE_URL"], autocommit=True) as connection:
        yield connection


HOLDERS = "FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"


def holders(database: psycopg.Connection) -> list[int]:
    return [pid for (pid,) in database.execute(f"SELECT pid {HOLDERS}", [ADVISORY_LOCK]).fetchall()]


@pytest.mark.usefixtures("first")
def test_n07_a_lock_that_was_lost_with_its_connection_is_taken_back(
    tmp_path: Path, variables: dict[str, str], database: psycopg.Connection
) -> None:
    (before,) = holders(database)
    database.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    wait_until(lambda: holders(database) not in ([], [before]), "the lock is held again")
    second = Claimant(tmp_path, **variables)
    assert not second.claimed
    assert "VX11_REDIS_URL" in second.end()


@pytest.mark.usefixtures("ledger")
def test_n07_a_process_that_starts_while_another_lives_leaves_it_time_to_take_its_lock_back(
    tmp_path: Path, variables: dict[str, str], database: psycopg.Connection
) -> None:
    Node.objects.create(name="another, whose lock was lost a moment ago")
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(Claimant, tmp_path, **variables)
        asked = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_locks%' AND pid <> pg_backend_pid()"
        wait_until(lambda: database.execute(asked).fetchone(), "it looks whether the lock is taken back")
        database.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        second = starting.result()
    assert not second.claimed
    assert "VX11_REDIS_URL" in second.end()
