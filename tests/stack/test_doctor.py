"""manage.py doctor in a real installation: well, ill, cut off; within its time, and without showing a secret."""

import json
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.processes import free_port
from tests.servers import ROOT, RunningServer
from tests.stacks import Stack
from tests.stores import PrivateRedis
from vx11_site.doctor.areas import AREAS

WHOLE_LIMIT_SECONDS = 15
EVERY_AREA = {area.name for area in AREAS}
# As createdb does it where LANG is not set.
MADE_WITHOUT_A_LOCALE = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
PASSWORD = "hunter-2-and-more"


def diagnosis(server: RunningServer, *, exit_code: int) -> dict[str, set[str]]:
    """The levels in each area."""
    done = server.run_manage("doctor", "--json")
    assert (done.returncode, done.stderr) == (exit_code, "")
    assert PASSWORD not in done.stdout
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["ok"] is (exit_code == 0)
    found: dict[str, set[str]] = {}
    for finding in report["findings"]:
        found.setdefault(finding["area"], set()).add(finding["level"])
        assert finding["level"] == "OK" or finding["repair"]
    return found


def failed(found: dict[str, set[str]]) -> set[str]:
    return {area for area, levels in found.items() if "FAIL" in levels}


def test_a_running_installation_has_no_failure_in_any_area(stack: Stack) -> None:
    found = diagnosis(stack.a, exit_code=0)
    assert set(found) == EVERY_AREA
    assert failed(found) == set()


def test_a_database_that_is_not_utf_8_is_named(stack: Stack, tmp_path: Path) -> None:
    if stack.size == "embedded":
        pytest.skip("SQLite has no other")
    name = f"ascii_{secrets.token_hex(4)}"
    with psycopg.connect(stack.postgres.url(), autocommit=True) as owner:
        owner.execute(sql.SQL(MADE_WITHOUT_A_LOCALE).format(sql.Identifier(name)))
    server = RunningServer(tmp_path, {**stack.a.environment, "VX11_DATABASE_URL": stack.postgres.url(name)})
    server.manage("migrate", "--no-input")
    done = server.run_manage("doctor")
    assert done.returncode == 1
    assert "its encoding is SQL_ASCII" in done.stdout


def test_a_person_sees_aligned_lines_without_colours_in_a_file(stack: Stack) -> None:
    lines = stack.a.manage("doctor").splitlines()
    column = min(line.index(line.split()[1]) for line in lines if line.startswith("OK "))
    assert column == 6
    assert all(re.match(r"(OK  |WARN|FAIL)  [a-z]+ +\S|      +-> \S", line) for line in lines[:-2]), lines
    assert re.fullmatch(r"\d+ OK, \d+ WARN, 0 FAIL", lines[-1])
    assert "\x1b" not in "".join(lines)


def test_nothing_that_is_secret_is_shown(stack: Stack) -> None:
    shown = stack.a.manage("doctor") + stack.a.manage("doctor", "--json")
    hidden = {
        stack.principal_token,
        stack.service_token,
        stack.a.environment.get("VX11_SECRET_KEY", stack.service_token),
    }
    assert [secret for secret in hidden if secret in shown] == []


@pytest.fixture
def silence() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def installation(folder: Path, **environment: str) -> RunningServer:
    server = RunningServer(folder, {})
    server.manage("migrate", "--no-input")
    server.environment |= environment
    return server


def test_a_redis_that_is_away_or_hangs_is_named_in_time(tmp_path: Path, silence: int) -> None:
    for number, port in enumerate([free_port(), silence]):
        url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        server = installation(tmp_path / str(number), VX11_REDIS_URL=url)
        started = time.monotonic()
        found = diagnosis(server, exit_code=1)
        assert time.monotonic() - started < WHOLE_LIMIT_SECONDS
        assert set(found) == EVERY_AREA
        assert failed(found) == {"redis", "tickets", "messages", "clock"}


def test_a_database_that_is_away_or_hangs_is_named_in_time(tmp_path: Path, silence: int) -> None:
    for number, port in enumerate([free_port(), silence]):
        url = f"postgres://vx11:{PASSWORD}@127.0.0.1:{port}/vx11"
        server = RunningServer(tmp_path / str(number), {"VX11_DATABASE_URL": url})
        started = time.monotonic()
        found = diagnosis(server, exit_code=1)
        assert time.monotonic() - started < WHOLE_LIMIT_SECONDS
        assert set(found) == EVERY_AREA
        assert failed(found) == {"database", "tokens", "clock", "log", "index", "chores"}


def test_a_redis_that_may_forget_tickets_is_a_failure(tmp_path: Path) -> None:
    with PrivateRedis() as redis:
        server = installation(tmp_path, VX11_REDIS_URL=redis.url)
        redis.ask("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
        assert failed(diagnosis(server, exit_code=1)) == {"redis"}
        redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert failed(diagnosis(server, exit_code=0)) == set()


def test_a_database_that_was_never_made_or_is_old_is_a_failure_that_names_migrate(tmp_path: Path) -> None:
    server = RunningServer(tmp_path, {})
    assert "-> manage.py migrate" in server.run_manage("doctor").stdout
    assert not (tmp_path / "data" / "operator.sqlite3").exists()
    server.manage("migrate", "gateway", "0001")
    assert "database" in failed(diagnosis(server, exit_code=1))
    assert re.search(r"FAIL  database +\d+ migrations are missing", server.run_manage("doctor").stdout)


def test_settings_that_the_checks_refuse_do_not_keep_the_doctor_from_speaking(tmp_path: Path) -> None:
    server = installation(tmp_path, VX11_PRINCIPAL_TOKEN="tiny-secret", VX11_LOG_LEVLE="INFO")
    found = diagnosis(server, exit_code=1)
    assert failed(found) == {"configuration"}
    assert found["environment"] == {"WARN"}
    assert "tiny-secret" not in server.run_manage("doctor").stdout


def in_shape(line: str) -> str:
    """A line without what differs from one machine and moment to the next."""
    line = re.sub(r"(?<!\w)/[^\s:]+", "PATH", line)
    line = re.sub(r"epoch \w+", "epoch E", line)
    return re.sub(r"\d[\d.:-]*", "N", line).rstrip()


def test_the_example_in_the_documents_is_what_a_new_installation_says(tmp_path: Path) -> None:
    document = (ROOT / "docs/operations.md").read_text()
    example = re.findall(r"```\n((?:OK|WARN|FAIL)  .*?)```", document, re.DOTALL)
    assert len(example) == 1
    server = installation(tmp_path)
    (tmp_path / "data").chmod(0o755)
    shown = server.manage("doctor")
    assert [in_shape(line) for line in example[0].splitlines()] == [in_shape(line) for line in shown.splitlines()]
