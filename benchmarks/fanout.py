"""How long an event takes from its publisher to every reader, and what that costs."""

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass

from benchmarks import tickets
from benchmarks.client import in_own_process
from benchmarks.figures import Figure, cost, latency
from benchmarks.load import Load, closing
from benchmarks.server import Target
from benchmarks.size import Size
from benchmarks.usage import Window, resident_bytes
from benchmarks.wire import Connection, EventStream, TakeFrame, request

EVENTS_PER_SECOND = 10
# An event that has not come by now is lost, not late.
LATEST_SECONDS = 5
NUMBER = re.compile(rb'"summary": ?"event (\d+)"')


@dataclass(frozen=True)
class Fanout:
    """Latencies are of every event at every stream, in seconds from just before its POST."""

    load: Load
    lost: int
    duplicates: int
    resident_bytes: int


def measure(target: Target, size: Size) -> list[Figure]:
    """Streams opened with tickets, and one publisher that keeps its time."""
    result = in_own_process(publish_and_receive, target, size)
    received = len(result.load.latencies_seconds)
    return [
        *latency("latency", result.load.latencies_seconds, p95_at_most_ms=50, worst=True),
        Figure("received", received, "events"),
        Figure("lost", result.lost, "events", at_most=0),
        Figure("received twice", result.duplicates, "events", at_most=0),
        *cost(result.load.window, units=received, unit="delivered event"),
        Figure(f"server memory with {size.streams} streams", result.resident_bytes / 1e6, "MB", at_most=150),
    ]


class Receipts:
    """When each event was published, and when it arrived at each stream."""

    def __init__(self, *, expected: int) -> None:
        self.expected = expected
        self.published_at: list[float] = []
        self.latencies_seconds: list[float] = []
        self.duplicates = 0
        self._seen: set[tuple[int, int]] = set()
        self._complete = asyncio.Event()

    def take(self, stream: int, frame: bytes, received_at: float) -> None:
        found = NUMBER.search(frame)
        if found is None:
            return
        number = int(found[1])
        if (stream, number) in self._seen:
            self.duplicates += 1
            return
        self._seen.add((stream, number))
        self.latencies_seconds.append(received_at - self.published_at[number])
        if self.lost == 0:
            self._complete.set()

    @property
    def lost(self) -> int:
        """How many have not arrived (yet)."""
        return self.expected - len(self.latencies_seconds)

    async def settled(self) -> None:
        """Until everything has arrived, or it is too late."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LATEST_SECONDS):
                await self._complete.wait()


async def publish_and_receive(target: Target, size: Size) -> Fanout:
    count = round(EVENTS_PER_SECOND * size.fanout_seconds)
    receipts = Receipts(expected=count * size.streams)
    streams = [
        await EventStream.open(target.port, ticket=ticket, take=_taker(receipts, number))
        for number, ticket in enumerate(await tickets.issue(target, count=size.streams))
    ]
    with Window(target.pid) as window:
        await _publish(target, receipts, count)
        await receipts.settled()
    resident = resident_bytes(target.pid)
    for stream in streams:
        stream.close()
    load = Load(receipts.latencies_seconds, window)
    return Fanout(load, receipts.lost, receipts.duplicates, resident)


def _taker(receipts: Receipts, stream: int) -> TakeFrame:
    return lambda frame, received_at: receipts.take(stream, frame, received_at)


async def _publish(target: Target, receipts: Receipts, count: int) -> None:
    with closing([await Connection.open(target.port)]) as (connection,):
        began = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(began + number / EVENTS_PER_SECOND - time.perf_counter())
            event = {"event_type": "bench.fanout", "summary": f"event {number}", "payload": {"number": number}}
            publish = request("POST", "/operator/api/events", token=target.service_token, body=event)
            receipts.published_at.append(time.perf_counter())
            (await connection.ask(publish)).expect(201)
