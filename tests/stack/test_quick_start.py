"""docs/quick-start.md: its commands, one after the other in one shell, do what the page says."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.client import Client
from tests.forked_python import forked_python
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.once

PAGE = (ROOT / "docs/quick-start.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
# The first is run by tests/stack/test_readme.py, as the README has it too.
START, *COMMANDS = BLOCKS


def test_the_first_command_is_that_of_the_readme() -> None:
    assert START == "make run\n"
    assert re.search(r"^make run\b", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_commands_publish_feed_and_ask(stack: Stack, principal: Client, tmp_path: Path, marker: str) -> None:
    log = tmp_path / "dpkg.log"
    log.write_text(f"2026-01-04 01:34:28 status installed {marker}\n")
    # Between two steps a person waits for the log to be there.
    ready = tmp_path / "ready"
    wait = f"until [ -e {ready} ]; do sleep 0.1; done\n"
    commands = [wait + text if "tail_events" in text else text for text in COMMANDS]
    shell = "\n".join(["set -e", *commands, "kill %1"])
    for here, there in {
        "vx11s_...": stack.service_token,
        "vx11p_...": stack.principal_token,
        "http://127.0.0.1:8000": stack.a.url,
        "/var/log/dpkg.log": str(log),
        ".venv/bin/python": "python",
    }.items():
        assert here in shell
        shell = shell.replace(here, there)
    environment = {**os.environ, **stack.a.environment, "VX11_URL": stack.a.url}
    environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    cursor = principal.cursor()
    with (
        forked_python(tmp_path / "python"),
        subprocess.Popen(
            ["bash", "-c", shell], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        wait_until(
            lambda: any(marker in event["summary"] for event in principal.polled(since=cursor, limit=500)["events"]),
            "the line is in the log",
            timeout_seconds=30,
        )
        ready.touch()
        printed, complaints = process.communicate(timeout=50)
    stack.credentials.update(re.findall(r"token=([0-9a-f-]{36})", printed))
    assert process.returncode == 0, complaints
    published, found = (
        json.JSONDecoder().raw_decode(printed, printed.index(f'{{"{first}":'))[0] for first in ("event_id", "events")
    )
    assert found["events"][-1]["event_id"] == published["event_id"]
    assert found["events"][-1]["payload"] == {"path": "/var", "used_percent": 91}
    assert f"status installed {marker}" in printed
    assert "FAILED" not in printed
    assert re.search(r"^OK ", printed, re.MULTILINE)
