"""A first start that cannot be: one sentence that says what to do, no traceback, and nothing there is changed."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installed import plain_environment
from tests.servers import ROOT

pytestmark = pytest.mark.once


def run(data: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "run", "--port", "0", *options],
        cwd=ROOT,
        env=plain_environment(VX11_DATA_DIR=str(data), **variables),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr
    for part in parts:
        assert part in done.stderr
    assert "vx11p_" not in done.stdout, "no token was made"


def database(data: Path, *statements: str) -> Path:
    data.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(data / "operator.sqlite3")) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()
    return data / "operator.sqlite3"


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert_refused(run(tmp_path / "file"), "VX11_DATA_DIR", "write to")
    assert_refused(run(tmp_path / "file" / "below"), "VX11_DATA_DIR", "write to")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("content", [b"not a database " * 1000, b"SQLite format 3\0" + os.urandom(8192)])
def test_a_database_that_is_damaged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "operator.sqlite3"
    file.write_bytes(content)
    assert_refused(run(tmp_path), str(file), "restore", "begin anew")
    assert file.read_bytes() == content


def test_a_database_of_another_program(tmp_path: Path) -> None:
    file = database(tmp_path, "CREATE TABLE auth_user (id)", "CREATE TABLE other (id)")
    assert_refused(run(tmp_path), "another program", "auth_user", "VX11_DATA_DIR")
    with contextlib.closing(sqlite3.connect(file)) as opened:
        assert {name for (name,) in opened.execute("SELECT name FROM sqlite_master")} == {"auth_user", "other"}


def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    environment = plain_environment(VX11_DATA_DIR=str(tmp_path))
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    database(
        tmp_path, "INSERT INTO django_migrations (app, name, applied) VALUES ('events', '0099_later', '2030-01-01')"
    )
    assert_refused(run(tmp_path), "newer version", "events.0099_later")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_an_address_that_is_taken_or_is_none(tmp_path: Path, taken_port: int) -> None:
    assert_refused(run(tmp_path / "data", "--port", str(taken_port)), f"Port {taken_port}", "PORT")
    assert_refused(run(tmp_path / "data", "--host", "no.such.host.invalid"), "no.such.host.invalid", "127.0.0.1")
    done = run(tmp_path / "data", "--port", "80000")
    assert done.returncode != 0
    assert "a port is a number up to 65535" in done.stderr


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 60])
def test_a_secret_key_that_was_cut_off_signs_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret_key").write_bytes(content)
    assert_refused(run(tmp_path), "secret_key")


@pytest.fixture
def read_only_checkout() -> Iterator[Path]:
    """What `make run` needs first. Not in tmp_path, which other users cannot enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / ".ci", folder / ".ci")
        for file in ("Makefile", "requirements.lock"):
            shutil.copy(ROOT / file, folder)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_checkout_that_is_read_only(read_only_checkout: Path) -> None:
    done = subprocess.run(
        ["make", "run"],
        cwd=read_only_checkout,
        env=plain_environment(),
        # root may write everywhere.
        user=65534 if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode != 0
    assert "Errno" not in done.stdout + done.stderr
    sentence, advice, *_ = done.stderr.splitlines()
    assert str(read_only_checkout) in sentence
    assert "VENV=" in advice
    assert "VX11_DATA_DIR=" in advice
