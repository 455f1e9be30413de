"""README.md: its commands do what it says, as they stand there."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.client import Client
from tests.forked_python import forked_python
from tests.processes import free_port
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.once

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def block(words: str) -> str:
    (found,) = (block for block in BLOCKS if words in block)
    return str(found)


def test_every_block_of_commands_has_a_test_here() -> None:
    # The last one is for a machine with a container engine; tests/deploy runs what can be run of it without.
    words = ("make run", "journalctl", "--follow", "sse-token", "deploy/make-secrets")
    assert [sum(word in text for text in BLOCKS) for word in words] == [1] * len(BLOCKS)


def test_the_flow_by_hand(stack: Stack) -> None:
    commands = block("sse-token").replace("http://127.0.0.1:8000", stack.a.url)
    tokens = {"TOKEN": stack.principal_token, "SERVICE": stack.service_token}
    done = subprocess.run(
        ["bash", "-c", commands + "\nsleep 1; kill %1"],
        env=os.environ | tokens,
        capture_output=True,
        text=True,
        timeout=40,
    )
    stack.credentials.update(re.findall(r"token=([0-9a-f-]{36})", done.stdout))
    assert '"type":"connected"' in done.stdout
    drift = re.findall(r'^data: (\{"type":"event".*"drift".*)$', done.stdout, re.MULTILINE)
    assert json.loads(drift[0])["summary"] == "node-07: nginx.conf differs from the manifest"
    assert '"total":' in done.stdout
    assert '"reason":"invalid_token"' in done.stdout


@pytest.mark.parametrize("words", ["journalctl", "--follow"])
def test_feeding_a_log(stack: Stack, principal: Client, tmp_path: Path, marker: str, words: str) -> None:
    log = tmp_path / "dpkg.log"
    log.write_text(f"2026-01-04 01:34:28 status installed {marker}\n")
    journal = tmp_path / "journalctl"
    journal.write_text(f"""#!/bin/sh\necho '{{"MESSAGE": "started {marker}", "PRIORITY": "6"}}'\n""")
    journal.chmod(0o755)
    commands = block(words).replace("vx11s_...", stack.service_token).replace("/var/log/dpkg.log", str(log))
    environment = {
        "VX11_URL": stack.a.url,
        "VX11_SERVICE_TOKEN": stack.service_token,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    cursor = principal.cursor()
    with (
        forked_python(tmp_path / "python"),
        shell(commands.replace(".venv/bin/python", "python"), stack.a.environment | environment),
    ):
        wait_until(
            lambda: any(marker in event["summary"] for event in principal.polled(since=cursor, limit=500)["events"]),
            "the line is in the log",
            timeout_seconds=20,
        )


def test_make_run_shows_credentials_once_and_serves(tmp_path: Path) -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VX11_")}
    environment |= {"VX11_DATA_DIR": str(tmp_path / "data"), "PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    said: list[str] = []
    for _ in range(2):
        output = tmp_path / f"output-{len(said)}"
        with output.open("w") as file, shell("make run", environment, output=file):
            wait_until(lambda: "serves at" in output.read_text(), "it serves", timeout_seconds=50)  # noqa: B023 - at once
            said.append(output.read_text())
            assert Client(url, token=None, credentials=set()).get("/health").json()["status"] == "ok"
    first, second = said
    token = re.findall(r"vx11p_\S+", first)[0]
    assert re.search(r"Password: +\S+", first)
    assert re.search(r"vx11s_\S+", first)
    assert token not in second
    assert "issue_token" in second


@contextmanager
def shell(commands: str, environment: dict[str, str], *, output: int | IO[str] = subprocess.DEVNULL) -> Iterator[None]:
    """Runs the commands in the checkout until the block is left; then all that they started is ended."""
    with subprocess.Popen(
        ["bash", "-c", commands],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
