"""`manage.py tail_events` against a real server: each event once, in order, fit for pipes and people."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import Client, Json
from tests.conftest import OwnStack
from tests.servers import ROOT
from tests.stack.running_command import RunningCommand
from tests.stacks import Stack
from tests.waiting import wait_until

# A client: it reaches the server by HTTP alone, which an import contract holds it to.
pytestmark = pytest.mark.once

NewEvent = Callable[..., Json]
Start = Callable[..., RunningCommand]
HOSTILE = "\x1b[2J\x9b31m\u202e\x07 gone"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `tail_events` for a stack and waits until it is live: `start(stack, "--json")`."""
    running: list[RunningCommand] = []

    def start_command(stack: Stack, *arguments: str) -> RunningCommand:
        words = ("tail_events", "--url", stack.a.url, *arguments)
        running.append(RunningCommand(tmp_path, stack.a.environment, *words))
        running[-1].says("live from")
        return running[-1]

    yield start_command
    for command in running:
        command.__exit__(None, None, None)


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return stack.a.run_manage("tail_events", "--url", stack.a.url, *arguments)


def events_in(text: str) -> list[Json]:
    """The events of complete lines."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def seen_by(command: RunningCommand, count: int) -> list[Json]:
    wait_until(lambda: len(events_in(command.out)) >= count, f"{count} events are printed")
    return events_in(command.out)


def test_the_newest_come_first_and_then_what_happens(
    stack: Stack, principal: Client, service: Client, new_event: NewEvent, marker: str, start: Start
) -> None:
    service.published([new_event(summary=str(number)) for number in range(5)])
    command = start(stack, "--json", "--last", "3", "--correlation-id", marker)
    service.published(new_event(summary="5"))

    events = seen_by(command, 4)
    assert events == principal.polled(correlation_id=marker, limit=4)["events"]
    assert [event["summary"] for event in events] == ["2", "3", "4", "5"]


def test_a_query_narrows_what_comes_and_a_mistake_in_it_is_underlined(
    stack: Stack, service: Client, new_event: NewEvent, marker: str, start: Start
) -> None:
    service.published([new_event(summary="refused", module="a"), new_event(summary="else")])
    query = f"correlation:{marker} refused -module:b"
    command = start(stack, "--json", "--last", "5", "--query", query)
    service.published([new_event(summary="refused", module="b"), new_event(summary="Refused!", module="c")])
    assert [event["module"] for event in seen_by(command, 2)] == ["a", "c"]

    wrong = run(stack, "--query", " refused severity>=loud")
    assert wrong.returncode == 2
    assert " refused severity>=loud\n                   ^^^^ There is no such severity" in wrong.stderr


def test_without_a_start_only_what_happens_now_comes(
    stack: Stack, service: Client, new_event: NewEvent, marker: str, start: Start
) -> None:
    service.published(new_event(summary="before"))
    command = start(stack, "--json", "--correlation-id", marker)
    service.published(new_event(summary="after"))
    assert [event["summary"] for event in seen_by(command, 1)] == ["after"]


def test_after_a_cursor_comes_what_followed_it_and_no_follow_ends_there(
    stack: Stack, principal: Client, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="before"))
    cursor = principal.cursor()
    for start in (0, 350):
        service.published([new_event(summary=str(number)) for number in range(start, start + 350)])

    done = run(stack, "--json", "--since", cursor, "--no-follow", "--correlation-id", marker)
    assert done.returncode == 0, done.stderr
    assert [event["summary"] for event in events_in(done.stdout)] == [str(number) for number in range(700)]


def test_filters_may_repeat_or_hold_a_list(stack: Stack, service: Client, new_event: NewEvent, marker: str) -> None:
    for module, severity in [("m1", "info"), ("m1", "error"), ("m2", "critical"), ("m3", "error"), ("m2", "warn")]:
        service.published(new_event(module=module, severity=severity))
    filters = ("--module", "m1", "--module", "m2", "--severity", "error,critical", "--event-type", "test.happened")
    done = run(stack, "--json", "--last", "500", "--no-follow", "--correlation-id", marker, *filters)
    found = [(event["module"], event["severity"]) for event in events_in(done.stdout)]
    assert found == [("m1", "error"), ("m2", "critical")]


def test_a_person_gets_lines_that_cannot_drive_the_terminal(
    stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=f"disk {HOSTILE}", severity="critical", module="smartd"))
    done = run(stack, "--last", "1", "--no-follow", "--correlation-id", marker)
    (line,) = done.stdout.splitlines()
    assert line.split()[2:5] == ["critical", "smartd", "test.happened"]
    assert line.endswith("disk \\x1b[2J\\x9b31m\\u202e\\x07 gone")


def test_json_says_the_same_without_a_character_that_a_terminal_obeys(
    stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=HOSTILE, payload={"k": HOSTILE}))
    done = run(stack, "--json", "--last", "1", "--no-follow", "--correlation-id", marker)
    (event,) = events_in(done.stdout)
    assert (event["summary"], event["payload"]) == (HOSTILE, {"k": HOSTILE})
    assert not set(done.stdout) & set("\x1b\x9b\u202e\x07")


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colour_unless_it_wants_none(
    stack: Stack, service: Client, new_event: NewEvent, marker: str, *, no_colour: str, coloured: bool
) -> None:
    service.published(new_event(severity="error"))
    terminal, terminal_end = pty.openpty()
    words = ["tail_events", "--url", stack.a.url, "--last", "1", "--no-follow", "--correlation-id", marker]
    environment = stack.a.environment | {"NO_COLOR": no_colour}
    subprocess.run([sys.executable, "manage.py", *words], check=True, cwd=ROOT, env=environment, stdout=terminal_end)
    os.close(terminal_end)
    shown = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert ("\x1b[1;31merror" in shown) is coloured
    assert "error" in shown


def test_a_locale_without_the_characters_of_an_event_is_no_trouble(
    stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="5 €"))
    words = ["tail_events", "--url", stack.a.url, "--last", "1", "--no-follow", "--correlation-id", marker]
    environment = stack.a.environment | {"PYTHONIOENCODING": "ascii"}

    def printed(*more: str) -> bytes:
        command = [sys.executable, "manage.py", *words, *more]
        return subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE).stdout

    assert b"5 \\u20ac" in printed()
    assert json.loads(printed("--json").decode("utf-8"))["summary"] == "5 €"


def test_events_that_are_no_longer_there_are_told_and_reading_goes_on(
    stack: Stack, service: Client, new_event: NewEvent, marker: str, start: Start
) -> None:
    command = start(stack, "--json", "--since", "0therl0g-5", "--correlation-id", marker)
    assert "events are missing here (epoch)" in command.err
    service.published(new_event(summary="after"))
    assert [event["summary"] for event in seen_by(command, 1)] == ["after"]


def test_a_pipe_that_closes_ends_it_quietly(stack: Stack, service: Client, new_event: NewEvent, marker: str) -> None:
    service.published([new_event() for _ in range(3)])
    words = ["tail_events", "--url", stack.a.url, "--json", "--last", "3", "--correlation-id", marker]
    with subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=stack.a.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert json.loads(command.stdout.readline())["correlation_id"] == marker
        command.stdout.close()
        # Nothing happens any more: only the heartbeat can tell.
        said = command.stderr.read().decode()
    assert command.returncode == 0, said
    assert "Error" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(stack: Stack, start: Start, number: signal.Signals) -> None:
    command = start(stack)
    command.signal(number)
    assert command.end() == 0
    assert "Traceback" not in command.err


def test_a_signal_ends_it_also_when_nobody_reads_its_output(
    stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(payload={"text": "x" * 1000}) for _ in range(300)])
    words = ["tail_events", "--url", stack.a.url, "--json", "--last", "300", "--correlation-id", marker]
    with subprocess.Popen(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=stack.a.environment, stdout=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        # More than a pipe holds: from the second line on, it waits for us.
        command.stdout.readline()
        command.terminate()
        assert command.wait(20) == 0
        command.stdout.close()


def test_a_revoked_token_ends_it_with_the_reason(stack: Stack, tmp_path: Path, start: Start) -> None:
    token, public_id = stack.issue_token("principal", scopes=("events:read", "tickets:issue"))
    token_file = tmp_path / "token"
    token_file.write_text(token)
    command = start(stack, "--token-file", str(token_file))
    stack.revoke_token(public_id)
    assert command.end() == 5
    assert "the server ended the stream: revoked" in command.err


def test_what_the_server_does_not_take_is_told_and_ends_it(stack: Stack, tmp_path: Path) -> None:
    secret = "not-a-token-of-this-server"
    token_file = tmp_path / "token"
    token_file.write_text(secret)
    refused = run(stack, "--token-file", str(token_file))
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "401 main_auth_failed" in refused.stderr
    assert secret not in refused.stderr

    assert run(stack, "--since", "no cursor").returncode == 4
    assert run(stack, "--severity", "loud").returncode == 4


def test_no_credential_reaches_the_log_of_a_talkative_installation(stack: Stack, tmp_path: Path, marker: str) -> None:
    environment = stack.a.environment | {"VX11_LOG_LEVEL": "DEBUG"}
    words = ("tail_events", "--url", stack.a.url, "--correlation-id", marker)
    with RunningCommand(tmp_path, environment, *words) as command:
        command.says("live from")
        command.signal()
        assert command.end() == 0
        assert "token=" not in command.err
        assert stack.principal_token not in command.err


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_over_kills_and_restarts_every_event_comes_once_and_in_order(
    own_stack: OwnStack, new_event: NewEvent, marker: str, start: Start
) -> None:
    stack = own_stack()
    service = stack.client(stack.service_token)
    command = start(stack, "--json", "--correlation-id", marker)
    number = 0
    for end in (stack.a.kill, stack.a.stop, stack.a.kill):
        for _ in range(50):
            service.published(new_event(summary=str(number)))
            number += 1
        end()
        stack.a.start()
        service.published(new_event(summary=str(number)))
        number += 1
        wait_until(lambda number=number: len(events_in(command.out)) >= number, "it is back", timeout_seconds=30)  # type: ignore[misc]
    assert [event["summary"] for event in events_in(command.out)] == [str(at) for at in range(number)]
