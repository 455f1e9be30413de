"""Starts our programs without their imports: one process has imported the libraries, each program is a fork of it.

Two thirds of the CPU that a server takes to start is spent on importing other people's packages. They are the same for
every server, so a test run imports them once. What is ours is imported by each program, after the fork: it reads its
settings from the environment, and may be another checkout. A program that is started in this way is `python SCRIPT ...`
in all that tests can see of it but its command line in /proc.

This file is run by its path, in an interpreter that knows none of our packages; `ForkServer` is its client.
"""

import array
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

# All that `serve` imports of other packages and that reads no settings. Nothing here may start a thread or import
# Twisted's reactor: Daphne chooses which one.
LIBRARIES = (
    "asyncio", "sqlite3", "ssl", "uuid", "zoneinfo", "unittest.mock",
    "django.contrib.admin.utils", "django.contrib.auth.hashers", "django.contrib.postgres.fields",
    "django.core.handlers.asgi", "django.core.mail", "django.core.management.commands.shell",
    "django.core.serializers.json", "django.db.backends.postgresql.base", "django.db.backends.sqlite3.base",
    "django.db.migrations.executor", "django.db.models", "django.forms", "django.http", "django.template.loader",
    "django.test", "django.urls", "django.views.debug",
    "autobahn.twisted.websocket", "channels.consumer", "channels.layers", "channels.routing", "cryptography.x509",
    "httpx2", "inflection", "jsonschema", "limits.aio.storage", "limits.aio.strategies", "OpenSSL.SSL",
    "orjson", "prometheus_client", "psycopg", "pygments.formatters.html", "redis.asyncio", "redis.sentinel", "requests",
    "rest_framework.exceptions", "stringprep", "twisted.internet.posixbase", "twisted.internet.ssl",
    "twisted.internet.tcp", "twisted.web.http", "twisted.web.server", "uritemplate", "whitenoise", "yaml",
)  # fmt: skip
# A program whose environment differs in these must begin as an interpreter of its own.
READ_BY_THE_INTERPRETER = (
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "LD_PRELOAD",
    "LC_ALL",
)
REQUEST_LIMIT_BYTES = 1024 * 1024
# The first request waits until the libraries are imported, on a machine that may be busy.
ANSWER_LIMIT_SECONDS = 60
PR_SET_CHILD_SUBREAPER = 36


class ForkedProcess:
    """What `subprocess.Popen` offers of a child, for one that the fork server made."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        # Becomes readable at the end of the process.
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            ended = select.poll()
            ended.register(self._descriptor, select.POLLIN)
            if not ended.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._descriptor)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)


class ForkServer:
    """The process with the libraries: started by the first program that it is asked for, ended by `close`."""

    def __init__(self, libraries: Sequence[str] = LIBRARIES) -> None:
        self._libraries = libraries
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._turn = threading.Lock()

    def can_start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> bool:
        """Whether `command` is a script for this very interpreter, in an environment that does not change it."""
        own = os.environ
        return (
            hasattr(os, "pidfd_open")
            and str(command[0]) == sys.executable
            and len(command) > 1
            and str(command[1]).endswith(".py")
            and all(environment.get(name) == own.get(name) for name in READ_BY_THE_INTERPRETER)
        )

    def start(
        self, command: Sequence[str | Path], *, folder: Path, environment: Mapping[str, str], files: Sequence[int]
    ) -> ForkedProcess:
        """A child of this process, in a session of its own. `files` become its input, output and error output."""
        request = {"arguments": [str(word) for word in command[1:]], "folder": str(folder), "environment": environment}
        with self._turn:
            channel = self._channel or self._begin()
            _send(channel, json.dumps(request).encode(), files)
            answer = channel.recv(100)
        assert answer, "the fork server has ended"
        return ForkedProcess(int(answer))

    def _begin(self) -> socket.socket:
        # The server's grandchildren, whose parents end at once, become children of this process.
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            environment = {name: text for name, text in os.environ.items() if not name.startswith(("VX11_", "DJANGO_"))}
            self._process = subprocess.Popen(
                # Unbuffered, as servers and commands of tests are.
                [sys.executable, "-u", __file__, str(theirs.fileno()), *self._libraries],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.settimeout(ANSWER_LIMIT_SECONDS)
        self._channel = ours
        return ours

    def close(self) -> None:
        if self._channel is not None and self._process is not None:
            self._channel.close()
            self._process.wait()
        self._channel = self._process = None


def _send(channel: socket.socket, message: bytes, files: Sequence[int]) -> None:
    assert len(message) < REQUEST_LIMIT_BYTES
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * REQUEST_LIMIT_BYTES)
    channel.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])


# --- The server's side ---


def _next_program(channel: socket.socket) -> dict[str, Any]:
    """Returns in each child that becomes a program, and nowhere else."""
    while True:
        message, files, _, _ = socket.recv_fds(channel, REQUEST_LIMIT_BYTES, 3)
        if not message:
            os._exit(0)
        reading, writing = os.pipe()
        if (between := os.fork()) == 0:
            if program := os.fork():
                os.write(writing, str(program).encode())
                os._exit(0)
            for file in (channel.detach(), reading, writing):
                os.close(file)
            return {**json.loads(message), "files": files}
        # Only when the one between has ended is the program a child of the test run.
        os.waitpid(between, 0)
        channel.send(os.read(reading, 100))
        for file in (*files, reading, writing):
            os.close(file)


def _become(program: dict[str, Any]) -> None:
    os.setsid()
    # A test run in the background of a shell ignores Ctrl-C, and one under nohup the end of its terminal. What the run
    # starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for target, file in enumerate(program["files"]):
        os.dup2(file, target)
        os.close(file)
    _open_streams()
    os.chdir(program["folder"])
    os.environ.clear()
    os.environ.update(program["environment"])
    sys.argv = program["arguments"]
    # As Python does for a script: it finds what lies beside it.
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)


def _open_streams() -> None:
    """Anew: what there was has asked, before the fork, whether its files can be read at any place."""
    for file, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        # As Python opens them with -u.
        binary = open(file, "wb" if file else "rb", buffering=0 if file else -1, closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(
            binary, before.encoding, before.errors, newline="\n" if file else None, write_through=bool(file)
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _import_libraries(names: Sequence[str]) -> None:
    for name in names:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a library has started a thread"
    assert "twisted.internet.reactor" not in sys.modules, "a library has chosen a reactor"
    # Collections of garbage in the programs do not touch, and so do not copy, what they share.
    gc.collect()
    gc.freeze()


def _main() -> NoReturn:
    channel = socket.socket(fileno=int(sys.argv[1]))
    _import_libraries(sys.argv[2:])
    program = _next_program(channel)
    _become(program)
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    _main()
