"""docs/python.md, and Python in docs/clients.md: each program does what the page says, as it stands there."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client import Client, Event
from tests.servers import ROOT
from tests.stack.module_log import stored
from tests.stacks import Stack
from tests.waiting import wait_until
from vx11_client import wire_limits
from vx11_client.publishing import pending_queue, publisher

# A client: it reaches the server by HTTP alone.
pytestmark = pytest.mark.once

PAGE = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("python.md", "clients.md"))
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NewEvent = Callable[..., Event]


@contextmanager
def running(words: str, stack: Stack, folder: Path, module: str = "") -> Iterator["subprocess.Popen[str]"]:
    """The page's program that holds `words`, in a folder of its own. What runs at the end of the block is ended."""
    (program,) = (program for program in PROGRAMS if words in program)
    for shown in ("backup", "shop", "nginx"):
        program = program.replace(f'"module": "{shown}"', f'"module": "{module}"').replace(
            f'module="{shown}"', f'module="{module}"'
        )
    program = program.replace("http://127.0.0.1:8000", stack.a.url)
    ours = {"VX11_URL": stack.a.url, "TOKEN": stack.principal_token, "PYTHONPATH": str(ROOT)}
    with (
        (folder / "stdout").open("ab") as stdout,
        (folder / "stderr").open("ab") as stderr,
        subprocess.Popen(
            [sys.executable, "-u", "-c", program],
            cwd=folder,
            env={**os.environ, **stack.a.environment, **ours},
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def run(words: str, stack: Stack, folder: Path, module: str = "", stdin: str = "") -> str:
    """What the program prints until it ends well."""
    with running(words, stack, folder, module) as process:
        process.communicate(stdin, timeout=40)
    assert process.returncode == 0, (folder / "stderr").read_text()
    return (folder / "stdout").read_text()


@pytest.fixture
def module(marker: str) -> str:
    """A module of this test alone: its events are found by it."""
    return marker


def test_the_page_has_programs_for_all_of_these_tests() -> None:
    words = [
        "row.read",
        "job.step",
        "saved = Path",
        "to_the_end",
        "VX11Handler",
        "FeedMapping",
        'print("received"',
        "httpx2.EventSource(",
    ]
    assert [sum(word in program for program in PROGRAMS) for word in words] == [1] * len(PROGRAMS)


def test_publishing(stack: Stack, principal: Client, tmp_path: Path, module: str) -> None:
    printed = run("row.read", stack, tmp_path, module)
    events = stored(principal, module)
    assert printed == f"stored at {events[0]['seq']}\nsent in the background: 1000\n"
    assert [event["summary"] for event in events] == ["all tables saved", *(f"number {at}" for at in range(1000))]


def test_publishing_with_asyncio(stack: Stack, principal: Client, tmp_path: Path, module: str) -> None:
    printed = run("job.step", stack, tmp_path, module)
    first, second = stored(principal, module)
    assert printed == f"stored at {first['seq']}\n"
    assert (first["summary"], second["summary"]) == ("async", "in a batch")


def test_following_goes_on_where_the_program_was_ended(
    stack: Stack, service: Client, principal: Client, tmp_path: Path, new_event: NewEvent, marker: str
) -> None:
    begin = principal.cursor()
    saved = tmp_path / "cursor"
    saved.write_text(begin)
    printed = tmp_path / "stdout"
    expected = [f"error first {marker}", f"critical missed {marker}", f"error last {marker}"]
    service.published(new_event(severity="info", summary=f"quiet {marker}"))
    service.published(new_event(severity="error", summary=f"first {marker}"))
    with running("saved = Path", stack, tmp_path):
        wait_until(lambda: f"first {marker}" in printed.read_text(), "the first event", timeout_seconds=30)
        wait_until(lambda: saved.read_text() not in ("", begin), "its cursor is saved")
    service.published(new_event(severity="critical", summary=f"missed {marker}"))
    service.published(new_event(severity="error", summary=f"last {marker}"))
    with running("saved = Path", stack, tmp_path):
        wait_until(lambda: f"last {marker}" in printed.read_text(), "the last event", timeout_seconds=30)
    ours = [line.partition(" ")[2] for line in printed.read_text().splitlines() if marker in line]
    assert ours == expected


def test_following_with_asyncio(
    stack: Stack, service: Client, tmp_path: Path, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"number {at} {marker}") for at in range(20)])
    lines = run("to_the_end", stack, tmp_path).splitlines()
    assert [line.partition(" ")[2] for line in lines][-20:] == [f"number {at} {marker}" for at in range(20)]


def test_logging(stack: Stack, principal: Client, tmp_path: Path, module: str) -> None:
    run("VX11Handler", stack, tmp_path, module)
    low, wrong = stored(principal, module)
    assert (low["summary"], low["severity"], low["correlation_id"]) == ("stock is low", "warn", "order-1")
    assert low["payload"]["article"] == 4711
    assert (wrong["summary"], wrong["severity"]) == ("the sum is wrong", "error")
    assert wrong["payload"]["exception"].endswith("ZeroDivisionError: division by zero")
    # The other handler of the page wrote the same, and ours reported no trouble.
    assert "vx11_client" not in (tmp_path / "stderr").read_text()


def test_lines_of_a_log(stack: Stack, principal: Client, tmp_path: Path, module: str) -> None:
    run("FeedMapping", stack, tmp_path, module, stdin='[warn] slow\n\n{"level": "fatal", "msg": "gone"}\n')
    events = stored(principal, module)
    assert [(event["severity"], event["summary"]) for event in events] == [
        ("warn", "[warn] slow"),
        ("critical", "gone"),
    ]
    assert {event["event_type"] for event in events} == {"nginx.error"}


@pytest.mark.parametrize(("words", "before"), [("httpx2.EventSource(", "warn"), ('print("received"', "received")])
def test_reading_what_happens_now(
    stack: Stack, service: Client, tmp_path: Path, new_event: NewEvent, marker: str, words: str, before: str
) -> None:
    printed = tmp_path / "stdout"

    def after_another() -> bool:
        service.published(new_event(summary=marker, severity="warn"))
        return f"{before} {marker}" in printed.read_text()

    with running(words, stack, tmp_path):
        wait_until(after_another, "an event of ours is shown", pause_seconds=0.2, timeout_seconds=30)


def test_the_limits_on_the_page_are_those_of_the_library() -> None:
    (table,) = re.findall(r"^\| limit \| value \|\n\|---\|---\|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    shown = [int(number) for row in table.splitlines() for number in re.findall(r"\d+", row.split("|")[2])]
    mib, kib = 1024 * 1024, 1024
    assert shown == [
        wire_limits.BATCH_LIMIT_EVENTS,
        wire_limits.REQUEST_LIMIT_BYTES // mib,
        wire_limits.EVENT_LIMIT_BYTES // kib,
        wire_limits.SUMMARY_LIMIT_CHARACTERS,
        pending_queue.QUEUE_LIMIT_EVENTS,
        pending_queue.QUEUE_LIMIT_BYTES // mib,
    ]
    assert f"`give_up_after_seconds` ({publisher.GIVE_UP_AFTER_SECONDS:.0f})" in PAGE
    assert f"`close_seconds` ({publisher.CLOSE_SECONDS:.0f})" in PAGE
