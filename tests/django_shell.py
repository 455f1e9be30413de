"""Python with Django set up as a server has it, in a process that stays: for tests that ask or change its database.

A command of its own for each question would take two hundred times as long. Commands have tests of their own.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.fork_server import ForkedProcess
from tests.processes import start_program

ANSWER_LIMIT_SECONDS = 60
# What the process runs: a line of JSON is the code; what it printed, or why it failed, is the answer. Django's
# shell has imported all models.
LOOP = """
import contextlib, io, json, sys, traceback
from django.db import connections
for line in sys.stdin:
    printed, error = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(json.loads(line), dict(globals()))
        except BaseException:
            error = traceback.format_exc()
    # The next code must not see what this one began, and a database is only copied when no connection is open.
    connections.close_all()
    sys.__stdout__.write(json.dumps([printed.getvalue(), error]) + chr(10))
    sys.__stdout__.flush()
"""


class DjangoShell:
    """Starts with the first code that it is given."""

    def __init__(self, *, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self._process: ForkedProcess | subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def run(self, code: str) -> str:
        """What the code printed. Raises AssertionError with its traceback, if it has one."""
        channel = self._channel or self._begin()
        with channel.makefile("rw", encoding="utf-8") as lines:
            lines.write(json.dumps(code) + "\n")
            lines.flush()
            answer = lines.readline()
        assert answer, "the shell has ended"
        printed, error = json.loads(answer)
        assert not error, f"{code}\nfailed:\n{error}"
        return str(printed)

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(ANSWER_LIMIT_SECONDS)
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", LOOP]
        with theirs, Path(os.devnull).open("wb") as nothing:
            self._process = start_program(
                command, folder=self.folder, environment=self.environment, files=(theirs, theirs, nothing)
            )
        self._channel = ours
        return ours

    def close(self) -> None:
        if self._channel is not None and self._process is not None:
            self._channel.close()
            self._process.wait()
        self._channel = self._process = None

    def __del__(self) -> None:
        self.close()
