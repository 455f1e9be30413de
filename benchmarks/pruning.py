"""Whether pruning keeps up with publishing, and how much longer a publish waits for it."""

import asyncio
import itertools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, latency
from benchmarks.publishing import BATCH, EVENT, PUBLISH_PATH, SINGLE, Kind
from benchmarks.server import Target, postgres_database, running
from benchmarks.size import Size
from benchmarks.wire import Connection, request
from tests.servers import RunningServer

# Single events at this rate leave a server idle for most of the time: what they wait for is the pruning.
SINGLES_PER_SECOND = 100
FILL = Kind(events=500, connections=8)
# A publish may wait for so much longer beside a pruning.
ADDED_WAIT_AT_MOST_MS = 100


def measure_sqlite(size: Size) -> list[Figure]:
    return on_a_loop(_measure, size, running)


def measure_postgres(size: Size) -> list[Figure]:
    with postgres_database() as url:
        return on_a_loop(_measure, size, running, database_url=url)


async def _measure(
    size: Size, run: Callable[..., AbstractContextManager[tuple[RunningServer, Target]]], **database: str
) -> list[Figure]:
    # The server is a child of this process: only so can its commands be run from here.
    with run(**database) as (server, target):
        load = _Load(target)
        filled = time.perf_counter()
        await load.run(FILL, until=lambda: load.events >= size.prune_events)
        filled = time.perf_counter() - filled
        alone = await load.singles(lasting=asyncio.create_task(asyncio.sleep(size.publish_seconds)))
        # Half of what is there goes beside single events, and most of the rest beside batches.
        first = asyncio.create_task(_prune(server, keep_rows=load.events // 2))
        beside = await load.singles(lasting=first)
        before = load.events
        second = asyncio.create_task(_prune(server, keep_rows=load.events // 10))
        await load.run(BATCH, until=second.done)
        added = load.events - before
    (gone, seconds), (gone_beside_batches, seconds_beside_batches) = first.result(), second.result()
    waits = {"alone": latency("publish alone", alone), "beside": latency("publish beside it", beside, worst=True)}
    added_ms = waits["beside"][2].value - waits["alone"][2].value
    return [
        Figure("filled at", load.filled / filled, "/s"),
        Figure("pruned beside 100 single events/s", gone / seconds, "/s"),
        *waits["alone"],
        *waits["beside"],
        Figure("added wait, p99", added_ms, "ms", at_most=ADDED_WAIT_AT_MOST_MS),
        Figure("pruned beside batches", gone_beside_batches / seconds_beside_batches, "/s"),
        Figure("published in batches meanwhile", added / seconds_beside_batches, "/s"),
        # What keeps up deletes at least as much as is added.
        Figure("pruned for each published", gone_beside_batches / max(1, added), "", at_least=1),
    ]


async def _prune(server: RunningServer, *, keep_rows: int) -> tuple[int, float]:
    """How many events it deleted, and how long that took with its start."""
    began = time.perf_counter()
    # Not `manage`: it forks a process, which this one, with its loop, must not do.
    done = await asyncio.to_thread(server.run_manage, "prune_events", "--keep-rows", str(keep_rows), "--yes")
    if done.returncode:
        raise AssertionError(done.stderr)
    words = done.stdout.split("Deleted ")[1].split()
    return int(words[0]), time.perf_counter() - began


class _Load:
    """Publishers, and how many events they have published."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.events = 0
        self.filled = 0

    async def run(self, kind: Kind, *, until: Callable[[], bool]) -> None:
        """As many as the server takes."""
        body = {"events": [EVENT] * kind.events}
        asked = request("POST", PUBLISH_PATH, token=self._target.service_token, body=body)

        async def publish() -> None:
            connection = await Connection.open(self._target.port)
            while not until():
                (await connection.ask(asked)).expect(201)
                self.events += kind.events
            connection.close()

        async with asyncio.TaskGroup() as publishers:
            for _ in range(kind.connections):
                publishers.create_task(publish())
        self.filled = self.filled or self.events

    async def singles(self, *, lasting: "asyncio.Task[object]") -> list[float]:
        """How long each waited, from its time in the timetable on."""
        waits: list[float] = []
        asked = request("POST", PUBLISH_PATH, token=self._target.service_token, body=EVENT)
        idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for _ in range(SINGLE.connections):
            idle.put_nowait(await Connection.open(self._target.port))

        async def ask(due: float) -> None:
            connection = await idle.get()
            (await connection.ask(asked)).expect(201)
            waits.append(time.perf_counter() - due)
            idle.put_nowait(connection)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as asking:
            for number in itertools.count():
                if lasting.done():
                    break
                due = began + number / SINGLES_PER_SECOND
                await asyncio.sleep(due - time.perf_counter())
                asking.create_task(ask(due))
        while not idle.empty():
            idle.get_nowait().close()
        self.events += len(waits)
        return waits
