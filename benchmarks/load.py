"""Two ways to put load on a server, and what became of it.

Open loop: requests go out on a timetable, whether or not earlier ones have been answered, and a latency counts
from the time in the timetable. A server that stalls is charged for everybody who had to wait.
Closed loop: every connection asks again as soon as it has its answer. That finds the highest rate.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.usage import Window
from benchmarks.wire import Connection

# However long a measurement was asked to last, it ends with this many requests.
REQUESTS_LIMIT = 100_000


@dataclass(frozen=True)
class Load:
    """Latencies of all requests in seconds, and the window in which they were made."""

    latencies_seconds: list[float]
    window: Window

    @property
    def per_second(self) -> float:
        return len(self.latencies_seconds) / self.window.seconds


# Makes the bytes of the next request.
NextRequest = Callable[[], bytes]


@contextmanager
def closing(connections: list[Connection]) -> Iterator[list[Connection]]:
    with ExitStack() as at_end:
        for connection in connections:
            at_end.callback(connection.close)
        yield connections


async def warm_up(connections: list[Connection], next_request: NextRequest, *, requests: int) -> None:
    """The first requests load modules and open databases; they are nobody's latency."""
    for connection in itertools.islice(itertools.cycle(connections), requests):
        await connection.ask(next_request())


async def open_loop(
    connections: list[Connection],
    next_request: NextRequest,
    *,
    per_second: float,
    seconds: float,
    expected_status: int,
    server_pids: Sequence[int],
) -> Load:
    idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for connection in connections:
        idle.put_nowait(connection)
    latencies: list[float] = []

    async def ask(due: float) -> None:
        connection = await idle.get()
        (await connection.ask(next_request())).expect(expected_status)
        latencies.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    count = min(REQUESTS_LIMIT, round(per_second * seconds))
    with Window(*server_pids) as window:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as asking:
            for number in range(count):
                due = began + number / per_second
                await asyncio.sleep(due - time.perf_counter())
                asking.create_task(ask(due))
    return Load(latencies, window)


async def closed_loop(
    connections: list[Connection],
    next_request: NextRequest,
    *,
    seconds: float,
    expected_status: int,
    server_pids: Sequence[int],
) -> Load:
    latencies: list[float] = []

    async def keep_asking(connection: Connection, until: float) -> None:
        while (asked_at := time.perf_counter()) < until and len(latencies) < REQUESTS_LIMIT:
            (await connection.ask(next_request())).expect(expected_status)
            latencies.append(time.perf_counter() - asked_at)

    with Window(*server_pids) as window:
        until = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as asking:
            for connection in connections:
                asking.create_task(keep_asking(connection, until))
    return Load(latencies, window)
