"""Where a stream's bytes go: the server's own writer where it offers one, else ASGI's `send`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

# The server offers its writer under this name in the scope's extensions: a function that opens it.
EXTENSION = "vx11.writer"
# What may wait for `send` to return. The server behind it may hold more; ours has a writer and holds none.
PENDING_LIMIT_BYTES = 64 * 1024
# How long sending what is left may take at the end.
LINGER_SECONDS = 2.0


class Transport(Protocol):
    """The far end of a stream. Opened before the answer starts, so that it knows of every byte."""

    @property
    def held_bytes(self) -> int:
        """About how much of what was written the client's socket has not taken yet."""

    @property
    def taken_bytes(self) -> int:
        """A number that grows while the client takes what is held: whether it is slow, or does not read at all."""

    def write(self, chunk: bytes) -> bool:
        """Send the chunk, now if the socket takes it. False: it is held, so write no more until drained()."""

    async def drained(self) -> None:
        """Until nothing is held."""

    async def close(self) -> bool:
        """Nothing more is written; False if the client does not take what is left in time, and no end of it either."""

    def abandon(self) -> None:
        """A client that does not take what is left soon is cut off, or is gone already."""


Send = Callable[[dict[str, Any]], Awaitable[None]]


class SendTransport:
    """For any ASGI server: a task awaits `send` while there is something to send."""

    def __init__(self, send: Send) -> None:
        self.held_bytes = 0
        self.taken_bytes = 0
        self._send = send
        self._pending: list[bytes] = []
        self._sending: asyncio.Task[None] | None = None
        self._abandoned = False

    def write(self, chunk: bytes) -> bool:
        self._pending.append(chunk)
        self.held_bytes += len(chunk)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._empty())
        return self.held_bytes < PENDING_LIMIT_BYTES

    async def drained(self) -> None:
        if self._sending is not None:
            # A stream that is cancelled here must not take a message with it that is half sent.
            await asyncio.shield(self._sending)

    async def close(self) -> bool:
        if self._abandoned:
            return False
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await self.drained()
        except TimeoutError:
            self.abandon()
            return False
        return True

    def abandon(self) -> None:
        self._abandoned = True
        if self._sending is not None:
            self._sending.cancel()

    async def _empty(self) -> None:
        while self._pending:
            pending, self._pending = self._pending, []
            chunk = b"".join(pending)
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            self.held_bytes -= len(chunk)
            self.taken_bytes += len(chunk)


def open_transport(scope: Mapping[str, Any], send: Send) -> Transport:
    """The best transport that the server of this request has."""
    open_writer = scope.get("extensions", {}).get(EXTENSION)
    return SendTransport(send) if open_writer is None else cast(Transport, open_writer())
