"""A management command that runs while a test goes on: its input, its outputs, its signals and its end."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.processes import start_program
from tests.servers import ROOT
from tests.waiting import wait_until

END_TIMEOUT_SECONDS = 20


class RunningCommand:
    """`manage.py ...` as a child of the test. `out` and `err` are what it has written so far.

    `yields` to the test that watches it, which must not miss what happens on a machine that is busy.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *arguments: str, yields: bool = False) -> None:
        self._out, self._err = (folder / f"{arguments[0]}.{name}" for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            reading, writing = os.pipe()
            with open(reading, "rb") as stdin:
                command = [sys.executable, "manage.py", *arguments]
                self._child = start_program(command, folder=ROOT, environment=environment, files=(stdin, out, err))
            self._stdin = open(writing, "wb", buffering=0)  # noqa: SIM115 - closed at the end, or by the test
        if yields:
            os.setpriority(os.PRIO_PROCESS, self._child.pid, 19)

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def write(self, data: bytes) -> None:
        self._stdin.write(data)

    def close_input(self) -> None:
        self._stdin.close()

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._child.send_signal(number)

    def says(self, text: str) -> None:
        """Waits until standard error holds the text."""
        wait_until(lambda: self._alive_or_said(text), f"the command says {text!r}", timeout_seconds=20)

    def end(self) -> int:
        """Waits for the end, and gives the exit code."""
        return self._child.wait(END_TIMEOUT_SECONDS)

    def _alive_or_said(self, text: str) -> bool:
        said = text in self.err
        assert said or self._child.poll() is None, f"ended with {self._child.returncode}:\n{self.err}"
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            os.kill(self._child.pid, signal.SIGKILL)
            self._child.wait(END_TIMEOUT_SECONDS)
        self._stdin.close()
