"""docs/feeding/syslog.md with the daemons of Debian: every line is in the log once, also when programs are killed."""

import contextlib
import functools
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.certificates import make_certificates
from tests.client import Client
from tests.conftest import OwnStack
from tests.stack.module_log import stored, summaries
from tests.stack.syslog_daemons import PAGE, Rsyslog, SyslogDaemon, SyslogNg
from tests.stack.syslog_receiver import SyslogReceiver
from tests.stacks import Stack
from tests.waiting import wait_until
from vx11_client.spool.disk_queue import Spool

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]
LINES = 2000
LINE = re.compile("line [0-9]+$")


@pytest.fixture(params=[Rsyslog, SyslogNg], ids=["rsyslog", "syslog-ng"])
def daemon(request: pytest.FixtureRequest) -> type[SyslogDaemon]:
    if not request.param.program():
        pytest.skip(f"{request.param.name} is not installed")
    return request.param


def await_all(principal: Client, module: str, expected: list[str]) -> None:
    wait_until(lambda: len(summaries(principal, module)) >= len(expected), "all lines", timeout_seconds=60)
    assert Counter(summaries(principal, module)) == Counter(expected)


def has_more_than(principal: Client, module: str, count: int) -> bool:
    return len(summaries(principal, module)) > count


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_what_a_daemon_sends_is_in_the_log(
    tmp_path: Path, stack: Stack, principal: Client, marker: str, daemon: type[SyslogDaemon], *, tls: bool
) -> None:
    make_certificates(tmp_path)
    words = ("--module", marker, *(("--client-authority", str(tmp_path / "ca.crt")) if tls else ()))
    certificates = tmp_path if tls else None
    lines = [f"line {number}" for number in range(LINES)]
    with SyslogReceiver(tmp_path, stack.a.environment, *words, url=stack.a.url, certificates=certificates) as receiver:
        port = receiver.ports["tls" if tls else "tcp"]
        with daemon(tmp_path / "daemon", port=port, certificates=certificates) as sender:
            sender.write(lines)
            await_all(principal, marker, lines)
    # A daemon that has to try again sends what it held back after what came meanwhile, so the order may differ.
    header = stored(principal, marker)[0]["payload"]["syslog"]
    assert (header["app"], header["procid"], header["transport"]) == ("test", "7", "tls" if tls else "tcp")


def test_a_line_by_hand(tmp_path: Path, stack: Stack, principal: Client, marker: str) -> None:
    (line,) = re.findall(r"```sh\n(logger .*?)\n```", PAGE)
    with SyslogReceiver(tmp_path, stack.a.environment, "--module", marker, url=stack.a.url) as receiver:
        subprocess.run(["sh", "-c", line.replace("5514", str(receiver.ports["tcp"]))], check=True)
        wait_until(lambda: stored(principal, marker), "it is in the log")
    [event] = stored(principal, marker)
    assert (event["severity"], event["summary"]) == ("error", "the disk is full")
    assert event["payload"]["syslog"]["app"] == "backup"


@pytest.mark.faults
def test_a_gateway_that_is_killed_has_every_line_once(
    own_stack: OwnStack, tmp_path: Path, marker: str, daemon: type[SyslogDaemon]
) -> None:
    stack = own_stack()
    reader = stack.client(stack.principal_token)
    words = ("--module", marker)
    with (
        SyslogReceiver(tmp_path, stack.a.environment, *words, url=stack.a.url) as receiver,
        daemon(tmp_path / "daemon", port=receiver.ports["tcp"]) as sender,
    ):
        lines: list[str] = []
        for kill in range(1, 4):
            begun = len(lines)
            lines += [f"line {number}" for number in range(begun, begun + LINES)]
            sender.write(lines[begun:])
            wait_until(functools.partial(has_more_than, reader, marker, begun), "some are stored", timeout_seconds=60)
            stack.a.kill()
            more = [f"while it is away {kill}.{number}" for number in range(100)]
            sender.write(more)
            lines += more
            wait_until(functools.partial(receiver.has_noticed, kill), "it is noticed")
            stack.a.start()
        await_all(reader, marker, lines)


@pytest.mark.faults
def test_a_receiver_that_is_killed_loses_nothing_that_it_has_taken_and_doubles_nothing(
    own_stack: OwnStack, tmp_path: Path, marker: str, daemon: type[SyslogDaemon]
) -> None:
    stack = own_stack()
    reader = stack.client(stack.principal_token)
    written: list[str] = []
    taken: set[str] = set()

    def receiver(ports: Mapping[str, int] | None = None) -> SyslogReceiver:
        words = ("--module", marker)
        return receivers.enter_context(
            SyslogReceiver(tmp_path, stack.a.environment, *words, url=stack.a.url, ports=ports)
        )

    with contextlib.ExitStack() as receivers:
        running = receiver()
        ports = running.ports
        sender = receivers.enter_context(daemon(tmp_path / "daemon", port=ports["tcp"]))
        for _ in range(3):
            begun = len(written)
            written += [f"line {number}" for number in range(begun, begun + LINES)]
            sender.write(written[begun:])
            wait_until(functools.partial(has_more_than, reader, marker, begun // 2), "some", timeout_seconds=60)
            running.kill()
            spool = Spool(running.spool)
            while batch := spool.read(limit_records=500, wait_seconds=0):
                taken |= {text.group() for one in batch if (text := LINE.search(one.record.content.decode()))}
            spool.close()
            sender.write([f"while it is away {begun}"])
            written.append(f"while it is away {begun}")
            running = receiver(ports)
        wait_until(lambda: written[-1] in summaries(reader, marker), "the last one", timeout_seconds=60)
        running.stop()
    found = Counter(summaries(reader, marker))
    assert taken <= set(found) <= set(written)
    # A daemon whose connection broke sends the record again of which it does not know whether it arrived.
    assert sum(found.values()) - len(found) <= 3
