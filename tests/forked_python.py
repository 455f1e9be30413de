"""A program that stands where a page says `.venv/bin/python`: what it runs is a fork, as in other tests.

A shell starts it as any program. It hands its arguments, folder, environment and open files to the test run, which
starts a fork with them, and it ends as that fork ends. An interpreter of its own takes a second of CPU to import the
libraries.
"""

import contextlib
import json
import select
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fork_server import REQUEST_LIMIT_BYTES
from tests.processes import start_program

# How often it is asked whether the program in the shell is still there.
LOOK_SECONDS = 0.1
# Without the site's packages and the caller's settings, an interpreter begins in ten milliseconds.
PROGRAM = """#!{python} -IS
import array, json, os, signal, socket, sys
channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, {limit})
channel.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
channel.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
# What reads from it or writes to it must see the end of the fork, and not that of this program.
os.closerange(0, 3)
code = int(channel.recv(100))
if code < 0:
    if -code in (signal.SIGINT, signal.SIGPIPE):
        # The two that Python takes for itself.
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def forked_python(path: Path) -> Iterator[Path]:
    """Makes that file, a program, for the length of the block. What it still runs at the end is ended."""
    with tempfile.TemporaryDirectory() as folder:
        # The path of a socket may have a hundred bytes.
        address = f"{folder}/calls"
        path.write_text(PROGRAM.format(python=sys.executable, limit=2 * REQUEST_LIMIT_BYTES, address=address))
        path.chmod(0o755)
        with _Calls(address, _Call) as calls:
            thread = threading.Thread(target=calls.serve_forever, args=(LOOK_SECONDS,))
            thread.start()
            try:
                yield path
            finally:
                calls.ended.set()
                calls.shutdown()
                thread.join()


class _Calls(socketserver.ThreadingUnixStreamServer):
    """Leaving it waits for the threads of all calls."""

    socket_type = socket.SOCK_SEQPACKET

    def __init__(self, address: str, handler: type["_Call"]) -> None:
        self.ended = threading.Event()
        super().__init__(address, handler)


class _Call(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Calls

    def handle(self) -> None:
        message, files, _, _ = socket.recv_fds(self.request, REQUEST_LIMIT_BYTES, 3)
        with contextlib.ExitStack() as opened:
            given = [opened.enter_context(open(file, "rb", buffering=0)) for file in files]
            arguments, folder, environment = json.loads(message)
            command = [sys.executable, *arguments]
            child = start_program(command, folder=Path(folder), environment=environment, files=given)
        while (code := self._exit_code(child.wait)) is None:
            if self.server.ended.is_set() or self._caller_is_gone():
                child.send_signal(signal.SIGTERM)
        with contextlib.suppress(OSError):
            self.request.send(str(code).encode())

    def _exit_code(self, wait: Callable[[float], int]) -> int | None:
        try:
            return wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _caller_is_gone(self) -> bool:
        """It sends nothing more: what can be read is the end."""
        return bool(select.select([self.request], [], [], 0)[0])
