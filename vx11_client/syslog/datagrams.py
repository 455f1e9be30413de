"""Senders over UDP: one datagram is one record (RFC 5426), and is dropped when there is no room for it. No Django."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

from vx11_client.syslog.framing import Frame
from vx11_client.syslog.intake import Intake
from vx11_client.syslog.limits import DATAGRAM_BUFFER_BYTES, DATAGRAMS_PER_TURN, Limits
from vx11_client.syslog.tally import Tally

# The largest that there is.
DATAGRAM_LIMIT_BYTES = 64 * 1024
# At the end, a flood is read no longer than this.
TURNS_AT_END = 40
_ENDS = b"\r\n\0"


class DatagramReader:
    """Reads one socket, some datagrams at a time."""

    def __init__(self, sock: socket.socket, intake: Intake, limits: Limits, tally: Tally) -> None:
        self._socket = sock
        self._intake = intake
        self._limits = limits
        self._tally = tally
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER_BYTES)
        self._dropped_by_system = 0
        asyncio.get_running_loop().add_reader(sock, self.read)

    def read(self) -> bool:
        """Whether more may be there."""
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                data, address = self._socket.recvfrom(DATAGRAM_LIMIT_BYTES)
            except OSError:
                # None is there; or an answer of a network to what another program has sent.
                return False
            if content := data.rstrip(_ENDS):
                frame = Frame(content[: self._limits.line_bytes], len(content))
                self._intake.take_datagram(frame, peer=str(address[0]))
        return True

    def check(self) -> None:
        """Counts what the system has dropped since the last call."""
        dropped = dropped_by_system(self._socket)
        if dropped > self._dropped_by_system:
            self._tally.count("udp_kernel", dropped - self._dropped_by_system)
            self._dropped_by_system = dropped

    def close(self) -> None:
        """Reads what is there, and closes the socket."""
        asyncio.get_running_loop().remove_reader(self._socket)
        for _ in range(TURNS_AT_END):
            if not self.read():
                break
        self.check()
        self._socket.close()


def dropped_by_system(sock: socket.socket) -> int:
    """Datagrams that found no room in this socket's buffer. Linux counts them; others do not say: 0."""
    inode = str(os.fstat(sock.fileno()).st_ino)
    table = Path("/proc/net/udp6" if sock.family == socket.AF_INET6 else "/proc/net/udp")
    try:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return 0
    return next((int(row[-1]) for row in rows if len(row) > 10 and row[9] == inode), 0)
