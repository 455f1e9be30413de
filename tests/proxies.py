"""A TCP proxy in front of one server, that cuts connections, slows them down or loses what passes through it."""

import asyncio
import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CHUNK_BYTES = 16 * 1024
# Small, so that a reader who stops is soon felt by the server and not kept from it by buffers in between.
BUFFER_BYTES = 16 * 1024


class Proxy:
    """Listens on a free port of 127.0.0.1 for the length of an `async with` block."""

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self._target = (address.hostname or "", address.port or 80)
        self._connections: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        self.url = ""
        # Added to every piece, in each direction.
        self.delay_seconds = 0.0
        # While True, requests arrive, and answers vanish.
        self.loses_answers = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=BUFFER_BYTES)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break all connections: both sides get a reset, in the middle of whatever they were saying."""
        for transport in self._transports:
            transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await self._connect()
        except OSError:
            to_client.transport.abort()
            return
        to_client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        transports = {to_client.transport, to_server.transport}
        for transport in transports:
            transport.set_write_buffer_limits(high=BUFFER_BYTES)
        self._transports |= transports
        try:
            # Whichever side ends first, the other is to know.
            directions = [
                asyncio.create_task(self._pass_on(client, to_server, answers=False)),
                asyncio.create_task(self._pass_on(server, to_client, answers=True)),
            ]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in directions:
                    direction.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
        finally:
            self._transports -= transports
            for transport in transports:
                transport.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = socket.socket()
        connection.settimeout(0)
        # To be set before connecting: the window that the server sees is agreed on then.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        try:
            await asyncio.get_running_loop().sock_connect(connection, self._target)
        except BaseException:
            connection.close()
            raise
        return await asyncio.open_connection(sock=connection, limit=BUFFER_BYTES)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            if answers and self.loses_answers:
                continue
            writer.write(data)
            await writer.drain()
