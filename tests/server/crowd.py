"""Many readers at once, on an event loop in a thread of their own. Each keeps what it was told."""

import asyncio
import contextlib
import json
import random
import re
import resource
import threading
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.client import API
from tests.waiting import wait_until

STREAM = f"{API}/events/stream"
PIECE_BYTES = 64 * 1024
# With the line end that belongs to the chunk before.
CHUNK_SIZE = re.compile(rb"(?:\r\n)?([0-9a-f]+)\r\n")
# A client that found nobody at all tries again after this, spread.
NOBODY_SECONDS = 1.0


class ChunkedBody:
    """Takes a chunked body as it comes and gives what it carries."""

    def __init__(self) -> None:
        # Whether the last chunk came.
        self.whole = False
        self._left = 0
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        self._held += piece
        carried: list[bytes] = []
        while self._held and not self.whole:
            if not self._left:
                size = CHUNK_SIZE.match(self._held)
                if size is None:
                    break
                self._held = self._held[size.end() :]
                self._left = int(size[1], 16)
                self.whole = not self._left
            carried.append(self._held[: self._left])
            self._held = self._held[self._left :]
            self._left -= len(carried[-1])
        return b"".join(carried)


class Reader:
    """One client. With `returns` it comes back after every end, as the contract asks: later, and from its cursor."""

    def __init__(self, url: str, token: str, *, query: str, returns: bool) -> None:
        self.seqs: list[int] = []
        self.cursor = ""
        self.retry_ms = 0
        self.live = False
        self.times_opened = 0
        # The data of stream-end, and whether the answer's last chunk came.
        self.end: dict[str, Any] = {}
        self.whole = False
        self.ended_at = 0.0
        self.statuses: list[int] = []
        self.problems: list[str] = []
        # By seq, the time of day.
        self.arrivals: dict[int, float] = {}
        self._address = urlsplit(url)
        self._token = token
        self._query = query
        self._returns = returns
        self._held = b""

    async def run(self) -> None:
        while True:
            try:
                await self._read()
                pause_seconds = self.retry_ms / 1000
            except OSError:
                pause_seconds = random.uniform(0.5, 1.5) * NOBODY_SECONDS
            self.live, self.ended_at = False, time.monotonic()
            if not self._returns:
                return
            await asyncio.sleep(pause_seconds)

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        try:
            cursor = f"&last_event_id={self.cursor}" if self.cursor else ""
            head = f"GET {STREAM}?{self._query}{cursor} HTTP/1.1\r\nHost: localhost\r\nX-VX11-Token: {self._token}\r\n"
            writer.write(f"{head}\r\n".encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]
            self.statuses.append(int(answer.split()[1]))
            if self.statuses[-1] == 200:
                self.times_opened += 1
                await self._take_body(reader)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _take_body(self, reader: asyncio.StreamReader) -> None:
        body, self._held, self.whole = ChunkedBody(), b"", False
        while not body.whole and (piece := await reader.read(PIECE_BYTES)):
            *blocks, self._held = (self._held + body.feed(piece)).split(b"\n\n")
            now = time.time()
            for block in blocks:
                self._take(block, now)
        self.whole = body.whole

    def _take(self, block: bytes, now: float) -> None:
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if line and not line.startswith(b":"))
        if b"id" in fields:
            self.cursor = fields[b"id"].decode()
        if b"retry" in fields:
            self.retry_ms = int(fields[b"retry"])
        name, data = fields.get(b"event", b""), fields.get(b"data", b"")
        if name == b"caught-up":
            self.live = True
        elif name == b"stream-end":
            self.end = json.loads(data)
        elif name == b"stream-reset":
            self.problems.append(data.decode())
        elif not name and data.startswith(b'{"type":"event"'):
            seq = int(self.cursor.rpartition("-")[2])
            self.seqs.append(seq)
            self.arrivals[seq] = now


class Crowd:
    """Readers of one server, for the length of a `with` block."""

    def __init__(self) -> None:
        self.readers: list[Reader] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, url: str, token: str, count: int, *, query: str = "", returns: bool = False) -> list[Reader]:
        """So many readers, and waits until each of them is live."""
        new = [Reader(url, token, query=query, returns=returns) for _ in range(count)]
        self.readers += new
        self._call(self._start(new))
        wait_until(lambda: all(reader.live for reader in new), f"{count} readers are live", timeout_seconds=30)
        return new

    def close(self) -> None:
        """All hang up."""
        self._call(self._cancel())

    async def _start(self, readers: list[Reader]) -> None:
        for reader in readers:
            task = self._loop.create_task(reader.run())
            self._tasks.add(task)

    async def _cancel(self) -> None:
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def __enter__(self) -> Self:
        # Where a shell allows 1024, a thousand readers would not find out why they are refused.
        maximum = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
