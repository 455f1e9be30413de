"""A proxy that holds event streams back, as some between offices and servers do, and ends sockets, unless it knows
them; everything else passes.
"""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

from tests.proxies import CHUNK_BYTES, Proxy

STREAM_MARK = b"content-type: text/event-stream"
SOCKET_MARK = b"101 switching protocols"
START_SECONDS = 10


class _HoldingProxy(Proxy):
    def __init__(self, target: str, *, knows_sockets: bool) -> None:
        super().__init__(target)
        self.lets_streams_pass = asyncio.Event()
        self._knows_sockets = knows_sockets

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if answers and STREAM_MARK in data.lower():
                await self.lets_streams_pass.wait()
            if answers and not self._knows_sockets and SOCKET_MARK in data.lower():
                return
            writer.write(data)
            await writer.drain()


class BufferingProxy:
    """In a thread of its own, as the loop of Playwright has this one."""

    def __init__(self, target: str, *, knows_sockets: bool = False) -> None:
        self._target, self._knows_sockets = target, knows_sockets
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = ""

    def let_streams_pass(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.lets_streams_pass.set)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._proxy.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        self._proxy = _HoldingProxy(self._target, knows_sockets=self._knows_sockets)
        await self._proxy.__aenter__()
        self.url = self._proxy.url

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=START_SECONDS)
