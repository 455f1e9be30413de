"""manage.py restore when something is in its way: a server that starts, a crash in the middle, root's rights."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.client import Event
from tests.conftest import OwnStack
from tests.servers import ROOT
from tests.stacks import Stack
from vx11_site.config import single_process

NewEvent = Callable[..., Event]

# Dies as a process does that is killed: where the new file is about to take the place of the old one.
DIES = """
import os, pathlib
from django.core.management import call_command
def die(path, target):
    if path.name.endswith(".restored"):
        os._exit(9)
    return os.replace(path, target)
pathlib.Path.replace = die
call_command("restore", {backup!r})
"""
NOBODY = 65534


@pytest.fixture
def stopped(stack_size: str, own_stack: OwnStack, new_event: NewEvent, tmp_path: Path) -> Stack:
    """An installation that holds two events and is stopped; the backup holds the first."""
    if stack_size != "embedded":
        pytest.skip("PostgreSQL has tools of its own: see test_postgresql.py")
    stack = own_stack()
    service = stack.client(stack.service_token)
    service.published(new_event(summary="kept"))
    stack.a.manage("backup", str(backup_in(tmp_path)))
    service.published(new_event(summary="lost"))
    stack.a.stop()
    return stack


def backup_in(folder: Path) -> Path:
    return folder / "backup.sqlite3"


def database_of(stack: Stack) -> Path:
    return Path(stack.a.environment["VX11_DATA_DIR"]) / "operator.sqlite3"


def summaries(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [summary for (summary,) in database.execute("SELECT summary FROM events_event ORDER BY seq")]


def test_while_somebody_claims_to_serve_nothing_is_restored(stopped: Stack, tmp_path: Path) -> None:
    """Also one that has no connection to the database at that moment."""
    database = database_of(stopped)
    with single_process.without_a_server(database.parent):
        done = stopped.a.run_manage("restore", str(backup_in(tmp_path)))
    assert done.returncode != 0
    assert "Stop it first" in done.stderr
    assert summaries(database) == ["kept", "lost"]


def test_while_it_restores_no_server_starts(stopped: Stack) -> None:
    with single_process.without_a_server(database_of(stopped).parent):
        words = [sys.executable, "manage.py", "serve", "--port", str(stopped.a.port)]
        done = subprocess.run(
            words, check=False, cwd=ROOT, env=stopped.a.environment, capture_output=True, text=True, timeout=60
        )
    assert done.returncode != 0
    assert "Another process is serving this database" in done.stderr


def test_a_restore_that_dies_in_the_middle_leaves_the_old_database_and_can_be_repeated(
    stopped: Stack, tmp_path: Path
) -> None:
    database, backup = database_of(stopped), backup_in(tmp_path)
    died = stopped.a.run_manage("shell", "--no-imports", "-c", DIES.format(backup=str(backup)))
    assert died.returncode == 9, died.stderr
    assert summaries(database) == ["kept", "lost"]
    stopped.a.manage("restore", str(backup))
    assert summaries(database) == ["kept"]
    assert not list(database.parent.glob("*.restored*"))
    stopped.a.start()
    assert [event["summary"] for event in stopped.client(stopped.principal_token).polled()["events"]] == ["kept"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("there", [True, False], ids=["in its place", "where there is none"])
def test_what_root_restores_belongs_to_whoever_the_installation_belongs_to(
    stopped: Stack, tmp_path: Path, *, there: bool
) -> None:
    database = database_of(stopped)
    for path in (database.parent, *database.parent.iterdir()):
        shutil.chown(path, NOBODY, NOBODY)
    (database.parent / single_process.LOCK_FILE).unlink()
    if not there:
        database.unlink()
    stopped.a.manage("restore", str(backup_in(tmp_path)))
    owners = {path.name: path.stat().st_uid for path in database.parent.iterdir() if path.is_file()}
    assert owners[database.name] == owners[single_process.LOCK_FILE] == NOBODY, owners
