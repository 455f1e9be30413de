"""A server that is told to stop: whether every stream hears it, and whether they are not all sent away at once."""

import asyncio
import time
from collections.abc import Sequence

from benchmarks.client import on_a_loop
from benchmarks.figures import Figure
from benchmarks.peers import ours
from benchmarks.server import running
from benchmarks.size import Size
from benchmarks.streams import OPENED_TOGETHER
from benchmarks.wire import HOST

STREAMS = 1000
# VX11_DRAIN_SECONDS as it is without being set.
GRACE_SECONDS = 10
END_OF_BODY = b"0\r\n\r\n"


class Stream(asyncio.Protocol):
    """One that notices how it ends."""

    def __init__(self, opening: bytes) -> None:
        self._opening = opening
        self._received = b""
        self.live = asyncio.Event()
        self.closed = asyncio.Event()
        # When the server said goodbye, None when it did not.
        self.told_at: float | None = None
        self.whole = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(self._opening)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"event: caught-up" in self._received:
            self.live.set()
        if self.told_at is None and b"event: stream-end" in self._received:
            self.told_at = time.perf_counter()
        self.whole = self._received.endswith(END_OF_BODY)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()
        self.live.set()


def measure(size: Size) -> list[Figure]:
    return on_a_loop(_measure, size)


async def _measure(size: Size) -> list[Figure]:
    # The server is a child of this process: only so can it be stopped from here.
    with running() as (server, target):
        openings = ours.peer(target).openings
        streams = await _open(target.port, [openings[n % len(openings)] for n in range(size.scaled(STREAMS))])
        told_to_stop_at = time.perf_counter()
        exit_code = await asyncio.to_thread(server.stop)
        stopped_at = time.perf_counter()
        await asyncio.gather(*(stream.closed.wait() for stream in streams))
    return _figures(streams, told_to_stop_at, stopped_at, exit_code)


def _figures(streams: Sequence[Stream], told_to_stop_at: float, stopped_at: float, exit_code: int) -> list[Figure]:
    told_at = sorted(stream.told_at for stream in streams if stream.told_at is not None)
    first, last = (told_at[0], told_at[-1]) if told_at else (told_to_stop_at, told_to_stop_at)
    return [
        Figure("streams without stream-end", len(streams) - len(told_at), "streams", at_most=0),
        Figure("streams broken off", sum(not stream.whole for stream in streams), "streams", at_most=0),
        Figure("SIGTERM to first stream-end", first - told_to_stop_at, "s"),
        # Together they would all come back together.
        Figure("first to last stream-end", last - first, "s", at_least=1),
        Figure("SIGTERM to exit", stopped_at - told_to_stop_at, "s", at_most=GRACE_SECONDS),
        Figure("exit code", exit_code, "", at_most=0),
    ]


async def _open(port: int, openings: Sequence[bytes]) -> list[Stream]:
    free = asyncio.Semaphore(OPENED_TOGETHER)
    loop = asyncio.get_running_loop()

    async def open_one(opening: bytes) -> Stream:
        async with free:
            _, stream = await loop.create_connection(lambda: Stream(opening), HOST, port)
            await stream.live.wait()
            return stream

    return list(await asyncio.gather(*(open_one(opening) for opening in openings)))
