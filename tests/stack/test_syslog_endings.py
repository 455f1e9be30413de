"""How `manage.py receive_syslog` ends, begins again and copes with its gateway: nothing that was taken is lost."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.processes import free_port
from tests.stack.module_log import stored, summaries
from tests.stack.syslog_receiver import SyslogReceiver, await_summaries, starting
from tests.stacks import Stack
from tests.vx11_client.publishers import Log
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem
from tests.waiting import wait_until

pytestmark = pytest.mark.once

Start = Callable[..., SyslogReceiver]
HEAD = b"<13>1 2026-01-04T01:34:28Z h app - - - "


@pytest.fixture
def start(tmp_path: Path, stack: Stack, marker: str) -> Iterator[Start]:
    with starting(tmp_path, stack, marker) as start_receiver:
        yield start_receiver


def test_records_that_could_not_be_published_are_published_by_the_next_run(
    start: Start, stack: Stack, principal: Client, marker: str
) -> None:
    first = start("--stop-seconds", "0", url=f"http://127.0.0.1:{free_port()}")
    first.send(HEAD + b"kept\n")
    assert first.stop().endswith("1 records taken, 0 published, 0 dropped; 1 wait in the spool for the next start")
    assert summaries(principal, marker) == []
    second = start()
    await_summaries(principal, marker, ["kept"])
    assert second.stop().endswith("0 records taken, 1 published, 0 dropped")


def test_a_second_gateway_is_used_when_the_first_is_away(
    start: Start, stack: Stack, principal: Client, marker: str
) -> None:
    receiver = start("--url", stack.a.url, url=f"http://127.0.0.1:{free_port()}")
    receiver.send(HEAD + b"goes to the second\n")
    await_summaries(principal, marker, ["goes to the second"])


def test_a_token_that_is_put_right_is_read_again(
    start: Start, stack: Stack, principal: Client, marker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("wrong")
    log, right = Log(), {"token": "right"}

    def script(request: Request) -> Answer:
        is_right = request.headers["x-vx11-token"] == right["token"]
        return log(request) if is_right else problem(401, "main_auth_failed")

    with ScriptedServer(script) as gateway:
        receiver = start("--token-file", str(file), url=gateway.url)
        receiver.send(HEAD + b"waits\n")
        receiver.says("the gateway refuses the events: 401")
        file.write_text("right")
        wait_until(lambda: log.stored, "the new token is used", timeout_seconds=50)
        receiver.says("the gateway takes events again")


def test_the_end_is_at_once_at_the_second_signal(start: Start) -> None:
    receiver = start("--stop-seconds", "600", url=f"http://127.0.0.1:{free_port()}")
    receiver.send(HEAD + b"kept\n")
    receiver.says("trying again until")
    receiver.signal()
    receiver.says("once more to end at once")
    receiver.signal()
    assert receiver.end() == 130
    assert "1 wait in the spool" in receiver.err


def test_the_end_reads_what_a_sender_has_sent_and_shows_it_the_end(
    start: Start, principal: Client, marker: str
) -> None:
    receiver = start("--max-rate", "1000")
    with receiver.connect() as sock:
        # More than one reading, which the rate holds up.
        sock.sendall(b"".join(HEAD + b"%d\n" % number for number in range(2000)))
        receiver.signal()
        while sock.recv(100):
            pass
    assert receiver.end() == 0
    assert "2000 records taken, 2000 published" in receiver.err
    assert len(stored(principal, marker)) == 2000


def test_check_says_what_is_well_and_what_is_not(stack: Stack, tmp_path: Path) -> None:
    words = ("receive_syslog", "--tcp", "0", "--spool", str(tmp_path / "spool"), "--check", "--url")
    done = stack.a.run_manage(*words, stack.a.url)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "all is well")
    away = stack.a.run_manage(*words, f"http://127.0.0.1:{free_port()}")
    assert (away.returncode, "no gateway answers" in away.stderr) == (4, True)
    (tmp_path / "token").write_text("wrong")
    refused = stack.a.run_manage(*words, stack.a.url, "--token-file", str(tmp_path / "token"))
    assert (refused.returncode, "would refuse" in refused.stderr) == (3, True)


def test_a_port_and_a_spool_that_are_taken_are_named(start: Start, stack: Stack, tmp_path: Path) -> None:
    receiver = start()
    port = str(receiver.ports["tcp"])
    done = stack.a.run_manage("receive_syslog", "--tcp", port, "--spool", str(tmp_path / "other"))
    assert done.returncode == 2
    assert f"tcp 127.0.0.1:{port} cannot be used: Address already in use" in done.stderr
    done = stack.a.run_manage("receive_syslog", "--tcp", "0", "--spool", str(receiver.spool))
    assert done.returncode == 2
    assert "another receiver keeps its records in" in done.stderr
