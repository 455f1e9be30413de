"""manage.py smoke against running servers: it says what works, and it fails when something does not."""

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import make_self_signed
from tests.conftest import OwnStack
from tests.http_stand_in import HttpStandIn
from tests.processes import free_port, run_program
from tests.servers import ROOT
from tests.stacks import Stack

TRIALS = ["health", "ready", "refusals", "ticket", "stream", "main token", "polling", "publishing", "operating"]


def smoke(url: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command, environment = command_of_smoke([url, *words], variables)
    return run_program(command, folder=ROOT, environment=environment, stdin="", timeout_seconds=120)


def command_of_smoke(words: list[str], variables: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """With its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VX11_")}
    return [sys.executable, "manage.py", "smoke", "--url", *words], environment | dict(variables)


def tokens(stack: Stack, folder: Path) -> dict[str, str]:
    return {
        "VX11_PRINCIPAL_TOKEN": stack.principal_token,
        "VX11_SERVICE_TOKEN": stack.service_token,
        "VX11_DATA_DIR": str(folder),
    }


def levels(done: subprocess.CompletedProcess[str]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["trial"], set()).add(finding["level"])
    return found


def test_everything_works_on_a_running_server(stack: Stack, tmp_path: Path) -> None:
    for server in {stack.a.url, stack.b.url}:
        done = smoke(server, "--json", **tokens(stack, tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(levels(done)) == TRIALS
        assert all(found == {"OK"} for found in levels(done).values()), done.stdout


def test_it_ends_without_a_word_when_nobody_reads_on(stack: Stack, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command, environment = command_of_smoke([stack.a.url], tokens(stack, tmp_path))
    done = subprocess.run(
        command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_in_full_it_waits_for_heartbeats_and_for_a_ticket_to_expire(own_stack: OwnStack, tmp_path: Path) -> None:
    stack = own_stack(VX11_SSE_TOKEN_TTL_SECONDS="1")
    done = smoke(stack.a.url, "--json", "--full", **tokens(stack, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert levels(done)["expiry"] == {"OK"}
    assert "an unused ticket is 401 after its time" in done.stdout


def test_for_people_every_line_names_what_was_tried(stack: Stack, tmp_path: Path) -> None:
    done = smoke(stack.a.url, **tokens(stack, tmp_path))
    told = [line[6:].split("  ")[0] for line in done.stdout.splitlines() if line.startswith("OK")]
    assert list(dict.fromkeys(told)) == TRIALS
    assert "the same ticket a second time is 401" in done.stdout
    assert stack.principal_token not in done.stdout + done.stderr


def test_without_a_service_token_publishing_is_said_to_be_untried(stack: Stack, tmp_path: Path) -> None:
    done = smoke(stack.a.url, "--json", VX11_PRINCIPAL_TOKEN=stack.principal_token, VX11_DATA_DIR=str(tmp_path))
    assert done.returncode == 0
    assert levels(done)["publishing"] == {"WARN"}


def test_a_token_that_is_not_valid_fails_and_says_where_to_read_on(stack: Stack, tmp_path: Path) -> None:
    done = smoke(stack.a.url, **(tokens(stack, tmp_path) | {"VX11_PRINCIPAL_TOKEN": "not-a-token-of-this-server"}))
    assert done.returncode == 1
    assert "main_auth_failed" in done.stdout
    assert "docs/runbooks/stream-401-403.md" in done.stdout


def test_each_refused_credential_leads_to_the_page_about_credentials(stack: Stack, tmp_path: Path) -> None:
    wrong = "not-a-token-of-this-server"
    for variable, tried in (("VX11_PRINCIPAL_TOKEN", TRIALS[3:]), ("VX11_SERVICE_TOKEN", ["publishing"])):
        done = smoke(stack.a.url, "--json", **(tokens(stack, tmp_path) | {variable: wrong}))
        failed = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "FAIL"]
        assert [one["trial"] for one in failed] == tried
        assert {one["repair"] for one in failed} == {"docs/runbooks/stream-401-403.md#401"}
    assert "the service token: 401 main_auth_failed" in failed[0]["found"]


def test_no_server_fails_once_and_not_in_every_trial(tmp_path: Path) -> None:
    done = smoke(
        f"http://127.0.0.1:{free_port()}", VX11_PRINCIPAL_TOKEN="of-some-principal", VX11_DATA_DIR=str(tmp_path)
    )
    assert done.returncode == 1
    assert done.stdout.count("FAIL") == 1


def test_without_a_token_the_use_is_wrong(tmp_path: Path) -> None:
    done = smoke("http://127.0.0.1:1", VX11_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "VX11_PRINCIPAL_TOKEN" in done.stderr


class Lenient(BaseHTTPRequestHandler):
    """A server that lets everybody in, and knows nothing of tickets that are used up."""

    TICKET: dict[str, Any] = {"sse_token": "550e8400-e29b-41d4-a716-446655440000", "ttl_sec": 60}

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/stream"):
            self._answer('data: {"type": "connected", "cursor": "aaaa-1"}\n\n', "text/event-stream")
        elif path == "/health":
            self._answer(json.dumps({"status": "ok", "module": "tentaculo_link", "version": "0"}))
        else:
            self._answer(json.dumps({"status": "ok", "cursor": "aaaa-1", "total": 0}))

    def do_POST(self) -> None:
        self._answer(json.dumps(self.TICKET))

    def _answer(self, body: str, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def lenient() -> Iterator[str]:
    with HttpStandIn(Lenient) as server:
        yield server.address


def test_a_server_that_lets_everybody_in_fails_where_it_does(lenient: str, tmp_path: Path) -> None:
    done = smoke(lenient, "--json", VX11_PRINCIPAL_TOKEN="of-some-principal", VX11_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    found = levels(done)
    assert [name for name in TRIALS if "FAIL" in found[name]] == [
        "refusals",
        "ticket",
        "stream",
        "main token",
        "operating",
    ]
    assert "one ticket opened two streams" in done.stdout
    assert "may be kept by caches" in done.stdout


class Elsewhere(BaseHTTPRequestHandler):
    """A proxy that wants to be asked by https."""

    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"https://operator.example.org{self.path}?token=550e8400")
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_a_redirect_is_named_and_not_followed(tmp_path: Path) -> None:
    with HttpStandIn(Elsewhere) as server:
        done = smoke(server.address, VX11_PRINCIPAL_TOKEN="of-some-principal", VX11_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "301, a redirect to https://operator.example.org/health\n" in done.stdout
    assert "--url" in done.stdout


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server with a certificate that nobody else vouches for, and that certificate."""
    make_self_signed(tmp_path)
    certificate = tmp_path / "certificate.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    with HttpStandIn(Lenient, tls=context) as server:
        yield server.address, certificate


def test_a_certificate_of_ones_own_is_refused_until_it_is_named(self_signed: tuple[str, Path], tmp_path: Path) -> None:
    address, certificate = self_signed
    known = {"VX11_PRINCIPAL_TOKEN": "of-some-principal", "VX11_DATA_DIR": str(tmp_path)}
    done = smoke(address, **known)
    assert done.stdout.count("FAIL  ") == 1
    assert "-> a certificate of one's own: SSL_CERT_FILE=" in done.stdout
    done = smoke(address, SSL_CERT_FILE=str(certificate), **known)
    assert "OK    health" in done.stdout


def test_a_server_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = smoke(url, VX11_PRINCIPAL_TOKEN="of-some-principal", VX11_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "no answer in time" in done.stdout
    assert done.stdout.count("FAIL") == 1
