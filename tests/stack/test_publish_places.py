"""`manage.py publish_events` run again: it goes on where it was, doubles nothing, and says what was known."""

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from tests.client import Client
from tests.stack.module_log import stored, summaries
from tests.stack.running_command import RunningCommand
from tests.stacks import Stack
from tests.waiting import wait_until

# A client: it reaches the server by HTTP alone, which an import contract holds it to.
pytestmark = pytest.mark.once

Run = Callable[..., str]
Start = Callable[..., RunningCommand]


@pytest.fixture
def module(marker: str) -> str:
    """A module of this test alone: its events are found by it."""
    return marker


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def run(stack: Stack, module: str) -> Run:
    """Runs the command to its end, and gives the last line of what it wrote."""

    def run_command(*arguments: str, stdin: str = "") -> str:
        words = ("publish_events", "--url", stack.a.url, "--module", module, *arguments)
        done = stack.a.run_manage(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()[-1]

    return run_command


@pytest.fixture
def start(stack: Stack, tmp_path: Path, module: str) -> Iterator[Start]:
    running: list[RunningCommand] = []

    def start_command(*arguments: str, **environment: str) -> RunningCommand:
        words = ("publish_events", "--url", stack.a.url, "--module", module, *arguments)
        running.append(RunningCommand(tmp_path, {**stack.a.environment, **environment}, *words))
        return running[-1]

    yield start_command
    for command in running:
        command.__exit__(None, None, None)


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_the_summary_says_what_was_new_and_what_was_known(run: Run, log: Path) -> None:
    log.write_text("1\n2\n3\n")
    assert "3 events sent, 3 new, 0 known" in run("--file", str(log))
    append(log, "4\n")
    assert "4 events sent, 1 new, 3 known" in run("--file", str(log))


def test_other_options_double_no_line(run: Run, principal: Client, module: str, log: Path) -> None:
    log.write_text("ERROR 1\n2\nWARN 3\n")
    run("--file", str(log))
    again = run("--file", str(log), "--guess-severity", "--event-type", "other")
    assert "3 events sent, 0 new, 3 known (3 in another form)" in again
    assert summaries(principal, module) == ["ERROR 1", "2", "WARN 3"]


def test_a_half_written_last_line_is_not_doubled(run: Run, principal: Client, module: str, log: Path) -> None:
    log.write_text("1\nbegun")
    run("--file", str(log))
    append(log, " and ended\n3\n")
    assert "3 events sent, 1 new, 2 known (1 in another form)" in run("--file", str(log))
    assert summaries(principal, module) == ["1", "begun", "3"]


@pytest.mark.parametrize("rotation", ["renamed", "copied and truncated"])
@pytest.mark.parametrize("options", [(), ("--from-start",)], ids=["", "from-start"])
def test_what_came_between_two_runs_is_sent_also_when_the_log_was_rotated(
    start: Start, principal: Client, module: str, log: Path, rotation: str, options: tuple[str, ...]
) -> None:
    log.write_text("1\n")
    first = start("--file", str(log), "--follow", "--from-start")
    wait_until(lambda: summaries(principal, module), "the first line is sent")
    first.signal()
    assert first.end() == 0

    append(log, "2\n")
    if rotation == "renamed":
        log.rename(log.with_name("service.log.1"))
    else:
        shutil.copy(log, log.with_name("service.log.1"))
        os.truncate(log, 0)
    append(log, "3\n")
    second = start("--file", str(log), "--follow", *options)
    wait_until(lambda: len(summaries(principal, module)) >= 3, "what came between is sent")
    append(log, "4\n")
    wait_until(lambda: len(summaries(principal, module)) >= 4, "what comes now is sent")
    second.signal()
    assert second.end() == 0
    assert summaries(principal, module) == ["1", "2", "3", "4"]
    assert "3 events sent, 3 new" in second.err


def test_from_the_end_means_from_now_on_whatever_was_read_before(
    start: Start, principal: Client, module: str, log: Path
) -> None:
    log.write_text("1\n")
    first = start("--file", str(log), "--follow", "--from-start")
    wait_until(lambda: summaries(principal, module), "the first line is sent")
    first.signal()
    first.end()
    append(log, "2\n")
    second = start("--file", str(log), "--follow", "--from-end")
    # When it has begun is not known: lines are added until one arrives.

    def later_line_arrives() -> bool:
        append(log, "3\n")
        return len(summaries(principal, module)) > 1

    wait_until(later_line_arrives, "a later line is sent")
    second.signal()
    second.end()
    assert set(summaries(principal, module)) == {"1", "3"}


def test_a_named_file_keeps_the_place_of_runs_that_do_not_follow(run: Run, tmp_path: Path, log: Path) -> None:
    places = ("--places", str(tmp_path / "places.json"))
    log.write_text("1\n2\n")
    assert "2 events sent" in run("--file", str(log), *places)
    append(log, "3\n")
    assert "1 events sent, 1 new" in run("--file", str(log), *places)
    assert "3 events sent, 0 new, 3 known" in run("--file", str(log))


def test_two_commands_cannot_follow_the_same(start: Start, principal: Client, module: str, log: Path) -> None:
    log.write_text("1\n")
    start("--file", str(log), "--follow", "--from-start")
    wait_until(lambda: summaries(principal, module), "the first line is sent")
    second = start("--file", str(log), "--follow")
    assert second.end() == 2
    assert "another publish_events" in second.err


def test_paths_patterns_and_compressed_files_go_together(
    run: Run, principal: Client, module: str, tmp_path: Path
) -> None:
    (tmp_path / "a.log").write_text("a\n")
    (tmp_path / "b.log").write_bytes("ERROR größer\r\n".encode("utf-16"))
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"c\n"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "d").write_text("d\n")
    run("--file", str(tmp_path / "*.log"), str(tmp_path / "c.gz"), "--file", str(tmp_path / "folder"))
    assert summaries(principal, module) == ["a", "ERROR größer", "c", "d"]


def test_a_broken_file_is_an_error_after_what_could_be_read(
    stack: Stack, principal: Client, module: str, tmp_path: Path
) -> None:
    (tmp_path / "a.log").write_text("a\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"b\n" * 700)[:-9])
    words = ("--url", stack.a.url, "--module", module, "--file", str(tmp_path / "a.log"), str(tmp_path / "b.gz"))
    done = stack.a.run_manage("publish_events", *words)
    assert done.returncode == 2
    assert "b.gz cannot be read: it is a compressed file that is broken" in done.stderr
    assert "Traceback" not in done.stderr
    assert summaries(principal, module) == ["a", *["b"] * 700]


def test_a_file_that_is_read_once_leaves_nothing_behind(run: Run, stack: Stack, log: Path) -> None:
    folder = Path(stack.a.environment["VX11_DATA_DIR"]) / "places"
    before = set(folder.glob("*")) if folder.exists() else set()
    log.write_text("1\n")
    run("--file", str(log))
    assert (set(folder.glob("*")) if folder.exists() else set()) == before


def test_no_line_of_another_program_is_left_out_for_its_field_names(run: Run, principal: Client, module: str) -> None:
    lines = [
        {"event_type": "User Created!", "summary": "s1", "severity": "ERROR"},
        {"event_type": "a", "summary": "\x1b[31m" + "s" * 600, "severity": "verbose", "payload": [1]},
        {"event_type": "a", "summary": "s3", "severity": 3, "event_id": "no id!", "correlation_id": 7},
        {"event_type": "a", "summary": "", "occurred_at": "yesterday", "message": "s4"},
    ]
    assert "4 new" in run(stdin="\n".join(orjson.dumps(line).decode() for line in lines))
    events = stored(principal, module)
    assert [event["severity"] for event in events] == ["error", "info", "info", "info"]
    assert [event["summary"] for event in events] == ["s1", "s" * 500, "s3", "s4"]
    assert events[2]["payload"] == {"severity": 3, "event_id": "no id!", "correlation_id": 7}


def test_a_stack_trace_is_one_event_with_the_time_of_its_line(run: Run, principal: Client, module: str) -> None:
    record = "2026-01-04 01:34:28,123 ERROR failed\nTraceback (most recent call last):\n  File 'x'\nValueError: no"
    run("--guess-severity", "--timezone", "Europe/Madrid", stdin=f"{record}\n2026-01-04 01:34:29,000 INFO next\n")
    first, second = stored(principal, module)
    assert (first["severity"], first["occurred_at"]) == ("error", "2026-01-04T00:34:28.123000Z")
    assert first["payload"]["line"] == record
    assert second["severity"] == "info"


def test_the_journal_goes_on_at_its_cursor(start: Start, principal: Client, module: str, tmp_path: Path) -> None:
    program = tmp_path / "journalctl"
    entry = '{"__CURSOR":"c%s","__REALTIME_TIMESTAMP":"1767490468123456","PRIORITY":"3","MESSAGE":"m%s"}'
    program.write_text(
        '#!/bin/sh\nafter=0\nfor word in "$@"; do case "$word" in --after-cursor=c*) after=${word#*=c};; esac; done\n'
        f"for n in 1 2; do [ $n -gt $after ] && printf '{entry}\\n' $n $n; done\nexit 0\n"
    )
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert start("--journal", "--follow", "--from-start", PATH=path).end() == 0
    assert [(event["summary"], event["severity"]) for event in stored(principal, module)] == [
        ("m1", "error"),
        ("m2", "error"),
    ]
    again = start("--journal", "--follow", PATH=path)
    assert again.end() == 0
    assert "0 events sent" in again.err
