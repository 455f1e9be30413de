"""A network of its own beside this machine's, with one cable between them that a test can pull.

A proxy will not do for that: when it stops passing bytes on, its kernel still says that they have arrived.
"""

import contextlib
import ctypes
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

CONNECT_SECONDS = 5
# Of the kernel's setns(): the descriptor is that of a network namespace.
CLONE_NEWNET = 0x40000000


class FarNetwork:
    """`near_address` is this machine's end of the cable. Needs root and iproute2."""

    def __init__(self) -> None:
        unique = secrets.token_hex(3)
        self._name = f"vx11-{unique}"
        # At most 15 characters.
        self._near, self._far = f"vx11n{unique}", f"vx11f{unique}"
        net = f"10.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}"
        self.near_address, self.far_address = f"{net}.1", f"{net}.2"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as made:
            made.callback(_ip, "netns", "del", self._name, check=False)
            _ip("netns", "add", self._name)
            # Goes with its other end, and that with its network.
            _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._name)
            _ip("address", "add", f"{self.near_address}/30", "dev", self._near)
            _ip("link", "set", self._near, "up")
            self._far_ip("address", "add", f"{self.far_address}/30", "dev", self._far)
            self.plug()
            made.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Sockets of a network that is gone keep it alive, and so its cable.
        _ip("link", "del", self._near)
        _ip("netns", "del", self._name)

    def plug(self) -> None:
        self._far_ip("link", "set", self._far, "up")

    def unplug(self) -> None:
        """From now on nothing passes, and neither side is told."""
        self._far_ip("link", "set", self._far, "down")

    def connect(self, port: int) -> socket.socket:
        """A connection from the far network to this machine."""
        with self._inside():
            return socket.create_connection((self.near_address, port), timeout=CONNECT_SECONDS)

    def listen(self) -> socket.socket:
        """A listener in the far network, which this machine reaches at `far_address`."""
        with self._inside():
            listener = socket.socket()
        listener.bind((self.far_address, 0))
        listener.listen()
        return listener

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """What this thread opens meanwhile belongs to the far network. A namespace is a property of the thread."""
        here = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self._name}", os.O_RDONLY)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)
        finally:
            os.close(here)
            os.close(there)

    def _far_ip(self, *words: str) -> None:
        _ip("-netns", self._name, *words)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0 or not check, f"ip {' '.join(words)}: {done.stderr}"
