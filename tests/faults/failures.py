"""What can go wrong with an installation, each as a coroutine that breaks something and puts it right again."""

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Sequence

from tests.faults.traffic import Traffic
from tests.processes import free_port
from tests.proxies import Proxy
from tests.servers import RunningServer
from tests.stacks import Stack

HANG_SECONDS = 3.0
START_TRIES = 10
START_PAUSE_SECONDS = 0.5
# A burst that no buffer on the way can hold for a client that has stopped reading.
BURST_EVENTS = 40
BURST_PAYLOAD = {"filler": "x" * 24_000}


@dataclasses.dataclass(frozen=True)
class Scene:
    """What there is to break. Clients come through the proxies; `mortal` are the servers that may be ended."""

    stack: Stack
    traffic: Traffic
    proxies: Sequence[Proxy]
    mortal: Sequence[RunningServer]


Mishap = Callable[[Scene, random.Random], Awaitable[None]]


async def a_moment(chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0, 2))


async def start(server: RunningServer) -> None:
    """As a supervisor does: again, when it ends at once because the database is away."""
    for _ in range(START_TRIES):
        try:
            await asyncio.to_thread(server.start)
        except AssertionError:
            if server.running:
                raise
            await asyncio.sleep(START_PAUSE_SECONDS)
        else:
            return
    raise AssertionError(f"a server does not start:\n{server.process.log_tail()}")


async def a_server_is_killed(scene: Scene, chance: random.Random) -> None:
    server = chance.choice(scene.mortal)
    await asyncio.to_thread(server.kill)
    await a_moment(chance)
    await start(server)


async def a_server_is_stopped(scene: Scene, chance: random.Random) -> None:
    server = chance.choice(scene.mortal)
    assert await asyncio.to_thread(server.stop) == 0
    await a_moment(chance)
    await start(server)


async def redis_comes_back_empty(scene: Scene, chance: random.Random) -> None:
    await asyncio.to_thread(scene.stack.redis.kill)
    await a_moment(chance)
    await asyncio.to_thread(scene.stack.redis.start)


async def redis_hangs(scene: Scene, chance: random.Random) -> None:
    with scene.stack.redis.hung():
        await asyncio.sleep(HANG_SECONDS)


async def redis_forgets_who_listens(scene: Scene, chance: random.Random) -> None:
    await asyncio.to_thread(scene.stack.redis.ask, "CLIENT", "KILL", "TYPE", "pubsub")


async def redis_is_full(scene: Scene, chance: random.Random) -> None:
    await asyncio.to_thread(scene.stack.redis.ask, "CONFIG", "SET", "maxmemory", "1")
    await a_moment(chance)
    await asyncio.to_thread(scene.stack.redis.ask, "CONFIG", "SET", "maxmemory", "0")


async def redis_is_read_only(scene: Scene, chance: random.Random) -> None:
    await asyncio.to_thread(scene.stack.redis.ask, "REPLICAOF", "127.0.0.1", free_port())
    await a_moment(chance)
    await asyncio.to_thread(scene.stack.redis.ask, "REPLICAOF", "NO", "ONE")


async def postgres_crashes(scene: Scene, chance: random.Random) -> None:
    await asyncio.to_thread(scene.stack.postgres.crash)
    await a_moment(chance)
    await asyncio.to_thread(scene.stack.postgres.start)


async def postgres_hangs(scene: Scene, chance: random.Random) -> None:
    with scene.stack.postgres.hung():
        await asyncio.sleep(HANG_SECONDS)


async def postgres_breaks_connections(scene: Scene, chance: random.Random) -> None:
    await asyncio.to_thread(scene.stack.postgres.break_connections)


async def clients_are_cut(scene: Scene, chance: random.Random) -> None:
    chance.choice(scene.proxies).cut()


async def the_network_is_slow(scene: Scene, chance: random.Random) -> None:
    proxy = chance.choice(scene.proxies)
    proxy.delay_seconds = chance.uniform(0.05, 0.5)
    await asyncio.sleep(HANG_SECONDS)
    proxy.delay_seconds = 0


async def answers_get_lost(scene: Scene, chance: random.Random) -> None:
    """As far as clients can tell: some are waiting when the connections break."""
    proxy = chance.choice(scene.proxies)
    proxy.loses_answers = True
    await a_moment(chance)
    proxy.cut()
    proxy.loses_answers = False


async def a_reader_stops_reading(scene: Scene, chance: random.Random) -> None:
    reader = chance.choice(scene.traffic.readers)
    publisher = chance.choice(scene.traffic.publishers)
    reader.pause()
    burst = f"{scene.traffic.marker}.burst.{chance.getrandbits(32):x}"
    events = [publisher.publish(f"{burst}.{number}", payload=BURST_PAYLOAD) for number in range(BURST_EVENTS)]
    await asyncio.gather(*events)
    await a_moment(chance)
    reader.resume()


# Side by side, each lane one after the other: so Redis may be away while a server starts, but never two at once.
SERVERS: tuple[Mishap, ...] = (a_server_is_killed, a_server_is_stopped)
STORES: tuple[Mishap, ...] = (
    redis_comes_back_empty,
    redis_hangs,
    redis_forgets_who_listens,
    redis_is_full,
    redis_is_read_only,
    postgres_crashes,
    postgres_hangs,
    postgres_breaks_connections,
)
CLIENTS: tuple[Mishap, ...] = (clients_are_cut, the_network_is_slow, answers_get_lost, a_reader_stops_reading)
