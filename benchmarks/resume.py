"""Clients that come back together and have all missed the same events: how soon each has them."""

import asyncio
import time

from benchmarks import marks
from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, cost
from benchmarks.peers import ours
from benchmarks.receipts import Receipts
from benchmarks.server import Target
from benchmarks.size import Size
from benchmarks.streams import OPENED_TOGETHER
from benchmarks.usage import Window
from benchmarks.wire import HOST, Connection, UnexpectedAnswer, request

CLIENTS = 1000
MISSED_EVENTS = 1000
EVENTS_IN_A_BATCH = 100
TIMEOUT_SECONDS = 60


class Replay(asyncio.Protocol):
    """One stream that reads what it has missed."""

    def __init__(self, opening: bytes, number: int, receipts: Receipts, *, events: int) -> None:
        self._opening = opening
        self._number = number
        self._receipts = receipts
        self._missing = events
        self._rest = b""
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(self._opening)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        self._rest = marks.cut_off(data)
        numbers = marks.NUMBERS.findall(data)
        self._receipts.take(self._number, numbers)
        self._missing -= len(numbers)
        if self._missing <= 0 and not self.complete.done():
            self.complete.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.complete.done():
            self.complete.set_exception(UnexpectedAnswer("the server closed a stream that had not got everything"))


def measure(target: Target, size: Size) -> list[Figure]:
    return on_a_loop(_measure, target, size)


async def _measure(target: Target, size: Size) -> list[Figure]:
    clients, events = size.scaled(CLIENTS), size.scaled(MISSED_EVENTS)
    cursor = await newest_cursor(target)
    await _publish(target, events)
    openings = ours.peer(target, queries=(f"?last_event_id={cursor}",)).openings
    receipts = Receipts(streams=clients)
    with Window(target.pid) as window:
        began = time.perf_counter()
        replays = await _connect(target, [openings[n % len(openings)] for n in range(clients)], receipts, events)
        await asyncio.wait([replay.complete for replay in replays], timeout=TIMEOUT_SECONDS)
        seconds = time.perf_counter() - began
    for replay in replays:
        replay.transport.close()
    return [
        Figure("until all have everything", seconds, "s"),
        Figure("replayed", receipts.received / seconds, "events/s"),
        Figure("lost", receipts.lost(published=events), "events", at_most=0),
        Figure("received twice", receipts.doubled, "events", at_most=0),
        *cost(window, units=receipts.received, unit="replayed event"),
    ]


async def newest_cursor(target: Target) -> str:
    """Where the log ends now."""
    poll = request("GET", f"{ours.PUBLISH_PATH}?limit=1", token=target.principal_token)
    return str((await Connection.ask_once(target.port, poll)).expect(200).json()["cursor"])


async def _publish(target: Target, count: int) -> None:
    for first in range(0, count, EVENTS_IN_A_BATCH):
        events = [
            {"event_type": "bench.resume", "summary": marks.mark(number, marks.moment()).decode()}
            for number in range(first, min(count, first + EVENTS_IN_A_BATCH))
        ]
        publish = request("POST", ours.PUBLISH_PATH, token=target.service_token, body={"events": events})
        (await Connection.ask_once(target.port, publish)).expect(201)


async def _connect(target: Target, openings: list[bytes], receipts: Receipts, events: int) -> list[Replay]:
    free = asyncio.Semaphore(OPENED_TOGETHER)
    loop = asyncio.get_running_loop()

    async def connect(number: int, opening: bytes) -> Replay:
        async with free:
            _, replay = await loop.create_connection(
                lambda: Replay(opening, number, receipts, events=events), HOST, target.port
            )
            return replay

    return list(await asyncio.gather(*(connect(number, opening) for number, opening in enumerate(openings))))
