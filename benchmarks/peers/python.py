"""Peers in Python: an ASGI application under a server of `.venv-bench`, with a Redis of its own."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import requests
from benchmarks.peers.peer import Peer
from benchmarks.wire import UnexpectedAnswer
from tests.processes import OwnProcess, accepts_connections, free_port
from tests.servers import ROOT
from tests.stores import PrivateRedis
from tests.waiting import wait_until

PROGRAMS = ROOT / ".venv-bench" / "bin"
START_TIMEOUT_SECONDS = 30
# Before `module:application`; the port follows.
DAPHNE = ("daphne", "--verbosity=0", "--bind=127.0.0.1")
UVICORN = ("uvicorn", "--log-level=warning", "--no-access-log", "--host=127.0.0.1")


@dataclass(frozen=True)
class PythonPeer:
    name: str
    server: tuple[str, ...]
    application: str
    live: bytes

    def missing(self) -> str:
        if not (PROGRAMS / self.server[0]).exists():
            return "what `make .venv-bench/.installed` installs"
        return "" if shutil.which("redis-server") else "Debian's redis-server"

    @contextmanager
    def serving(self) -> Iterator[Peer]:
        with tempfile.TemporaryDirectory(prefix="vx11-peer-") as name, PrivateRedis() as redis:
            port = free_port()
            process = OwnProcess(Path(name) / "server.log")
            process.start(
                [PROGRAMS / self.server[0], *self.server[1:], f"--port={port}", f"{self.application}:application"],
                folder=ROOT,
                environment={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "BENCH_REDIS_URL": redis.url,
                    "BENCH_REDIS_PORT": str(redis.port),
                },
            )
            try:
                wait_until(
                    lambda: self._is_up(process, port),
                    f"{self.name} accepts connections",
                    timeout_seconds=START_TIMEOUT_SECONDS,
                )
                yield self._peer(port, process.pid)
            finally:
                if process.running:
                    # It has nothing to keep, and may be too busy to hear anything else.
                    process.end(signal.SIGKILL)

    def _is_up(self, process: OwnProcess, port: int) -> bool:
        if not process.running:
            raise UnexpectedAnswer(f"{self.name} ended:\n{process.log_tail()}")
        return accepts_connections(port)

    def _peer(self, port: int, pid: int) -> Peer:
        return Peer(
            name=self.name,
            port=port,
            pids=(pid,),
            openings=(requests.opening("/events"),),
            live=self.live,
            publish=requests.publishing("/publish", requests.text()),
        )


TEXTBOOK = PythonPeer("textbook Channels on Daphne", DAPHNE, "benchmarks.peers.textbook_app", live=b": live")
EVENTSTREAM_DAPHNE = PythonPeer(
    "django-eventstream on Daphne", DAPHNE, "benchmarks.peers.eventstream_app", live=b"event: stream-open"
)
EVENTSTREAM_UVICORN = PythonPeer(
    "django-eventstream on uvicorn", UVICORN, "benchmarks.peers.eventstream_app", live=b"event: stream-open"
)
