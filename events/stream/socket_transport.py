"""A stream's transport as WebSocket frames: the same bytes as for SSE, framed once for all streams that get them."""

from events.stream.socket_frames import framed
from events.stream.transport import Transport


class SocketTransport:
    """Writes through another transport, whose answer is a socket from its first byte on."""

    __slots__ = ("_bytes",)

    def __init__(self, transport: Transport) -> None:
        self._bytes = transport

    @property
    def held_bytes(self) -> int:
        return self._bytes.held_bytes

    @property
    def taken_bytes(self) -> int:
        return self._bytes.taken_bytes

    def write(self, chunk: bytes) -> bool:
        return self._bytes.write(framed(chunk))

    async def drained(self) -> None:
        await self._bytes.drained()

    async def close(self) -> bool:
        return await self._bytes.close()

    def abandon(self) -> None:
        self._bytes.abandon()
