"""Records that were read wait here until they are on disk; who sent them is read on only then. No Django, one loop.

The gate is closed while the spool is full, while too many records wait in memory, and while more come than the limit
of records per second: then connections are not read, so that their senders wait, and datagrams are dropped.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

import orjson

from vx11_client.spool.disk_queue import Spool
from vx11_client.spool.records import SyslogRecord, Transport
from vx11_client.syslog.framing import Frame
from vx11_client.syslog.limits import MEMORY_LIMIT_RECORDS, Limits
from vx11_client.syslog.tally import DROPPED, Tally
from vx11_client.terminal_text import shown

# How long a disk that takes nothing is left alone.
DISK_WAIT_SECONDS = 1.0


class Sender(Protocol):
    """What is paused while its records are not on disk, or while the gate is closed."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Intake:
    """Takes records of all senders, in the order of their arrival."""

    def __init__(self, spool: Spool, limits: Limits, tally: Tally) -> None:
        self._spool = spool
        self._limits = limits
        self._tally = tally
        self._pending: list[SyslogRecord] = []
        self._in_write = 0
        self._unwritten: set[Sender] = set()
        self._senders: set[Sender] = set()
        self._changed = asyncio.Event()
        self._room = float(limits.records_per_second)
        self._room_at = time.monotonic()
        self._is_open = True
        self._is_ending = False
        self._trouble = ""

    def add(self, sender: Sender) -> None:
        self._senders.add(sender)
        if not self._is_open:
            sender.pause()

    def remove(self, sender: Sender) -> None:
        self._senders.discard(sender)
        self._unwritten.discard(sender)

    def take(self, frames: Sequence[Frame], sender: Sender, *, peer: str, transport: Transport) -> None:
        """Of a connection, which is not read again before these are on disk."""
        self._unwritten.add(sender)
        sender.pause()
        self._add(frames, peer=peer, transport=transport)

    def take_datagram(self, frame: Frame, *, peer: str) -> None:
        """Without waiting: it is dropped when the gate is closed."""
        if reason := self.closed_reason():
            self._tally.count(f"udp_{reason}", detail=peer)
        else:
            self._add((frame,), peer=peer, transport=Transport.UDP)

    def closed_reason(self) -> str:
        """Why nothing more may be read: `full`, `memory`, `rate`; empty when more may."""
        if self._spool.is_full:
            return "full"
        if len(self._pending) + self._in_write >= MEMORY_LIMIT_RECORDS:
            return "memory"
        return "rate" if self._refilled() < 1 else ""

    def announce_missing(self) -> None:
        """Says in the log that records are missing, in their place, once there is room for that."""
        missing = self._tally.missing()
        if not missing or self.closed_reason():
            return
        count = sum(missing.values())
        reasons = "; ".join(f"{number} {DROPPED[kind]}" for kind, number in missing.items())
        payload = {"dropped": count, **{f"dropped_{kind}": number for kind, number in missing.items()}}
        content = orjson.dumps(
            {"summary": f"{count} records are missing before this one. {reasons}", "payload": payload}
        )
        self._pending.append(SyslogRecord(content, len(content), _now_us(), "", Transport.OWN))
        self._tally.announced(missing)
        self._changed.set()

    async def run(self) -> None:
        """Writes what comes, until end() was called and all is written. All that waits is one write."""
        while self._pending or not self._is_ending:
            self._changed.clear()
            self.update_gate()
            if self._pending:
                await self._write()
            else:
                await self._wait()

    def end(self) -> None:
        """Nothing more will be taken."""
        self._is_ending = True
        self._changed.set()

    def update_gate(self) -> None:
        """Pauses or resumes the senders."""
        is_open = not self.closed_reason()
        if is_open is self._is_open:
            return
        self._is_open = is_open
        for sender in self._senders - self._unwritten:
            if is_open:
                sender.resume()
            else:
                sender.pause()

    def wake(self) -> None:
        """The spool has room again."""
        self._changed.set()

    def _add(self, frames: Sequence[Frame], *, peer: str, transport: Transport) -> None:
        now = _now_us()
        self._pending += [SyslogRecord(frame.content, frame.total_bytes, now, peer, transport) for frame in frames]
        self._tally.taken += len(frames)
        if cut := sum(frame.is_cut for frame in frames):
            self._tally.count("cut", cut, detail=peer)
        self._room = self._refilled() - len(frames)
        self._changed.set()
        self.update_gate()

    def _refilled(self) -> float:
        now = time.monotonic()
        rate = self._limits.records_per_second
        self._room = min(float(rate), self._room + (now - self._room_at) * rate)
        self._room_at = now
        return self._room

    async def _wait(self) -> None:
        """For the next record, or until the rate allows one more."""
        room = self._refilled()
        seconds = None if room >= 1 else (1 - room) / self._limits.records_per_second
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _write(self) -> None:
        """Waits until the disk takes it. Senders that send meanwhile are in the next write."""
        senders = set(self._unwritten)
        records, self._pending = self._pending, []
        self._in_write = len(records)
        # Nothing but another try says whether a disk has room again.
        while not await self._written(records):  # noqa: ASYNC110
            await asyncio.sleep(DISK_WAIT_SECONDS)
        self._unwritten -= senders
        if self._is_open:
            for sender in senders & self._senders:
                sender.resume()

    async def _written(self, records: list[SyslogRecord]) -> bool:
        try:
            await asyncio.to_thread(self._spool.append, records)
        except OSError as error:
            self._note_trouble(f"the spool cannot be written: {error.strerror or error}; nothing is read meanwhile")
            return False
        self._in_write = 0
        self._note_trouble("")
        return True

    def _note_trouble(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._tally.note(shown(text) if text else "the spool is written again")


def _now_us() -> int:
    return time.time_ns() // 1000
