"""The chaos for as long as one likes, with a look at the servers' memory: `make soak MINUTES=30`.

One server is spared, so that there is a process old enough to say whether memory grows.
"""

import argparse
import asyncio
import itertools
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.usage import resident_bytes
from tests.faults.chaos import Chaos
from tests.faults.resident_memory import MEGABYTE, ResidentMemory
from tests.stacks import Stack
from tests.stores import PrivatePostgres

SAMPLE_SECONDS = 5
SAMPLES_PER_LINE = 6
# A process grows until its buffers have had their fill: a fifth of the time, at least one minute, at most five.
WARM_UP_PART, WARM_UP_MIN_SECONDS, WARM_UP_MAX_SECONDS = 0.2, 60.0, 300.0
GROWTH_LIMIT_MEGABYTES_A_MINUTE = 1.0
CALM_SECONDS = (2.0, 15.0)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def watch(stack: Stack, chaos: Chaos, memory: ResidentMemory) -> None:
    """Sample memory, and say from time to time how things are."""
    started = time.monotonic()
    for number in itertools.count(1):
        await asyncio.sleep(SAMPLE_SECONDS)
        running = [server for server in stack.servers if server.running]
        for server in running:
            memory.sample(server.pid, time.monotonic())
        if number % SAMPLES_PER_LINE == 0:
            sizes = " ".join(f"{resident_bytes(server.pid) / MEGABYTE:.0f}" for server in running if server.running)
            say(f"{time.monotonic() - started:5.0f} s, {sizes} MB, {chaos}")


async def soak(stack: Stack, *, seconds: float, seed: int) -> None:
    """Raises AssertionError for what Chaos does, and if the memory of a server grows."""
    chaos = Chaos(stack, seed=seed, spared=[stack.b], calm_seconds=CALM_SECONDS)
    memory = ResidentMemory(warm_up_seconds=min(max(WARM_UP_PART * seconds, WARM_UP_MIN_SECONDS), WARM_UP_MAX_SECONDS))
    watching = asyncio.create_task(watch(stack, chaos, memory))
    try:
        await chaos.run(seconds)
    finally:
        watching.cancel()
        say(str(chaos))
    growth = memory.growth()
    say("memory, in MB a minute: " + (", ".join(f"{grown:+.2f}" for grown in growth.values()) or "not long enough"))
    assert all(grown <= GROWTH_LIMIT_MEGABYTES_A_MINUTE for grown in growth.values()), "the memory of a server grows"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=None, help="Break the same things in the same order again.")
    arguments = parser.parse_args()
    seed = random.getrandbits(32) if arguments.seed is None else arguments.seed
    say(f"seed {seed}, {arguments.minutes:g} minutes")
    folder = Path(tempfile.mkdtemp(prefix="vx11-soak-"))
    say(f"the servers' logs are in {folder} until all has gone well")
    with PrivatePostgres(durable=True) as postgres:
        stack = Stack("scaled", folder, postgres=postgres, environment={"VX11_DRAIN_SECONDS": "3"})
        with stack:
            asyncio.run(soak(stack, seconds=60 * arguments.minutes, seed=seed))
        stack.assert_clean_logs()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
