"""Private processes of a test: started on a free port, stopped by the test that started them, nobody else's touched."""

import abc
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from tests import prepared
from tests.fork_server import ForkedProcess, ForkServer

# One for each process that runs tests; it begins with the first program.
FORK_SERVER = ForkServer()
STOP_TIMEOUT_SECONDS = 20
LOG_TAIL_LINES = 40


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def accepts_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    stdin: str = "",
    timeout_seconds: float,
    fork_server: ForkServer = FORK_SERVER,
) -> subprocess.CompletedProcess[str]:
    """Runs one of our scripts to its end, as `subprocess.run` does."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        given.write(stdin.encode())
        given.seek(0)
        files = (given, said, complained)
        child = start_program(command, folder=folder, environment=environment, files=files, fork_server=fork_server)
        try:
            code = child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            raise
        return subprocess.CompletedProcess(command, code, _text(said), _text(complained))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    # As a text stream has it.
    return file.read().decode().replace("\r\n", "\n")


def start_program(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    files: Sequence[HasDescriptor],
    user: str | None = None,
    fork_server: ForkServer = FORK_SERVER,
) -> "ForkedProcess | subprocess.Popen[bytes]":
    """A child in a session of its own; `files` are its input, its output and its error output."""
    prepared.note_start(command)
    descriptors = [file.fileno() for file in files]
    if user is None and fork_server.can_start(command, environment):
        return fork_server.start(command, folder=folder, environment=environment, files=descriptors)
    stdin, stdout, stderr = descriptors
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        start_new_session=True,
    )


class Started(abc.ABC):
    """What runs for the length of a `with` block: stopped after it, and also when not all of it came up."""

    @abc.abstractmethod
    def start(self) -> None: ...

    @abc.abstractmethod
    def stop(self) -> None: ...

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class OwnProcess:
    """A child of this test run, with its output in a log file. Signals go to this child and to nothing else."""

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self._child: ForkedProcess | subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, "not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._child is None else self._child.poll()

    def start(
        self, command: Sequence[str | Path], *, folder: Path, environment: Mapping[str, str], user: str | None = None
    ) -> None:
        assert not self.running, "already running"
        # Ctrl-C in the terminal is for the test run, which then stops its servers in order: so each has its session.
        with self.log_path.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            files = (nothing, log, log)
            self._child = start_program(command, folder=folder, environment=environment, files=files, user=user)

    def send(self, number: signal.Signals) -> None:
        assert self._child is not None, "not started"
        assert self._child.poll() is None, f"already ended with {self._child.returncode}:\n{self.log_tail()}"
        assert parent_of(self._child.pid) == os.getpid(), "not a child of this test run"
        self._child.send_signal(number)

    def wait(self, *, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> int:
        assert self._child is not None, "not started"
        return self._child.wait(timeout_seconds)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends the child and gives its exit code; one that does not obey in time is killed, and that is an error."""
        if self.running:
            self.send(number)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.wait()
            raise AssertionError(
                f"did not end by {number.name} in {STOP_TIMEOUT_SECONDS} s:\n{self.log_tail()}"
            ) from None

    def log(self) -> str:
        return self.log_from(0).decode("utf-8", "replace")

    def log_from(self, start_bytes: int) -> bytes:
        """What stands in the log after so many bytes."""
        if not self.log_path.exists():
            return b""
        with self.log_path.open("rb") as log:
            log.seek(start_bytes)
            return log.read()

    def log_tail(self) -> str:
        return "\n".join(self.log().splitlines()[-LOG_TAIL_LINES:])
