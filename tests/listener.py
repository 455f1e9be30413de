"""Something that listens on a free port of 127.0.0.1 within the loop of a test, and leaves no connection behind."""

import asyncio
import contextlib
import ssl
from types import TracebackType
from typing import Self

# What a stream reads ahead: the default of asyncio.
BUFFER_BYTES = 64 * 1024
# What a connection takes that was accepted just now until its server hears of it: one turn for its transport, one for
# its protocol, and one to spare.
TURNS_OF_ACCEPTING = 3


class Listener:
    """For the length of an `async with` block. Each connection is served by a task of its own: `serve`."""

    buffer_bytes = BUFFER_BYTES
    tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until it returns, which closes the connection."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=self.buffer_bytes, ssl=self.tls)
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What comes from now on is not accepted, and what was accepted is here before the server closes under it.
        for listening in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(TURNS_OF_ACCEPTING):
            await asyncio.sleep(0)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Not left to the tasks: one that is cancelled before its first step has no `finally`.
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await self.serve(reader, writer)
        finally:
            writer.close()
