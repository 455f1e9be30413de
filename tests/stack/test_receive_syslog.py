"""`manage.py receive_syslog` with a real gateway: what comes is in the log once, and every limit holds."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.certificates import make_certificates
from tests.client import Client
from tests.processes import free_port
from tests.stack.module_log import stored, summaries
from tests.stack.syslog_receiver import SyslogReceiver, await_summaries, starting
from tests.stacks import Stack
from tests.vx11_client.publishers import Log
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem
from tests.waiting import wait_until

# A client: it reaches the server by HTTP alone, which an import contract holds it to.
pytestmark = pytest.mark.once

Start = Callable[..., SyslogReceiver]
HEAD = b"<13>1 2026-01-04T01:34:28Z h app - - - "


@pytest.fixture
def start(tmp_path: Path, stack: Stack, marker: str) -> Iterator[Start]:
    with starting(tmp_path, stack, marker) as start_receiver:
        yield start_receiver


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def trusting(certificates: Path, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    if name:
        context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return context


def test_records_of_both_transports_are_in_the_log(start: Start, principal: Client, marker: str) -> None:
    receiver = start()
    receiver.send(HEAD + b"by line\n" + b"%d %sby count" % (len(HEAD) + 8, HEAD) + b"the last")
    receiver.send_datagram(b"<11>Jan  4 01:34:28 web app[7]: by UDP")
    await_summaries(principal, marker, ["by line", "by count", "the last", "by UDP"])
    [datagram] = [event for event in stored(principal, marker) if event["summary"] == "by UDP"]
    assert datagram["severity"] == "error"
    assert datagram["payload"]["syslog"] == {
        "transport": "udp", "peer": "127.0.0.1", "facility": "user", "level": "err", "host": "web", "app": "app",
        "procid": "7",
    }  # fmt: skip
    assert receiver.stop().endswith("4 records taken, 4 published, 0 dropped")
    assert list(receiver.spool.glob("*.spool")) == []


def test_tls_with_and_without_certificates_of_senders(
    start: Start, principal: Client, marker: str, certificates: Path
) -> None:
    receiver = start("--client-authority", str(certificates / "ca.crt"), certificates=certificates)
    for name in ("", "stranger"):
        # In TLS 1.3 the refusal comes behind the handshake.
        with contextlib.suppress(OSError), receiver.connect(tls=trusting(certificates, name)) as sock:
            sock.sendall(HEAD + b"from a stranger\n")
            assert sock.recv(1) == b""
    with receiver.connect() as plain, receiver.connect(tls=trusting(certificates, "client")) as sock:
        plain.sendall(b"\x16\x03\x01 looks like TLS\n")
        sock.sendall(HEAD + b"from a friend\n")
        await_summaries(principal, marker, ["\ufffd\ufffd\ufffd looks like TLS", "from a friend"])
    kinds = {event["summary"][-6:]: event["payload"]["syslog"]["transport"] for event in stored(principal, marker)}
    assert kinds == {"ke TLS": "tcp", "friend": "tls"}
    receiver.says("failed in the handshake of TLS")
    assert "Traceback" not in receiver.err


def test_what_is_no_tls_does_not_hold_up_others(
    start: Start, principal: Client, marker: str, certificates: Path
) -> None:
    receiver = start(certificates=certificates)
    port = receiver.ports["tls"]
    with contextlib.ExitStack() as stack:
        # A client that says nothing, and one that says something else.
        silent = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        with socket.create_connection(("127.0.0.1", port), timeout=20) as other:
            other.sendall(HEAD + b"plain\n" + b"\xff" * 1000)
            with contextlib.suppress(ConnectionError):
                while other.recv(1000):
                    pass
        sock = stack.enter_context(receiver.connect(tls=trusting(certificates)))
        sock.sendall(HEAD + b"secret\n")
        await_summaries(principal, marker, ["secret"])
        # Its handshake ends by its time limit.
        silent.settimeout(20)
        assert silent.recv(1) == b""
    assert "Traceback" not in receiver.err


def test_a_record_that_is_too_long_is_cut_and_one_that_is_announced_too_long_ends_its_connection(
    start: Start, principal: Client, marker: str
) -> None:
    receiver = start("--max-line", "500")
    receiver.send(HEAD + b"x" * 600 + b"\n" + b"%d %s\n" % (1000, HEAD + b"y" * (1000 - len(HEAD))) + HEAD + b"short\n")
    with receiver.connect() as sock:
        sock.sendall(HEAD + b"before\n1000000000 <13>gigabyte" + b"z" * 1000)
        with contextlib.suppress(ConnectionError):
            assert sock.recv(1) == b""
    wait_until(lambda: len(stored(principal, marker)) == 4, "four events")
    events = {event["summary"][:6]: event for event in stored(principal, marker)}
    assert events.keys() == {"xxxxxx", "yyyyyy", "short", "before"}
    assert events["xxxxxx"]["payload"]["line_bytes"] == 600 + len(HEAD)
    assert events["yyyyyy"]["payload"]["line_bytes"] == 1000
    assert "line_bytes" not in events["short"]["payload"]
    last = receiver.stop()
    assert "1 connections were closed: a record of more than 1 MiB was announced" in receiver.err
    assert "were cut" in receiver.err
    assert "4 records taken" in last


def test_half_a_record_is_left_out_and_counted(start: Start, principal: Client, marker: str) -> None:
    receiver = start()
    receiver.send(HEAD + b"whole\n500 <13>half")
    await_summaries(principal, marker, ["whole"])
    assert "1 records came without their end" in receiver.err
    assert "1 records taken, 1 published" in receiver.stop()


@pytest.mark.parametrize("limit", ["--max-connections", "--max-per-address"])
def test_ten_thousand_connections_are_refused_and_those_that_are_there_go_on(
    start: Start, principal: Client, marker: str, limit: str
) -> None:
    receiver = start(limit, "20")
    with contextlib.ExitStack() as open_ones:
        senders = [open_ones.enter_context(receiver.connect()) for _ in range(20)]
        # Each is counted once it was accepted.
        senders[-1].sendall(HEAD + b"is here\n")
        await_summaries(principal, marker, ["is here"])
        for _ in range(10_000):
            with contextlib.suppress(ConnectionError), receiver.connect():
                pass
        for sender in senders:
            sender.sendall(HEAD + b"goes on\n")
        await_summaries(principal, marker, ["is here"] + ["goes on"] * 20)

    # There is room again when they have gone.
    def is_taken() -> bool:
        with contextlib.suppress(ConnectionError):
            receiver.send(HEAD + b"later\n")
        return "later" in summaries(principal, marker)

    wait_until(is_taken, "a new connection is taken")
    receiver.stop()
    refused = sum(int(line.split()[1]) for line in receiver.err.splitlines() if "connections were refused" in line)
    assert refused >= 10_000


def test_a_connection_that_is_quiet_is_closed(start: Start) -> None:
    receiver = start("--idle-seconds", "1")
    with receiver.connect() as quiet:
        quiet.settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert quiet.recv(1) == b""
    receiver.waits_for("1 connections were closed: nothing came")


def test_the_records_of_a_second_are_limited_and_those_of_tcp_wait(
    start: Start, principal: Client, marker: str
) -> None:
    receiver = start("--max-rate", "100")
    began = time.monotonic()
    receiver.send(b"".join(HEAD + b"%d\n" % number for number in range(250)))
    for number in range(50):
        receiver.send_datagram(HEAD + b"flood %d" % number)
    receiver.send(HEAD + b"behind\n")
    assert time.monotonic() - began > 1
    wait_until(lambda: "behind" in summaries(principal, marker), "all of TCP")
    receiver.waits_for("more come than the limit")
    assert {str(number) for number in range(250)} <= set(summaries(principal, marker))


def dropped_in_the_log(events: list[dict]) -> int:
    return sum(event["payload"]["dropped"] for event in events if event["event_type"] == "syslog.dropped")


def test_while_the_gateway_is_away_tcp_waits_and_udp_is_dropped_counted_and_told_in_the_log(
    start: Start, principal: Client, marker: str
) -> None:
    port, gate = free_port(), {"open": False}
    log = Log()

    def script(request: Request) -> Answer:
        return log(request) if gate["open"] else problem(503, "draining")

    with ScriptedServer(script, port=port) as gateway, contextlib.ExitStack() as stack:
        receiver = start("--spool-mib", "1", url=gateway.url)
        sock = stack.enter_context(receiver.connect())
        sock.settimeout(0.05)
        line = HEAD + b"x" * 900 + b"\n"
        sent_bytes, quiet_since = 0, time.monotonic()
        # Until the receiver reads no more: its spool of a MiB, and what the system keeps.
        while time.monotonic() - quiet_since < 2:
            try:
                sent_bytes += sock.send((line * 64)[sent_bytes % len(line) :])
                quiet_since = time.monotonic()
            except TimeoutError:
                continue
        assert sum(path.stat().st_size for path in receiver.spool.glob("*.spool")) < 2 * 1024**2
        for number in range(10):
            receiver.send_datagram(HEAD + b"flood %d" % number)
        receiver.waits_for("UDP records were dropped: the gateway takes none, and the spool is full")

        gate["open"] = True
        sock.settimeout(20)
        rest = line[sent_bytes % len(line) :] if sent_bytes % len(line) else b""
        sock.sendall(rest)
        sent = (sent_bytes + len(rest)) // len(line)
        sock.close()

        def events() -> list[dict]:
            return [each for request in gateway.requests for each in request.json["events"]]

        wait_until(lambda: dropped_in_the_log(list({e["event_id"]: e for e in events()}.values())) == 10, "it is said")
        wait_until(
            lambda: (
                sum(event["event_type"] == "syslog.message" for event in events() if event["event_id"] in log.stored)
                and len(log.stored) == sent + 1
            ),
            f"all {sent} records that were sent are in the log once",
            timeout_seconds=30,
        )
        assert "10 dropped" in receiver.stop()
