"""`manage.py publish_events` on tables, batches and exports: each event once, also when the command is run again."""

import shutil
from collections.abc import Callable
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
HEADER = "time,level,message\n"


@pytest.fixture
def module(marker: str) -> str:
    """A module of this test alone: its events are found by it."""
    return marker


@pytest.fixture
def run(stack: Stack, module: str) -> Run:
    """Runs the command to its end, and gives the last line of what it wrote."""

    def run_command(*arguments: str, stdin: str = "") -> str:
        words = ("publish_events", "--url", stack.a.url, "--module", module, *arguments)
        done = stack.a.run_manage(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()[-1]

    return run_command


def rows(*numbers: int) -> str:
    return "".join(f'2026-01-04T01:34:{number:02}Z,warn,"row {number}\nof two lines"\n' for number in numbers)


def test_a_table_that_is_followed_goes_on_by_its_header_after_a_restart(
    stack: Stack, principal: Client, run: Run, module: str, tmp_path: Path
) -> None:
    table = tmp_path / "events.csv"
    table.write_text(HEADER + rows(1, 2))
    words = (
        "publish_events",
        "--url",
        stack.a.url,
        "--module",
        module,
        "--file",
        str(table),
        "--follow",
        "--from-start",
    )
    with RunningCommand(tmp_path, stack.a.environment, *words):
        wait_until(lambda: len(stored(principal, module)) == 2, "both rows are stored")
    table.write_text(HEADER + rows(1, 2, 3))
    with RunningCommand(tmp_path, stack.a.environment, *words):
        wait_until(lambda: len(stored(principal, module)) == 3, "the new row is stored")
        shutil.move(table, table.with_suffix(".csv.1"))
        table.write_text(HEADER + rows(4))
        wait_until(lambda: len(stored(principal, module)) == 4, "the row of the new file is stored")
    events = stored(principal, module)
    assert [event["summary"] for event in events] == [f"row {number} of two lines" for number in (1, 2, 3, 4)]
    assert {event["severity"] for event in events} == {"warn"}
    assert events[2]["occurred_at"] == "2026-01-04T01:34:03.000000Z"


def test_a_batch_is_as_many_events_as_it_has_records_and_is_known_the_second_time(
    principal: Client, run: Run, module: str, tmp_path: Path
) -> None:
    records = [{"severityText": "ERROR", "body": {"stringValue": f"record {number}"}} for number in range(3)]
    batches = tmp_path / "otel.json"
    batches.write_bytes(orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}) + b"\n")
    assert "3 events sent, 3 new, 0 known" in run("--file", str(batches), "--batch-size", "2")
    assert "3 events sent, 0 new, 3 known" in run("--file", str(batches))
    assert summaries(principal, module) == ["record 0", "record 1", "record 2"]


def test_an_entry_of_the_journal_is_one_event_by_export_and_by_json(
    principal: Client, run: Run, module: str, tmp_path: Path
) -> None:
    cursor = f"s={module.encode().hex()[:32]:0<32};i=1"
    export = tmp_path / "journal.export"
    message = b"two\nlines"
    export.write_bytes(
        f"__CURSOR={cursor}\n__REALTIME_TIMESTAMP=1767490468123456\nPRIORITY=4\nMESSAGE\n".encode()
        + len(message).to_bytes(8, "little")
        + message
        + b"\n\n"
    )
    assert "1 events sent, 1 new" in run("--file", str(export)).replace("1 event sent", "1 events sent")
    as_json = {"__CURSOR": cursor, "__REALTIME_TIMESTAMP": "1767490468123456", "PRIORITY": "4", "MESSAGE": "two\nlines"}
    assert "0 new, 1 known" in run(stdin=orjson.dumps(as_json).decode() + "\n")
    [event] = stored(principal, module)
    assert (event["summary"], event["severity"]) == ("two lines", "warn")
    assert event["payload"]["MESSAGE"] == "two\nlines"
