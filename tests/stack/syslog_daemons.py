"""rsyslog and syslog-ng as a user has them: with the lines of docs/feeding/syslog.md, in a folder of the test."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import ROOT
from tests.waiting import wait_until

PAGE = (ROOT / "docs" / "feeding" / "syslog.md").read_text(encoding="utf-8")
SEARCHED = os.pathsep.join([os.environ["PATH"], "/usr/sbin", str(ROOT / ".venv" / "bin")])
STOP_TIMEOUT_SECONDS = 30
SYSLOG_NG = """@version: 3.38
options { stats-freq(0); time-reopen(1); };
source s_src { unix-dgram("log"); };
"""
RSYSLOG = """module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="log" RateLimit.Interval="0")
global(workDirectory=".")
"""


def lines_of(language: str, *, tls: bool) -> str:
    """What the page has for a daemon."""
    plain, over_tls = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return over_tls if tls else plain


class SyslogDaemon:
    """A daemon that takes lines from a socket in its folder and sends them on to a port, over TLS if it is told where
    certificates are."""

    name = ""

    def __init__(self, folder: Path, *, port: int, certificates: Path | None = None) -> None:
        folder.mkdir()
        self.folder = folder
        text = lines_of(self.name, tls=certificates is not None)
        for number in ("5514", "6514"):
            text = text.replace(number, str(port))
        text = text.replace("/etc/vx11", str(certificates)).replace('resumeInterval="5"', 'resumeInterval="1"')
        (folder / "daemon.conf").write_text(self.start_of_file() + text)

    @classmethod
    def program(cls) -> str:
        """Where it is; empty when it is not installed."""
        raise NotImplementedError

    def start_of_file(self) -> str:
        raise NotImplementedError

    def words(self) -> Sequence[str]:
        raise NotImplementedError

    def start(self) -> None:
        (self.folder / "log").unlink(missing_ok=True)
        with (self.folder / "output").open("ab") as output:
            command = [self.program(), *self.words()]
            self._child = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output)
        wait_until(self._takes_lines, "the daemon takes lines", timeout_seconds=20)

    def write(self, texts: Sequence[str]) -> None:
        """As programs do, over /dev/log; waits while the daemon has no room."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(os.path.relpath(self.folder / "log"))
            for text in texts:
                sock.send(f"<13>Jan  4 01:34:28 test[7]: {text}".encode())

    def stop(self) -> None:
        self._child.send_signal(signal.SIGTERM)
        self._child.wait(STOP_TIMEOUT_SECONDS)

    def _takes_lines(self) -> bool:
        assert self._child.poll() is None, (self.folder / "output").read_text()
        return (self.folder / "log").exists()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()


class Rsyslog(SyslogDaemon):
    name = "rsyslog"

    @classmethod
    def program(cls) -> str:
        return shutil.which("rsyslogd", path=SEARCHED) or ""

    def start_of_file(self) -> str:
        return RSYSLOG.replace('"log"', f'"{self.folder / "log"}"').replace('"."', f'"{self.folder}"')

    def words(self) -> Sequence[str]:
        return ("-n", "-f", str(self.folder / "daemon.conf"), "-i", str(self.folder / "pid"))


class SyslogNg(SyslogDaemon):
    name = "syslog-ng"

    @classmethod
    def program(cls) -> str:
        return shutil.which("syslog-ng", path=SEARCHED) or ""

    def start_of_file(self) -> str:
        return SYSLOG_NG.replace('"log"', f'"{self.folder / "log"}"')

    def words(self) -> Sequence[str]:
        folder = self.folder
        places = {"cfgfile": "daemon.conf", "persist-file": "persist", "pidfile": "pid", "control": "control"}
        return ("--foreground", "--no-caps", *(f"--{name}={folder / file}" for name, file in places.items()))
