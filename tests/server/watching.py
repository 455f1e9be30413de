"""What can be seen of a running server from outside: its memory and files, its metrics, its log."""

import contextlib
import os
import sys
from collections.abc import Sequence

import httpx2

from benchmarks import usage
from tests.client import LOOPBACK, Client
from tests.metrics import metric
from tests.servers import ROOT, START_TIMEOUT_SECONDS, RunningServer
from tests.waiting import wait_until

MEBIBYTE = 1024 * 1024
# How many readers were closed because they did not read.
SLOW_CLOSED = 'vx11_streams_ended_total{reason="slow_consumer"}'


def resident_bytes(server: RunningServer) -> int:
    return usage.resident_bytes(server.pid)


def open_files(server: RunningServer) -> int:
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def open_sockets(server: RunningServer) -> int:
    """Of its open files: a thread's first question to the database opens three more, whoever has come and gone."""
    found = 0
    for name in os.listdir(f"/proc/{server.pid}/fd"):
        # One may be closed while they are listed.
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/{server.pid}/fd/{name}").startswith("socket:")
    return found


def wait_for_metric(client: Client, name: str, value: float, *, seconds: float = 10) -> None:
    wait_until(lambda: metric(client, name) == value, f"{name} is {value}", timeout_seconds=seconds, pause_seconds=0.1)


def wait_for_line(server: RunningServer, *parts: str, seconds: float = 10) -> str:
    """The first line of the log that holds all parts."""

    def lines() -> list[str]:
        return [line for line in server.process.log().splitlines() if all(part in line for part in parts)]

    return wait_until(lines, f"a log line with {parts}", timeout_seconds=seconds, pause_seconds=0.1)[0]


def serve_with(server: RunningServer, command: Sequence[str]) -> None:
    """The same server at the same address, started by another command."""
    if server.running:
        server.stop()
    server.process.start(command, folder=ROOT, environment=server.environment)
    wait_until(lambda: is_healthy(server), "the server answers", timeout_seconds=START_TIMEOUT_SECONDS)


def serve_with_files(server: RunningServer, files: int) -> None:
    """The server, with a limit on its open files that it cannot raise."""
    serve = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(server.port)]
    serve_with(server, ["prlimit", f"--nofile={files}:{files}", *serve])


def is_healthy(server: RunningServer) -> bool:
    assert server.running, f"the server ended:\n{server.process.log_tail()}"
    try:
        return httpx2.get(f"{server.url}/health", timeout=2, **LOOPBACK).status_code == 200
    except httpx2.TransportError:
        return False
