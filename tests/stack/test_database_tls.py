"""PostgreSQL that wants TLS, a certificate and a password: everything of ours reaches it like that, or not at all."""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.answers import assert_problem
from tests.client import Client, Event
from tests.secured import PASSWORD, TlsPostgres, documented
from tests.servers import RunningServer
from tests.stack.test_postgresql import assert_carries_events, run_documented
from tests.stacks import Size, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

NewEvent = Callable[..., Event]
# Whether each connection of ours is encrypted, and whose certificate it showed.
CONNECTIONS = """
    SELECT DISTINCT ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE application_name = 'vx11-operator'
"""
# Servers look at rights, log and chores each second or so.
NOTICED_SECONDS = 30


@pytest.fixture(scope="module")
def postgres(stack_size: Size) -> Iterator[TlsPostgres]:
    if stack_size != "scaled":
        pytest.skip("an embedded installation has no PostgreSQL, and a split one reaches it as a scaled one does")
    with TlsPostgres() as server:
        yield server


def documented_url(postgres: TlsPostgres, database: str) -> str:
    place = postgres.url(database).partition("?")[0]
    options = documented(r"^VX11_DATABASE_URL=postgres://\S+(\?\S+&sslcert=\S+)$")
    for name in ("ca.crt", "client.crt", "client.key"):
        options = options.replace(f"/etc/vx11-operator/db-{name}", str(postgres.folder / name))
    return place + options


def installation(folder: Path, url: str) -> RunningServer:
    return RunningServer(folder, {"VX11_DATABASE_URL": url, "VX11_PRINCIPAL_TOKEN": secrets.token_hex(16)})


def database_findings(server: RunningServer) -> list[dict[str, str]]:
    said = server.run_manage("doctor", "--json").stdout
    assert PASSWORD not in said
    return [finding for finding in json.loads(said)["findings"] if finding["area"] == "database"]


def test_as_documented_every_connection_is_encrypted_and_shows_the_certificate(
    postgres: TlsPostgres, tmp_path: Path, new_event: NewEvent
) -> None:
    postgres.create_database("whole")
    url = documented_url(postgres, "whole")
    with Stack("scaled", tmp_path / "stack", postgres=postgres, environment={"VX11_DATABASE_URL": url}) as stack:
        assert_carries_events(stack, new_event)
        assert postgres.ask(CONNECTIONS) == [(True, "/CN=vx11")]
        first = database_findings(stack.a)[0]
        assert (first["level"], first["found"].endswith("/whole, over TLS")) == ("OK", True)

        run_documented(stack, "Backup of PostgreSQL", tmp_path)
        for server in stack.servers:
            server.stop()
        run_documented(stack, "Restore of PostgreSQL", tmp_path)
        for server in stack.servers:
            server.start()
        assert_carries_events(stack, new_event)
        stack.assert_clean_logs()


def test_tools_of_postgresql_show_no_password_and_take_one_from_a_file(postgres: TlsPostgres, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(postgres.url() + "&DISABLE_SERVER_SIDE_CURSORS=true")
    server = RunningServer(tmp_path / "a", {"VX11_DATABASE_URL_FILE": str(file)})
    encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    shown = "\\! tr '\\0' ' ' </proc/$PPID/cmdline; tr '\\0' '\\n' </proc/$PPID/environ"
    limit = "show statement_timeout"
    said = server.manage("postgresql", "psql", "-At", "-c", encrypted, "-c", limit, "-c", shown)
    assert said.startswith("t\n0\n")
    assert "psql --dbname=service=vx11 -At" in said
    assert PASSWORD not in said
    assert "tell-nobody" not in said


def test_tools_are_given_the_arguments_and_end_as_they_end(postgres: TlsPostgres, tmp_path: Path) -> None:
    server = installation(tmp_path, postgres.url())
    assert "CREATE DATABASE" in server.manage("postgresql", "pg_dump", "--create", "--schema-only")
    assert server.run_manage("postgresql", "pg_isready", "--port=1").returncode == 2
    assert "invalid choice" in server.run_manage("postgresql", "sh").stderr
    embedded = RunningServer(tmp_path / "embedded", {})
    assert "manage.py backup" in embedded.run_manage("postgresql", "pg_dump").stderr


def refused_urls(postgres: TlsPostgres) -> dict[str, tuple[str, str]]:
    """URLs that are wrong in one way, each with what the way out must name."""
    folder = postgres.folder
    readable = folder / "readable.key"
    readable.write_bytes((folder / "client.key").read_bytes())
    readable.chmod(0o644)
    strangers = {"sslcert": f"{folder}/stranger.crt", "sslkey": f"{folder}/stranger.key"}
    return {
        "no certificate": (postgres.url(sslcert=None, sslkey=None), "sslcert"),
        "a certificate of another authority": (postgres.url(**strangers), "sslcert"),
        "a key that everybody can read": (postgres.url(sslkey=str(readable)), "chmod 600"),
        "another authority": (postgres.url(sslrootcert=f"{folder}/other.crt"), "sslrootcert"),
        "another name": (
            postgres.url(host="db.example.org", hostaddr="127.0.0.1"),
            "a name in PostgreSQL's certificate",
        ),
        "another user": (postgres.url().replace("//vx11:", "//other:"), "common name"),
        "no TLS": (postgres.url(sslmode="disable", sslrootcert=None, sslcert=None, sslkey=None), "sslmode=verify-full"),
    }


CASES = (
    "no certificate",
    "a certificate of another authority",
    "a key that everybody can read",
    "another authority",
    "another name",
    "another user",
    "no TLS",
)


@pytest.mark.parametrize("case", CASES)
def test_a_server_does_not_start_and_says_what_is_wrong(postgres: TlsPostgres, tmp_path: Path, case: str) -> None:
    url, way_out = refused_urls(postgres)[case]
    server = installation(tmp_path, url)
    done = server.run_manage("serve", "--port", str(server.port))
    assert done.returncode == 1
    assert way_out in done.stderr
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    [found] = database_findings(server)
    assert found["level"] == "FAIL"
    assert way_out in found["repair"]


def test_a_server_without_tls_is_never_spoken_to_in_the_clear(
    postgres: TlsPostgres, stack: Stack, tmp_path: Path
) -> None:
    url = postgres.url().replace(f":{postgres.port}/", f":{stack.postgres.port}/")
    done = installation(tmp_path, url).run_manage("migrate", "--no-input")
    assert done.returncode == 1
    assert "In the clear it is not asked" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_running_server_is_503_while_the_certificate_is_wrong_and_well_when_it_is_right_again(
    postgres: TlsPostgres, tmp_path: Path
) -> None:
    server = installation(tmp_path, postgres.create_database("changing"))
    server.manage("migrate", "--no-input")
    server.start()
    token = server.environment["VX11_PRINCIPAL_TOKEN"]
    client = Client(server.url, token=token, credentials={token})
    try:
        client.ticket()
        postgres.show_certificate("stranger")
        postgres.break_connections()
        wait_until(lambda: client.issue_ticket().status_code == 503, "tickets are 503", timeout_seconds=NOTICED_SECONDS)
        assert_problem(client.get("/operator/api/events"), 503, "dependency_unavailable")
        assert client.get("/ready").status_code == 503
        assert "sslrootcert" in database_findings(server)[0]["repair"]
        assert postgres.ask(CONNECTIONS) == []
    finally:
        postgres.show_certificate("server")
    wait_until(lambda: client.issue_ticket().status_code == 200, "tickets again", timeout_seconds=NOTICED_SECONDS)
    assert server.stop() == 0
