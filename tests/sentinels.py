"""A primary Redis, its replica, and the sentinels that put the replica in its place: all private to one test."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import redis

from tests.processes import OwnProcess, Started, accepts_connections, free_port
from tests.stores import PrivateRedis
from tests.waiting import wait_until

# Capitals, because no host name of a URL keeps them.
SERVICE = "Operator-Redis"
SENTINELS, QUORUM = 3, 2
# Real ones are more patient.
DOWN_AFTER_MS = 1_000


class SentinelGroup(Started):
    """`primary` and `replica` are what they were at the start. All of it wants the password."""

    def __init__(self, *, password: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vx11-sentinels-"))
        self.password = password
        self.primary, self.replica = self._server(), self._server()
        self.ports = [free_port() for _ in range(SENTINELS)]
        self._sentinels = [OwnProcess(self.folder / f"{port}.log") for port in self.ports]

    @property
    def environment(self) -> dict[str, str]:
        """For VX11 Operator."""
        return {
            "VX11_REDIS_URL": f"redis://:{self.password}@ignored/0",
            "VX11_REDIS_SENTINELS": ",".join(f"127.0.0.1:{port}" for port in self.ports),
            "VX11_REDIS_SENTINEL_SERVICE": SERVICE,
            "VX11_REDIS_SENTINEL_PASSWORD": self.password,
        }

    def primary_port(self) -> int | None:
        """Where the sentinels say that the primary is."""
        found = self._ask_sentinel("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(found[1]) if found else None

    def ask(self, server: PrivateRedis, *words: str | int) -> Any:
        return server.ask(*words, password=self.password)

    def fail_over(self) -> None:
        """As somebody does who wants to restart the primary."""
        self._ask_sentinel("SENTINEL", "FAILOVER", SERVICE)

    def kill_sentinel(self, number: int) -> None:
        self._sentinels[number].end()

    def start(self) -> None:
        own = {"requirepass": self.password, "masterauth": self.password}
        self.primary.start(**own)
        self.replica.start(**own, replicaof=f"127.0.0.1 {self.primary.port}")
        for port, process in zip(self.ports, self._sentinels, strict=True):
            # A sentinel writes what it learns into its file.
            configuration = self.folder / f"{port}.conf"
            configuration.write_text(self._configuration(port))
            environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
            # The program is the same; Debian has its other name in a package of its own.
            command = ["redis-server", str(configuration), "--sentinel"]
            process.start(command, folder=self.folder, environment=environment)
        for port in self.ports:
            wait_until(lambda port=port: accepts_connections(port), "a sentinel accepts connections")  # type: ignore[misc]
        wait_until(self._is_complete, "the sentinels know each other and the replica")

    def _is_complete(self) -> bool:
        for port in self.ports:
            with self._client(port) as sentinel:
                state = sentinel.sentinel_masters()[SERVICE]
            if state["num-other-sentinels"] != SENTINELS - 1 or state["num-slaves"] != 1:
                return False
        return bool(self.ask(self.replica, "INFO", "replication")["master_link_status"] == "up")

    def _configuration(self, port: int) -> str:
        return f"""
            {self._listening(port)}
            bind 127.0.0.1
            dir {self.folder}
            requirepass {self.password}
            sentinel sentinel-pass {self.password}
            sentinel monitor {SERVICE} 127.0.0.1 {self.primary.port} {QUORUM}
            sentinel auth-pass {SERVICE} {self.password}
            sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}
            sentinel failover-timeout {SERVICE} 5000
        """

    def _server(self) -> PrivateRedis:
        return PrivateRedis()

    def _listening(self, port: int) -> str:
        """The lines of a sentinel's configuration about where and to whom it listens."""
        return f"port {port}"

    def _client(self, port: int) -> redis.Redis:
        """Of the sentinel there."""
        return redis.Redis(port=port, password=self.password, socket_timeout=5)

    def _ask_sentinel(self, *words: str) -> Any:
        """The answer of the first that gives one."""
        for port in self.ports:
            try:
                with self._client(port) as sentinel:
                    return sentinel.execute_command(*words)
            except redis.ConnectionError:
                continue
        raise AssertionError("no sentinel answers")

    def stop(self) -> None:
        for process in self._sentinels:
            if process.running:
                process.end()
        for server in (self.primary, self.replica):
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
