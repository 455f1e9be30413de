"""Private servers of VX11 Operator itself."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.django_shell import DjangoShell
from tests.processes import OwnProcess, free_port, run_program
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_SECONDS = 30
COMMAND_TIMEOUT_SECONDS = 60


def prepare_sqlite(folder: Path) -> None:
    """Makes a migrated SQLite file in that folder."""
    RunningServer(folder, {"VX11_DATA_DIR": str(folder)}).manage("migrate", "--no-input")


class RunningServer:
    """`manage.py serve` on a free port, of 127.0.0.1 unless told otherwise, which it keeps over restarts.

    `environment` holds the VX11_ variables; those of the test run itself do not reach the server. `checkout` is what it
    runs, from its next start on.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, host: str = "127.0.0.1", port: int | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.port = port or free_port()
        self.url = f"http://{host}:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("VX11_", "DJANGO_"))},
            # Otherwise a line stays in a buffer when the server is killed.
            "PYTHONUNBUFFERED": "1",
            "VX11_DATA_DIR": str(folder / "data"),
            **environment,
        }
        self.process = OwnProcess(folder / f"serve-{self.port}.log")
        self.checkout = ROOT
        self._log_read_bytes = 0
        self._shell: DjangoShell | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.running

    def start(self) -> None:
        self.begin()
        self.wait_until_healthy()

    def begin(self) -> None:
        """Starts it and does not wait: others may be started meanwhile."""
        command = [sys.executable, "manage.py", "serve", "--host", self.host, "--port", str(self.port)]
        self.process.start(command, folder=self.checkout, environment=self.environment)

    def wait_until_healthy(self) -> None:
        wait_until(self._is_healthy, f"{self.url}/health answers 200", timeout_seconds=START_TIMEOUT_SECONDS)

    @property
    def data(self) -> Path:
        return Path(self.environment["VX11_DATA_DIR"])

    def stop(self) -> int:
        """Ends the server in order (SIGTERM) and gives its exit code."""
        return self.process.end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server as a crash would (SIGKILL)."""
        self.process.end(signal.SIGKILL)

    def restart(self) -> None:
        if self.running:
            self.stop()
        self.start()

    def manage(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs a management command with the environment of this server; gives what it printed."""
        done = self.run_manage(*arguments, stdin=stdin)
        assert done.returncode == 0, f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run_manage(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return run_program(
            [sys.executable, "manage.py", *arguments],
            folder=self.checkout,
            environment=self.environment,
            stdin=stdin or "",
            timeout_seconds=COMMAND_TIMEOUT_SECONDS,
        )

    def python(self, code: str) -> str:
        """Runs code beside the server, with Django set up as it has it; gives what that printed.

        For what tests need to be there, or want to know: it takes no process of its own, as a command does.
        """
        if self._shell is None or self._shell.environment != self.environment or self._shell.folder != self.checkout:
            self.close_shell()
            self._shell = DjangoShell(folder=self.checkout, environment=self.environment)
        return self._shell.run(code)

    def close_shell(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell = None

    def new_log(self) -> str:
        """What the server wrote since the last call."""
        new = self.process.log_from(self._log_read_bytes)
        self._log_read_bytes += len(new)
        return new.decode("utf-8", "replace")

    def _is_healthy(self) -> bool:
        assert self.running, f"the server ended with {self.process.exit_code}:\n{self.process.log_tail()}"
        # Not httpx2: a server that starts is asked thirty times, and each refusal takes it 1 ms of CPU.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
