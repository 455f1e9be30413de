"""Senders over TCP and TLS: a piece is read, and the next one once its records are on disk. No Django."""

import asyncio
from collections.abc import Callable
from typing import cast

from vx11_client.spool.records import Transport
from vx11_client.syslog.framing import BadFrame, Frame, FrameReader
from vx11_client.syslog.intake import Intake
from vx11_client.syslog.limits import READ_LIMIT_BYTES, RECORD_LIMIT_SECONDS, Limits
from vx11_client.syslog.tally import Tally

# All connections of a loop are read one after the other, and each piece is taken out of it at once.
_BUFFER = memoryview(bytearray(READ_LIMIT_BYTES))


class SyslogConnection(asyncio.BufferedProtocol):
    """One sender. `on_lost(connection)` is called once, at its end."""

    def __init__(
        self,
        intake: Intake,
        limits: Limits,
        tally: Tally,
        *,
        peer: str,
        is_tls: bool,
        on_lost: Callable[["SyslogConnection"], None],
    ) -> None:
        self._intake = intake
        self._limits = limits
        self._tally = tally
        self.peer = peer
        self._kind = Transport.TLS if is_tls else Transport.TCP
        self._on_lost = on_lost
        self._reader = FrameReader(limit_bytes=limits.line_bytes)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self.touched_at = self._begun_at = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._kind is Transport.TLS:
            # What TLS has decrypted, or not yet, waits in memory too.
            self._transport.set_read_buffer_limits(READ_LIMIT_BYTES)  # type: ignore[attr-defined]
        self._intake.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        was_within = self._reader.is_within
        self.touched_at = self._loop.time()
        try:
            frames = self._reader.feed(bytes(_BUFFER[:nbytes]))
        except BadFrame as bad:
            self._take(bad.frames)
            self._tally.count("frame", detail=f"{self.peer}: {bad}")
            self.abort()
            return
        if frames or not was_within:
            self._begun_at = self.touched_at
        self._take(frames)

    def eof_received(self) -> None:
        """The sender has ended in order: a line without its end is whole."""
        frames, lost_count = self._reader.flush()
        self._take(frames)
        self._count_half(lost_count)

    def connection_lost(self, exc: Exception | None) -> None:
        self._count_half(int(self._reader.is_within))
        self._intake.remove(self)
        self._on_lost(self)

    @property
    def quiet_since(self) -> float:
        """Since when nothing came; now, if it is not read."""
        return self._loop.time() if self._is_paused else self.touched_at

    def check(self) -> None:
        """Called each second: closes what is idle, or too slow."""
        if self._is_paused:
            return
        now = self._loop.time()
        if self._reader.is_within and now - self._begun_at > RECORD_LIMIT_SECONDS:
            self._tally.count("slow", detail=self.peer)
            self.abort()
        elif now - self.touched_at > self._limits.idle_seconds:
            self._tally.count("idle", detail=self.peer)
            self.abort()

    def finish(self) -> None:
        """Shows the sender that no more is read: it closes, and what it has sent until then is still read."""
        if self._transport is not None and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            # The time during which it was not read does not count.
            self.touched_at = self._begun_at = self._loop.time()
            self._transport.resume_reading()

    def _take(self, frames: list[Frame]) -> None:
        if frames:
            self._intake.take(frames, self, peer=self.peer, transport=self._kind)

    def _count_half(self, number: int) -> None:
        if number:
            self._tally.count("half", number, detail=self.peer)
