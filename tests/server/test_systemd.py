"""What systemd hears: ready when the server listens, alive while its event loop turns, ending when it is told to."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.client import LOOPBACK
from tests.servers import RunningServer
from tests.waiting import wait_until

pytestmark = pytest.mark.once

WATCHDOG_SECONDS = 2


class Manager:
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def hears(self, *, within_seconds: float = 20) -> str:
        """The next word. Raises TimeoutError."""
        self._socket.settimeout(within_seconds)
        return self._socket.recv(256).decode()

    def falls_silent(self, seconds: float) -> bool:
        """Whether, after what was said before, nothing comes for so long."""
        for _ in range(3):
            try:
                self.hears(within_seconds=seconds)
            except TimeoutError:
                return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a file", "a name"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify") if request.param == "a file" else f"@vx11-test-{tmp_path.name}")
    yield manager
    manager.close()


def a_server(tmp_path: Path, **environment: str) -> RunningServer:
    server = RunningServer(tmp_path / "server", environment)
    server.manage("migrate", "--no-input")
    return server


def test_systemd_hears_when_it_is_ready_alive_and_ending(manager: Manager, tmp_path: Path) -> None:
    usec = str(WATCHDOG_SECONDS * 1_000_000)
    server = a_server(tmp_path, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC=usec)
    server.start()
    try:
        assert manager.hears() == "READY=1"
        assert httpx2.get(f"{server.url}/health", **LOOPBACK).status_code == 200
        assert [manager.hears() for _ in range(3)] == ["WATCHDOG=1"] * 3
        server.process.send(signal.SIGSTOP)
        assert manager.falls_silent(WATCHDOG_SECONDS)
        server.process.send(signal.SIGCONT)
        assert manager.hears() == "WATCHDOG=1"
    finally:
        assert server.stop() == 0
    wait_until(lambda: manager.hears() == "STOPPING=1", "it is told that the server ends")


def test_without_a_watchdog_only_readiness_is_told(manager: Manager, tmp_path: Path) -> None:
    server = a_server(tmp_path, NOTIFY_SOCKET=manager.address)
    server.start()
    assert manager.hears() == "READY=1"
    assert server.stop() == 0
    assert manager.hears() == "STOPPING=1"


def test_nobody_who_listens_is_no_reason_not_to_serve(tmp_path: Path) -> None:
    server = a_server(tmp_path, NOTIFY_SOCKET=str(tmp_path / "nobody"), WATCHDOG_USEC="1000000")
    server.start()
    wait_until(lambda: httpx2.get(f"{server.url}/health", **LOOPBACK).status_code == 200, "it serves")
    assert server.stop() == 0
