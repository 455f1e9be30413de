"""The program as a stranger starts it: one command, an empty data folder, and what it prints."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.client import Client
from tests.processes import free_port
from tests.waiting import wait_until

START_SECONDS = 60


class Started:
    """A server that serves, and what it printed until then."""

    def __init__(self, url: str, printed: str) -> None:
        self.url = url
        self.printed = printed

    def client(self, kind: str) -> Client:
        """With the token that it printed: "Principal" or "Service"."""
        (token,) = re.findall(rf"{kind} token: +(\S+)", self.printed)
        return Client(self.url, token=token, credentials={token})


def plain_environment(**variables: str) -> dict[str, str]:
    """This one, without any setting of the program or of Python."""
    ours = ("VX11_", "PYTHON", "HOST", "PORT", "XDG_", "DJANGO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | variables


@contextmanager
def started(command: Sequence[str], *, folder: Path, environment: dict[str, str]) -> Iterator[Started]:
    """Runs it, with `--port`, until the block is left; it then has to end by itself when it is told to."""
    port, output = free_port(), folder / f"output-{os.urandom(4).hex()}"
    with (
        output.open("w") as file,
        subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):

        def serves() -> bool:
            assert process.poll() is None, output.read_text()
            return "serves at" in output.read_text()

        try:
            wait_until(serves, "it serves", timeout_seconds=START_SECONDS)
            yield Started(f"http://127.0.0.1:{port}", output.read_text())
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=START_SECONDS) == 0, output.read_text()
        finally:
            process.kill()
