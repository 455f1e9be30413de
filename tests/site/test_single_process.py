"""Without Redis a second serving process is refused, and a restart is never in the way."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import STOP_TIMEOUT_SECONDS
from tests.servers import ROOT
from tests.stores import PrivateRedis

# What serving begins with, without the server.
CLAIM = """
import django; django.setup()
from vx11_site import single_process
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
def variables(request: pytest.FixtureRequest) -> dict[str, str]:
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
