"""A TCP proxy in front of one server, that cuts connections, slows them down or loses what passes through it."""

import asyncio
import socket
from urllib.parse import urlsplit

from tests.listener import Listener

CHUNK_BYTES = 16 * 1024
# Small, so that a reader who stops is soon felt by the server and not kept from it by buffers in between.
BUFFER_BYTES = 16 * 1024


class Proxy(Listener):
    buffer_bytes = BUFFER_BYTES

    def __init__(self, target: str) -> None:
        super().__init__()
        address = urlsplit(target)
        self._target = (address.hostname or "", address.port or 80)
        self._transports: set[asyncio.WriteTransport] = set()
        # Added to every piece, in each direction.
        self.delay_seconds = 0.0
        # While True, requests arrive, and answers vanish.
        self.loses_answers = False

    def cut(self) -> None:
        """Break all connections: both sides get a reset, in the middle of whatever they were saying."""
        for transport in self._transports:
            transport.abort()

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
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
