"""What a receiver has to say: lines for standard error, never many of one kind, and the figures of its end. No Django.

A sender decides how often something happens, so that each kind is counted and written at most once in NOTE_SECONDS.
"""

import collections
import threading
import time
from collections.abc import Callable, Mapping

from vx11_client.terminal_text import shown

NOTE_SECONDS = 10.0
# Records that are missing in the log.
DROPPED = {
    "udp_full": "UDP records were dropped: the gateway takes none, and the spool is full",
    "udp_rate": "UDP records were dropped: more come than the limit of records per second",
    "udp_memory": "UDP records were dropped: they come faster than the disk takes them",
    "udp_kernel": "UDP records were dropped by the system: they come faster than they are read",
}
KINDS = {
    **DROPPED,
    "cut": "records were longer than the limit of a line, and were cut",
    "half": "records came without their end, and were left out",
    "connections": "connections were refused: the limit of connections is reached",
    "address": "connections were refused: the limit of connections of one address is reached",
    "files": "times no connection could be taken: the system has no room for more",
    "idle": "connections were closed: nothing came for the limit of idle time",
    "slow": "connections were closed: a record had begun and did not end",
    "frame": "connections were closed: a record of more than 1 MiB was announced",
    "tls": "connections failed in the handshake of TLS",
    "left_out": "records were refused by the gateway and left out",
}


class Tally:
    """Counts by kind, and writes. Safe for threads."""

    def __init__(self, write: Callable[[str], object], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: collections.Counter[str] = collections.Counter()
        self._written: collections.Counter[str] = collections.Counter()
        self._written_at: dict[str, float] = {}
        self._details: dict[str, str] = {}
        self._announced: collections.Counter[str] = collections.Counter()
        self.taken = 0
        self.published = 0
        self.known = 0
        """Of those that were published, so many were in the log before."""

    def count(self, kind: str, number: int = 1, *, detail: str = "") -> None:
        """`kind` is one of KINDS. `detail` is shown of the last one."""
        with self._lock:
            self._counts[kind] += number
            self._details[kind] = detail
        self._write_due(kind)

    def of(self, kind: str) -> int:
        with self._lock:
            return self._counts[kind]

    def note(self, text: str) -> None:
        """A line that is not about what senders do."""
        self._write(text)

    def tick(self) -> None:
        """Writes what has waited long enough."""
        for kind in KINDS:
            self._write_due(kind)

    def flush(self) -> None:
        for kind in KINDS:
            self._write_due(kind, even_if_soon=True)

    def missing(self) -> Mapping[str, int]:
        """Records that were dropped, and of which nothing in the log says so, by kind."""
        with self._lock:
            return {kind: left for kind in DROPPED if (left := self._counts[kind] - self._announced[kind])}

    def announced(self, missing: Mapping[str, int]) -> None:
        with self._lock:
            self._announced.update(missing)

    @property
    def dropped(self) -> int:
        with self._lock:
            return sum(self._counts[kind] for kind in DROPPED)

    def summary(self, *, waiting: int) -> str:
        left = f"; {waiting} wait in the spool for the next start" if waiting else ""
        known = f" ({self.known} were in the log before)" if self.known else ""
        return f"{self.taken} records taken, {self.published} published{known}, {self.dropped} dropped{left}"

    def _write_due(self, kind: str, *, even_if_soon: bool = False) -> None:
        with self._lock:
            new = self._counts[kind] - self._written[kind]
            is_soon = self._clock() - self._written_at.get(kind, -NOTE_SECONDS) < NOTE_SECONDS
            if not new or (is_soon and not even_if_soon):
                return
            self._written[kind] += new
            self._written_at[kind] = self._clock()
            detail = self._details[kind]
        self._write(f"{new} {KINDS[kind]}{f' (last: {shown(detail)})' if detail else ''}")
