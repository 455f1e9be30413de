"""How many records a second a receiver of syslog takes over TCP, each on disk before its connection is read on."""

import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from benchmarks.figures import Figure
from benchmarks.publishing import PUBLISH_PATH
from benchmarks.server import Target
from benchmarks.size import Size
from benchmarks.usage import Window, cpu_seconds
from benchmarks.wire import UnexpectedAnswer
from tests.processes import accepts_connections, free_port
from tests.servers import ROOT
from tests.waiting import wait_until

CONNECTIONS = 4
RECORDS_PER_SECOND = 10_000
START_SECONDS = 30
LOG_SECONDS = 300
POLL_SECONDS = 0.05
TEXT = "request %d done in 12 ms, status 200, path /api/items"
RECORD = f'<134>1 2026-01-04T01:34:28.123456Z node-7 app 1234 ID47 [a@32473 iut="3" source="App"] {TEXT}'


def measure(target: Target, size: Size) -> list[Figure]:
    """Until all are in the spool, and until all are in the log."""
    count = max(100, int(RECORDS_PER_SECOND * size.publish_seconds))
    streams = [b"".join(map(_counted, range(first, count, CONNECTIONS))) for first in range(CONNECTIONS)]
    with _receiver(target) as (pid, port), _reader(target) as reader:
        before = _log_length(reader)
        with Window(target.pid) as window:
            began, cpu = time.perf_counter(), cpu_seconds(pid)
            senders = [threading.Thread(target=_send, args=(port, stream)) for stream in streams]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            taken_seconds = time.perf_counter() - began
            wait_until(
                lambda: _log_length(reader) - before >= count,
                f"{count} records are in the log",
                timeout_seconds=LOG_SECONDS,
                pause_seconds=POLL_SECONDS,
            )
            receiver_seconds = cpu_seconds(pid) - cpu
        if (added := _log_length(reader) - before) != count:
            raise UnexpectedAnswer(f"{count} records were sent, and the log grew by {added} events")
    return [
        Figure(f"on disk, {CONNECTIONS} connections", count / taken_seconds, "/s", at_least=5000),
        Figure("in the log", count / window.seconds, "/s"),
        Figure("receiver CPU per record", receiver_seconds / count * 1e6, "us"),
        Figure("server CPU per record", window.server_cpu_seconds / count * 1e6, "us"),
        Figure("CPU of others", max(0.0, window.others_cpu_seconds - receiver_seconds) / window.seconds * 100, "%"),
    ]


@contextmanager
def _receiver(target: Target) -> Iterator[tuple[int, int]]:
    """Its process and its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="vx11-bench-") as folder:
        token = Path(folder) / "token"
        token.write_text(target.service_token)
        words = ["receive_syslog", "--url", f"http://127.0.0.1:{target.port}", "--token-file", str(token)]
        words += ["--tcp", str(port), "--spool", f"{folder}/spool", "--module", "bench", "--max-rate", "1000000"]
        command = [sys.executable, "manage.py", *words]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as receiver:
            try:
                wait_until(lambda: accepts_connections(port), "the receiver listens", timeout_seconds=START_SECONDS)
                yield receiver.pid, port
            finally:
                receiver.terminate()


def _counted(number: int) -> bytes:
    record = (RECORD % number).encode()
    return b"%d %s" % (len(record), record)


def _send(port: int, stream: bytes) -> None:
    """Returns when the receiver has read all of it."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(stream)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1):
            pass


def _reader(target: Target) -> httpx2.Client:
    headers = {"X-VX11-Token": target.principal_token}
    return httpx2.Client(base_url=f"http://127.0.0.1:{target.port}", headers=headers)


def _log_length(reader: httpx2.Client) -> int:
    """The seq of the newest event: the log has no holes."""
    events = reader.get(PUBLISH_PATH, params={"limit": 1}).raise_for_status().json()["events"]
    return int(events[-1]["seq"]) if events else 0
