"""A management command that runs while a test goes on: its input, its outputs, its signals and its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import ROOT
from tests.waiting import wait_until

END_TIMEOUT_SECONDS = 20
# A test run in the background of a shell ignores Ctrl-C, and what it starts would too.
DEAF_NO_MORE = ("env", "--default-signal=INT")


class RunningCommand:
    """`manage.py ...` as a child of the test. `out` and `err` are what it has written so far.

    `yields` to the test that watches it, which must not miss what happens on a machine that is busy.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *arguments: str, yields: bool = False) -> None:
        self._out, self._err = (folder / f"{arguments[0]}.{name}" for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._child = subprocess.Popen(
                [*DEAF_NO_MORE, *(["nice", "-n", "19"] if yields else []), sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def write(self, data: bytes) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(data)
        self._child.stdin.flush()

    def close_input(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()

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
        if self._child.stdin is not None and not self._child.stdin.closed:
            self._child.stdin.close()
