"""docs/feeding.md: each of its commands does what the page says, as it stands there."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client import Client
from tests.conftest import OwnStack
from tests.forked_python import forked_python
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.once

PAGE = (ROOT / "docs" / "feeding.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
JOURNAL = ROOT / "tests" / "data" / "journal.ndjson"
# What the page's programs say here, where there is no journal and no such service.
PROGRAMS = {
    # As a pipe and as a child: without the first question for the newest entry. Each time it is another journal, as an
    # entry is one event, however often it is sent.
    "journalctl": f"""case "$*" in
        *--lines=1*) ;;
        "-f -o json --all"|*--all*--follow*) sed s/s=/s=$$/ {JOURNAL};;
        "-o export") printf '__CURSOR=s=%032x;i=1\\nPRIORITY=4\\nMESSAGE=from afar\\n\\n' $$;;
    esac""",
    "my-service": """echo '{"level": "warn", "msg": "slow"}' >&2; echo started""",
}
NGINX_LINE = "2026/01/04 01:34:28 [error] 12#12: *1 upstream timed out\n"

Stored = Callable[[str], list[tuple[str, str]]]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the commands run: a checkout, as far as they see, with the programs and files that they name."""
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "error.log").write_text("from before\n")
    with forked_python(programs / "python"):
        yield tmp_path


@contextmanager
def running(words: str, folder: Path, stack: Stack, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """The page's command that holds `words`, in a shell of its own. What it still runs at the end is ended."""
    (command,) = (command for command in COMMANDS if words in command)
    here = command.replace(".venv/bin/python", "python").replace("/var/log/nginx/error.log", "error.log")
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with (
        (folder / "stderr").open("ab") as said,
        subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", here],
            cwd=folder,
            env=stack.a.environment | {"VX11_URL": stack.a.url, "PATH": path} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        ) as shell,
    ):
        try:
            yield shell
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGTERM)


def run(words: str, folder: Path, stack: Stack, **environment: str) -> str:
    """What the command prints until it ends well."""
    with running(words, folder, stack, **environment) as shell:
        printed = shell.communicate(timeout=40)[0]
    assert shell.returncode == 0, (folder / "stderr").read_text()
    return str(printed)


@pytest.fixture
def stored(principal: Client) -> Stored:
    """Severity and summary of what a module has in the log since the test began."""
    cursor = principal.cursor()

    def read(module: str) -> list[tuple[str, str]]:
        events = principal.polled(since=cursor, module=module, limit=500)["events"]
        return [(event["severity"], event["summary"]) for event in events]

    return read


def test_the_page_has_commands_for_all_of_these_tests() -> None:
    words = [
        "--journal",
        "journalctl -f",
        "-o export",
        "audit.csv",
        "otel-logs",
        "log --follow",
        "tail -F",
        "my-service",
        "events.ndjson",
        "--last 20",
        "critical",
        "grep",
        "OTHER",
    ]
    assert [sum(word in command for command in COMMANDS) for word in words] == [1] * len(COMMANDS)


@pytest.mark.parametrize("words", ["--journal", "journalctl -f"])
def test_the_journal(folder: Path, stack: Stack, stored: Stored, words: str) -> None:
    run(words, folder, stack)
    assert [severity for severity, _ in stored("host")] == ["info", "warn", "error", "critical"]


@pytest.mark.parametrize("words", ["log --follow", "tail -F"])
def test_a_file_that_is_rotated(folder: Path, stack: Stack, stored: Stored, words: str) -> None:
    log = folder / "error.log"
    said = folder / "stderr"
    with running(words, folder, stack):
        # `tail` shows the end of the file first, `--follow` what is added once it has begun.
        def follows() -> bool:
            with log.open("a") as file:
                file.write("[warn] is it followed yet?\n")
            return ("warn", "[warn] is it followed yet?") in stored("nginx")

        wait_until(follows, f"the file is followed: {said.read_text()}", timeout_seconds=20)
        log.rename(folder / "error.log.1")
        log.write_text(NGINX_LINE)
        wait_until(
            lambda: ("error", NGINX_LINE.strip()) in stored("nginx"), "the new file is followed", timeout_seconds=20
        )


def test_a_service_that_writes_json_lines(folder: Path, stack: Stack, stored: Stored) -> None:
    run("my-service", folder, stack)
    assert stored("my_service") == [("warn", "slow"), ("info", "started")]


def test_a_file_once(folder: Path, stack: Stack, stored: Stored) -> None:
    (folder / "events.ndjson").write_text('{"event_type": "drift", "summary": "moved"}\n')
    run("events.ndjson", folder, stack)
    assert stored("import") == [("info", "moved")]


def test_a_table_and_a_batch_and_a_journal_as_files(folder: Path, stack: Stack, stored: Stored) -> None:
    (folder / "audit.csv").write_text('time,level,message\n2026-01-04T01:34:28Z,error,"no lid, no kettle"\n')
    run("audit.csv", folder, stack)
    record = '{"severityText": "WARN", "body": {"stringValue": "low water"}}'
    (folder / "otel-logs.json").write_text(f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}\n')
    run("otel-logs", folder, stack)
    assert stored("import") == [("error", "no lid, no kettle"), ("warn", "low water")]
    run("-o export", folder, stack)
    assert stored("host") == [("warn", "from afar")]


def test_watching(folder: Path, stack: Stack, service: Client, marker: str) -> None:
    service.published({"event_type": "a", "summary": f"from {marker}", "module": "nginx"})
    assert f"from {marker}" in run("--last 20", folder, stack)

    said = folder / "stderr"
    with running("critical", folder, stack) as shell:
        wait_until(lambda: "live from" in said.read_text(), "it is live", timeout_seconds=20)
        service.published({"event_type": "a", "summary": "quiet"})
        service.published({"event_type": "a", "summary": f"loud {marker}", "severity": "critical"})
        assert shell.stdout is not None
        assert f"loud {marker}" in shell.stdout.readline()


def test_counting_in_a_pipe(folder: Path, stack: Stack, service: Client) -> None:
    event = {"event_type": "a", "summary": "upstream gone", "module": "nginx"}
    service.published(event)
    before = int(run("grep", folder, stack))
    service.published([event] * 3)
    assert int(run("grep", folder, stack)) == before + 3


def test_what_one_server_has_another_one_takes(
    folder: Path, stack: Stack, own_stack: OwnStack, service: Client
) -> None:
    service.published([{"event_type": "a", "summary": f"number {at}", "module": "drift"} for at in range(20)])
    other = own_stack()
    (folder / "other-token").write_text(other.service_token)
    for _ in range(2):
        run("OTHER", folder, stack, OTHER_URL=other.a.url)

    ours = stack.client(stack.principal_token).polled(module="drift", limit=500)["events"]
    theirs = other.client(other.principal_token).polled(limit=500)["events"]
    fields = ("event_id", "event_type", "summary", "severity", "module", "payload", "correlation_id", "occurred_at")
    assert [[event[name] for name in fields] for event in theirs] == [
        [event[name] for name in fields] for event in ours
    ]
