"""Something at the backend's address that answers by a script: bytes, silence, or a hung-up connection."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

HANG_UP, SILENCE = b"", None


def http_answer(
    status: int = 200, body: bytes = b"{}", *, answers: str = "nobody", kind: str = "application/json", more: str = ""
) -> bytes:
    """An answer as a backend gives it; `answers` "" is one of somebody else."""
    fields = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    fields += f"X-VX11-Operator: {answers}\r\n" if answers else ""
    return f"HTTP/1.1 {status} Said\r\n{fields}\r\n".encode() + body


class FakeBackend:
    """Listens on a free port of 127.0.0.1. Each request takes the next line of the script, the last one for ever."""

    def __init__(self, *script: bytes | None) -> None:
        self.script: Sequence[bytes | None] = script
        # The heads of the requests, as they came.
        self.requests: list[str] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                said = self.script[min(len(self.requests), len(self.script)) - 1]
                if said is SILENCE:
                    await asyncio.Event().wait()
                elif said == HANG_UP:
                    return
                else:
                    writer.write(said)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
