"""A reconnect storm: the server is killed and started again, and all its clients come back with their cursors."""

import asyncio
import itertools
import random
import time
from contextlib import suppress

from benchmarks import marks, tickets
from benchmarks.client import on_a_loop
from benchmarks.figures import Figure, latency
from benchmarks.peers import ours
from benchmarks.receipts import Receipts
from benchmarks.server import Target, running
from benchmarks.size import Size
from benchmarks.wire import Connection, EventStream, UnexpectedAnswer, request

CLIENTS = 2000
EVENTS_PER_SECOND = 5
SECONDS_BEFORE_THE_KILL = 3
# As browsers do it: not sooner than after a second, with a random part that doubles with each failure.
MIN_WAIT_SECONDS = 1
MAX_JITTER_SECONDS = 4
BACK_TIMEOUT_SECONDS = 60
COMPLETE_TIMEOUT_SECONDS = 10
# All clients open their first streams within it, not all at once.
ARRIVAL_SECONDS_PER_CLIENT = 0.004


class StormClient:
    """Follows the stream as `event-client.js` does: a new ticket for each attempt, on from the last cursor."""

    def __init__(self, number: int, target: Target, receipts: Receipts) -> None:
        self.live = asyncio.Event()
        self.attempts = 0
        self.live_at = 0.0
        self._number = number
        self._port = target.port
        token = target.principal_tokens[number % len(target.principal_tokens)]
        self._issue = request("POST", tickets.ISSUE_PATH, token=token)
        self._receipts = receipts
        self._cursor = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        failures = 0
        await asyncio.sleep(self._number * ARRIVAL_SECONDS_PER_CLIENT)
        while True:
            self.attempts += 1
            try:
                await self._follow()
                failures = 0
            except (OSError, UnexpectedAnswer):
                failures += 1
            await asyncio.sleep(MIN_WAIT_SECONDS + random.random() * min(MAX_JITTER_SECONDS, 2**failures))

    async def _follow(self) -> None:
        """Until the stream ends."""
        ticket = (await Connection.ask_once(self._port, self._issue)).expect(200).json()["sse_token"]
        stream = await EventStream.open(self._port, ticket=ticket, take=self._take, cursor=self._cursor)
        self.live_at = time.perf_counter()
        self.live.set()
        try:
            await stream.closed.wait()
        finally:
            stream.close()
            self.live.clear()

    def _take(self, frame: bytes, received_at: float) -> None:
        if numbers := marks.NUMBERS.findall(frame):
            self._receipts.take(self._number, numbers)
        if frame.startswith(b"id: "):
            self._cursor = frame[4 : frame.index(b"\n")].decode()


class StubbornPublisher:
    """Publishes all the time, and each event again until it is taken: its own id makes that safe."""

    def __init__(self, target: Target) -> None:
        self.published = 0
        self._target = target

    async def run(self) -> None:
        """Until it is cancelled, which leaves no event half published."""
        for number in itertools.count():
            event = {
                "event_type": "bench.storm",
                "summary": marks.mark(number, marks.moment()).decode(),
                "event_id": f"storm-{number}",
            }
            publish = request("POST", ours.PUBLISH_PATH, token=self._target.service_token, body=event)
            await asyncio.shield(asyncio.ensure_future(self._publish(publish)))
            await asyncio.sleep(1 / EVENTS_PER_SECOND)

    async def _publish(self, publish: bytes) -> None:
        while True:
            with suppress(OSError):
                answer = await Connection.ask_once(self._target.port, publish)
                if answer.status in (200, 201):
                    self.published += 1
                    return
            await asyncio.sleep(1 / EVENTS_PER_SECOND)


def measure(size: Size) -> list[Figure]:
    return on_a_loop(_measure, size)


async def _measure(size: Size) -> list[Figure]:
    # The server is a child of this process: only so can it be killed from here.
    with running() as (server, target):
        receipts = Receipts(streams=size.scaled(CLIENTS))
        clients = [StormClient(number, target, receipts) for number in range(size.scaled(CLIENTS))]
        publisher = StubbornPublisher(target)
        following = [asyncio.create_task(client.run()) for client in clients]
        await _all_live(clients)
        publishing = asyncio.create_task(publisher.run())
        await asyncio.sleep(SECONDS_BEFORE_THE_KILL)
        attempts = sum(client.attempts for client in clients)
        server.kill()
        await asyncio.gather(*(_gone(client) for client in clients))
        started_at = time.perf_counter()
        await asyncio.to_thread(server.start)
        healthy_at = time.perf_counter()
        await _all_live(clients)
        await _stop([publishing])
        await _complete(receipts, publisher)
        await _stop(following)
    back = [client.live_at - started_at for client in clients]
    return [
        Figure("start to healthy", healthy_at - started_at, "s"),
        *latency("start to back", back),
        Figure("start to all back", max(back), "s", at_most=20),
        Figure("attempts", (sum(client.attempts for client in clients) - attempts) / len(clients), "for each client"),
        Figure("published before, meanwhile and after", publisher.published, "events"),
        Figure("lost", receipts.lost(published=publisher.published), "events", at_most=0),
        Figure("received twice", receipts.doubled, "events", at_most=0),
    ]


async def _all_live(clients: list[StormClient]) -> None:
    async with asyncio.timeout(BACK_TIMEOUT_SECONDS):
        await asyncio.gather(*(client.live.wait() for client in clients))


async def _gone(client: StormClient) -> None:
    """Has noticed that its stream has ended: before, `live` means the old one."""
    while client.live.is_set():  # noqa: ASYNC110 - an event for the opposite of an event would have to be kept in step
        await asyncio.sleep(0.01)


async def _complete(receipts: Receipts, publisher: StubbornPublisher) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(COMPLETE_TIMEOUT_SECONDS):
            while receipts.lost(published=publisher.published):  # noqa: ASYNC110 - receipts are plain values
                await asyncio.sleep(0.05)


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
