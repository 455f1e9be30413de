"""Everything goes wrong, at random, while publishers publish and readers read; and nothing may get lost.

The same seed breaks the same things in the same order, though not at the same moments.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence

from tests.faults.failures import CLIENTS, SERVERS, STORES, Mishap, Scene
from tests.faults.traffic import Traffic
from tests.faults.waiting import until
from tests.proxies import Proxy
from tests.servers import RunningServer
from tests.stacks import Stack

PUBLISHERS = 4
READERS = 12
PAUSE_SECONDS = 0.05
# Between two mishaps of the same lane.
CALM_SECONDS = (0.5, 2.5)


class Chaos:
    """One run. `spared` are servers that are never ended, though all else happens to them too."""

    def __init__(
        self,
        stack: Stack,
        *,
        seed: int,
        spared: Sequence[RunningServer] = (),
        calm_seconds: tuple[float, float] = CALM_SECONDS,
    ) -> None:
        self.seed = seed
        self.happened: Counter[str] = Counter()
        self._stack = stack
        self._mortal = [server for server in stack.servers if server not in spared]
        self._calm_seconds = calm_seconds
        self._traffic: Traffic | None = None

    def __str__(self) -> str:
        happened = ", ".join(f"{name} {times}" for name, times in sorted(self.happened.items()))
        traffic = self._traffic
        stored = len(traffic.stored) if traffic else 0
        connections = sum(reader.connections for reader in traffic.readers) if traffic else 0
        return f"seed {self.seed}: {stored} events stored, {connections} connections of {READERS} readers; {happened}"

    async def run(self, seconds: float) -> None:
        """Raises AssertionError if anything was lost, doubled, out of order, or answered as it never should be."""
        async with contextlib.AsyncExitStack() as stack:
            proxies = [await stack.enter_async_context(Proxy(server.url)) for server in self._stack.servers]
            urls = [proxy.url for proxy in proxies]
            traffic = self._traffic = await stack.enter_async_context(
                Traffic(
                    self._stack,
                    publishers=PUBLISHERS,
                    readers=READERS,
                    publish_to=urls,
                    read_from=urls,
                    pause_seconds=PAUSE_SECONDS,
                    spread=True,
                )
            )
            scene = Scene(self._stack, traffic, proxies, self._mortal)
            until_when = time.monotonic() + seconds
            async with asyncio.TaskGroup() as lanes:
                for name, mishaps in self._lanes().items():
                    lanes.create_task(self._lane(name, mishaps, scene, until_when))
            await until(lambda: all(reader.connected for reader in traffic.readers), "every reader is back")
            await traffic.settle()

    def _lanes(self) -> dict[str, tuple[Mishap, ...]]:
        lanes = {"servers": SERVERS, "clients": CLIENTS}
        return lanes | {"stores": STORES} if self._stack.size == "scaled" else lanes

    async def _lane(self, name: str, mishaps: Sequence[Mishap], scene: Scene, until_when: float) -> None:
        chance = random.Random(f"{self.seed} {name}")
        while time.monotonic() < until_when:
            # Each of them comes once before any comes again.
            for mishap in chance.sample(mishaps, len(mishaps)):
                await asyncio.sleep(chance.uniform(*self._calm_seconds))
                if time.monotonic() >= until_when:
                    return
                self.happened[mishap.__name__] += 1
                await mishap(scene, chance)
