"""`manage.py receive_syslog` as a child of a test, and senders that write what the test says."""

import contextlib
import re
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.client import Client
from tests.processes import free_port
from tests.stack.module_log import summaries
from tests.stack.running_command import RunningCommand
from tests.stacks import Stack
from tests.waiting import wait_until

SEND_TIMEOUT_SECONDS = 20


class SyslogReceiver(RunningCommand):
    """Listens at ports that stay over restarts: `tcp`, `udp` and, with certificates in `tls`, `tls`.

    `yields` as RunningCommand. It has a folder of its own for its spool.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *arguments: str,
        url: str,
        ports: Mapping[str, int] | None = None,
        certificates: Path | None = None,
    ) -> None:
        self.ports = dict(ports or {name: free_port() for name in ("tcp", "udp", "tls")})
        self.spool = folder / "spool"
        words = ["receive_syslog", "--url", url, "--spool", str(self.spool), "--timezone", "UTC"]
        words += ["--tcp", str(self.ports["tcp"]), "--udp", str(self.ports["udp"])]
        if certificates:
            words += ["--tls", str(self.ports["tls"])]
            words += ["--certificate", str(certificates / "server.crt"), "--key", str(certificates / "server.key")]
        super().__init__(folder, environment, *words, *arguments)
        self.says("listening at")

    def connect(self, *, tls: ssl.SSLContext | None = None) -> socket.socket:
        port = self.ports["tls" if tls else "tcp"]
        sock = socket.create_connection(("127.0.0.1", port), timeout=SEND_TIMEOUT_SECONDS)
        return tls.wrap_socket(sock, server_hostname="localhost") if tls else sock

    def send(self, data: bytes) -> None:
        """Over TCP; returns when the receiver has read it to its end."""
        with self.connect() as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1):
                pass

    def send_datagram(self, data: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(data, ("127.0.0.1", self.ports["udp"]))

    def has_noticed(self, times: int) -> bool:
        """Whether the gateway was away so often."""
        return self.err.count("trying again until") >= times

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.end()

    def stop(self) -> str:
        """Ends it in order; gives its last line."""
        self.signal()
        assert self.end() == 0, self.err
        return self.err.splitlines()[-1]

    def waits_for(self, pattern: str) -> "re.Match[str]":
        """Until what it writes matches."""
        wait_until(lambda: re.search(pattern, self.err), f"{pattern!r} in {self.err}", timeout_seconds=30)
        found = re.search(pattern, self.err)
        assert found is not None
        return found


@contextlib.contextmanager
def starting(folder: Path, stack: Stack, module: str) -> Iterator[Callable[..., SyslogReceiver]]:
    """Starts receivers for the stack, or for another `url`, that publish events of this module."""
    with contextlib.ExitStack() as running:

        def start_receiver(*arguments: str, url: str = "", certificates: Path | None = None) -> SyslogReceiver:
            words = (*arguments, "--module", module)
            receiver = SyslogReceiver(
                folder, stack.a.environment, *words, url=url or stack.a.url, certificates=certificates
            )
            return running.enter_context(receiver)

        yield start_receiver


def await_summaries(principal: Client, module: str, expected: list[str]) -> None:
    wait_until(lambda: len(summaries(principal, module)) >= len(expected), f"{len(expected)} events are in the log")
    assert sorted(summaries(principal, module)) == sorted(expected)
