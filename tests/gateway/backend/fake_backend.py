"""Something at the backend's address that answers by a script: bytes, silence, or a hung-up connection."""

import asyncio
import contextlib
from collections.abc import Sequence

from tests.listener import Listener

HANG_UP, SILENCE = b"", None


def http_answer(
    status: int = 200, body: bytes = b"{}", *, answers: str = "nobody", kind: str = "application/json", more: str = ""
) -> bytes:
    """An answer as a backend gives it; `answers` "" is one of somebody else."""
    fields = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    fields += f"X-VX11-Operator: {answers}\r\n" if answers else ""
    return f"HTTP/1.1 {status} Said\r\n{fields}\r\n".encode() + body


class FakeBackend(Listener):
    """Each request takes the next line of the script, the last one for ever."""

    def __init__(self, *script: bytes | None) -> None:
        super().__init__()
        self.script: Sequence[bytes | None] = script
        # The heads of the requests, as they came.
        self.requests: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
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
