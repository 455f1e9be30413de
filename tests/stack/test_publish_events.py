"""`manage.py publish_events` against a real server: every line in the log once, in order, whatever happens."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from tests.client import Client
from tests.processes import free_port
from tests.servers import ROOT
from tests.stack.module_log import stored, summaries
from tests.stack.running_command import RunningCommand
from tests.stacks import Stack
from tests.waiting import wait_until

# A client: it reaches the server by HTTP alone, which an import contract holds it to.
pytestmark = pytest.mark.once

JOURNAL = ROOT / "tests" / "data" / "journal.ndjson"
Start = Callable[..., RunningCommand]


@pytest.fixture
def module(marker: str) -> str:
    """A module of this test alone: its events are found by it."""
    return marker


@pytest.fixture
def start(tmp_path: Path, module: str) -> Iterator[Start]:
    """Starts `publish_events` for a stack: `start(stack, "--follow")`."""
    running: list[RunningCommand] = []

    def start_command(stack: Stack, *arguments: str, url: str = "") -> RunningCommand:
        words = ("publish_events", "--url", url or stack.a.url, "--module", module, *arguments)
        running.append(RunningCommand(tmp_path, stack.a.environment, *words))
        return running[-1]

    yield start_command
    for command in running:
        command.__exit__(None, None, None)


def run(stack: Stack, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return stack.a.run_manage("publish_events", "--url", stack.a.url, *arguments, stdin=stdin)


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_lines_of_standard_input_are_in_the_log_once_and_in_order(stack: Stack, principal: Client, module: str) -> None:
    lines = [f"line {number}" for number in range(1234)]
    done = run(stack, "--module", module, stdin="\n".join(lines))

    assert (done.returncode, done.stdout) == (0, "")
    assert "1234 events sent" in done.stderr.splitlines()[-1]
    assert summaries(principal, module) == lines


def test_the_journal_s_json_becomes_events_with_its_severity_and_time(
    stack: Stack, principal: Client, module: str
) -> None:
    # A journal of this test alone: an entry is one event, however often and for whichever module it is sent.
    journal = JOURNAL.read_text().replace("s=5c1f0c8a", f"s={module}")
    done = run(stack, "--module", module, stdin=journal)

    assert done.returncode == 0
    events = stored(principal, module)
    assert [(event["severity"], event["summary"]) for event in events] == [
        ("info", "Started nginx.service - A high performance web server."),
        ("warn", "nf_conntrack: table full, dropping packet"),
        ("error", "fatal: user \ufffd\ufffd gone"),
        ("critical", "Device: /dev/sda [SAT], 8 Currently unreadable (pending) sectors"),
    ]
    assert events[0]["occurred_at"] == "2026-01-04T01:34:28.123456Z"
    assert [event["payload"] for event in events] == [orjson.loads(line) for line in journal.splitlines()]


def test_whatever_bytes_a_log_holds_no_line_is_refused(
    stack: Stack, principal: Client, module: str, tmp_path: Path
) -> None:
    lines = [
        b"\xff\xfe\x00bytes\x80",
        b"\x1b[31mred\x1b[0m \x07 \x9b",
        b"x" * 3_000_000,
        orjson.dumps({"msg": "big", "blob": '"' * 300_000}),
        orjson.dumps({"msg": "nul", "\0": "\0"}),
        b'{"msg": "surrogate \\ud800"}',
        b'{"msg": "twice", "msg": "twice"}',
        b'{"msg": "huge", "n": 123456789012345678901234567890, "e": 1e400}',
        b'{"msg": "deep", "a": ' + b"[" * 100 + b"]" * 100 + b"}",
        "\u202e\u2028 separators".encode(),
        b"the last",
    ]
    log = tmp_path / "wild.log"
    log.write_bytes(b"\n".join(lines))
    done = run(stack, "--file", str(log), "--module", module)

    assert done.returncode == 0, done.stderr
    assert len(stored(principal, module)) == len(lines)
    assert summaries(principal, module)[-1] == "the last"


def test_a_refused_event_is_reported_and_the_others_are_stored(stack: Stack, principal: Client, module: str) -> None:
    lines = ["first", '{"event_type": "heartbeat", "summary": "forged"}', "third"]
    done = run(stack, "--module", module, stdin="\n".join(lines))

    assert done.returncode == 1
    assert "left out line 2: events[1].event_type" in done.stderr
    assert "2 events sent" in done.stderr
    assert "1 left out" in done.stderr
    assert summaries(principal, module) == ["first", "third"]


def test_events_whose_own_ids_disagree_do_not_hold_up_the_others(stack: Stack, principal: Client, module: str) -> None:
    def line(event_id: str, summary: str) -> str:
        return orjson.dumps({"event_id": f"{module}.{event_id}", "event_type": "a", "summary": summary}).decode()

    lines = [
        line("1", "one"),
        line("2", "two"),
        line("1", "one, again and different"),
        line("2", "two"),
        line("3", "x"),
    ]
    done = run(stack, "--module", module, stdin="\n".join(lines))

    assert done.returncode == 1
    assert "left out line 3: 409 idempotency_conflict" in done.stderr
    assert summaries(principal, module) == ["one", "two", "x"]


def test_sending_a_file_again_doubles_nothing_and_adds_what_is_new(
    stack: Stack, principal: Client, module: str, tmp_path: Path
) -> None:
    log = tmp_path / "service.log"
    log.write_text("same\nsame\nother\n")
    arguments = ("--file", str(log), "--module", module)
    assert run(stack, *arguments).returncode == 0
    append(log, "new\n")
    rotated = log.rename(tmp_path / "service.log.1")

    done = run(stack, "--file", str(rotated), "--module", module, "--batch-size", "3")

    assert done.returncode == 0
    assert summaries(principal, module) == ["same", "same", "other", "new"]


def test_a_followed_file_may_be_renamed_and_made_anew(
    stack: Stack, principal: Client, module: str, tmp_path: Path, start: Start
) -> None:
    log = tmp_path / "service.log"
    log.write_text("before anybody looked\n")
    start(stack, "--file", str(log), "--follow", "--from-start")
    wait_until(lambda: summaries(principal, module), "the first line is sent")
    append(log, "1\nbegun, ")
    old = log.rename(tmp_path / "service.log.1")
    append(old, "ended\n")
    log.write_text("2\n")
    append(old, "late, in the old file\n")

    expected = ["before anybody looked", "1", "begun, ended", "late, in the old file", "2"]
    wait_until(lambda: len(summaries(principal, module)) >= len(expected), "all lines are sent")
    assert summaries(principal, module) == expected


def test_a_followed_file_may_be_copied_and_truncated(
    stack: Stack, principal: Client, module: str, tmp_path: Path, start: Start
) -> None:
    log = tmp_path / "service.log"
    log.write_text("same\n1\n")
    start(stack, "--file", str(log), "--follow", "--from-start")
    wait_until(lambda: len(summaries(principal, module)) == 2, "the first lines are sent")
    os.truncate(log, 0)
    append(log, "same\n2, longer than before\n")

    wait_until(lambda: len(summaries(principal, module)) >= 4, "the later lines are sent")
    assert summaries(principal, module) == ["same", "1", "same", "2, longer than before"]


def test_a_run_from_the_start_adds_what_came_while_nobody_followed(
    stack: Stack, principal: Client, module: str, tmp_path: Path, start: Start
) -> None:
    log = tmp_path / "service.log"
    log.write_text("1\n")
    first = start(stack, "--file", str(log), "--follow", "--from-start")
    wait_until(lambda: summaries(principal, module), "the first line is sent")
    first.signal()
    assert first.end() == 0
    append(log, "2\n")

    start(stack, "--file", str(log), "--follow", "--from-start")
    append(log, "3\n")
    wait_until(lambda: len(summaries(principal, module)) >= 3, "all lines are sent")
    assert summaries(principal, module) == ["1", "2", "3"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sends_what_was_read_and_ends_well(
    stack: Stack, principal: Client, module: str, start: Start, number: signal.Signals
) -> None:
    # A batch that would wait for a minute.
    command = start(stack, "--batch-size", "2", "--linger-ms", "60000")
    command.write(b"1\n2\n3\n")
    wait_until(lambda: len(summaries(principal, module)) == 2, "the first batch is sent")
    command.write(b"4\n5, not ended")
    command.signal(number)

    assert command.end() == 0, command.err
    assert summaries(principal, module) == ["1", "2", "3", "4", "5, not ended"]


def test_a_second_signal_ends_at_once_while_the_server_is_away(stack: Stack, start: Start) -> None:
    command = start(stack, url=f"http://127.0.0.1:{free_port()}")
    command.write(b"1\n")
    command.says("trying again")
    command.signal()
    command.says("once more to end at once")
    command.signal()

    assert command.end() == 130
    assert "0 events sent" in command.err


def test_a_terminal_shows_how_it_goes_in_one_line(stack: Stack, module: str) -> None:
    terminal, terminal_end = pty.openpty()
    words = [sys.executable, "manage.py", "publish_events", "--url", stack.a.url, "--module", module]
    shown = ""
    with subprocess.Popen(
        words, cwd=ROOT, env=stack.a.environment, stdin=subprocess.PIPE, stderr=terminal_end
    ) as command:
        assert command.stdin is not None
        os.close(terminal_end)
        command.stdin.write(b"1\n2\n")
        command.stdin.flush()
        # Each read waits for what the terminal shows next; the time limit of the test ends one that shows nothing.
        while "\r\x1b[Kpublish_events: 2 sent, " not in shown:
            shown += os.read(terminal, 65536).decode()
        command.stdin.close()
    os.close(terminal)
    assert command.returncode == 0
    assert "/s, 0 retries" in shown
    assert "\n" not in shown


def test_a_token_that_is_refused_ends_with_a_word_and_without_the_token(stack: Stack, tmp_path: Path) -> None:
    secret = "not-a-token-of-this-server"
    token_file = tmp_path / "token"
    token_file.write_text(f"{secret}\n")
    done = run(stack, "--token-file", str(token_file), stdin="x")
    assert done.returncode == 3
    assert "401 main_auth_failed" in done.stderr
    assert secret not in done.stderr

    token_file.write_text(stack.principal_token)
    done = run(stack, "--token-file", str(token_file), stdin="x")
    assert done.returncode == 3
    assert "403 insufficient_scope" in done.stderr


def test_a_service_token_publishes_for_its_own_module(
    stack: Stack, principal: Client, module: str, tmp_path: Path
) -> None:
    token, _ = stack.issue_token("service", modules=(module,))
    token_file = tmp_path / "token"
    token_file.write_text(token)

    assert run(stack, "--token-file", str(token_file), stdin="mine").returncode == 0
    assert summaries(principal, module) == ["mine"]
    assert run(stack, "--token-file", str(token_file), "--module", "other", stdin="foreign").returncode == 3


def test_an_address_that_takes_no_events_is_told(stack: Stack) -> None:
    done = run(stack, "--url", f"{stack.a.url}/nowhere", stdin="x")
    assert done.returncode == 4
    assert "404 not_found" in done.stderr
