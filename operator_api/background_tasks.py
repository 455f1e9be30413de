"""Upkeep: what each serving process does for operators all the time, whether or not anybody asks.

Windows whose time is over are closed; modules that published are noted, and those with an address asked; messages that
nobody will answer any more are told so.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from django.conf import settings

from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from ledger.writer import writer
from operator_api import metrics, probes, windows
from operator_api.chat import exchange, responder
from operator_api.last_seen import WRITE_SECONDS, listen, sightings

logger = logging.getLogger(__name__)

# A window is over this long after its deadline at the most; to those who ask it is over at once.
EXPIRY_LOOK_SECONDS = 1.0
# Nobody waits for it: the message was written a minute and a half ago.
UNANSWERED_LOOK_SECONDS = 5.0


Duty = Callable[[], Awaitable[None]]


class Upkeep:
    """The tasks of one process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Does nothing when running."""
        if self._tasks and not any(task.done() for task in self._tasks):
            return
        for task in self._tasks:
            task.cancel()
        listen()
        duties: tuple[tuple[Duty, float], ...] = (
            (expire_windows, EXPIRY_LOOK_SECONDS),
            (write_sightings, WRITE_SECONDS),
            (give_up_messages, UNANSWERED_LOOK_SECONDS),
        )
        if settings.ROLE != "gateway":
            # Modules are in the backend's network; what the world can reach must not reach them.
            duties += ((probe_modules, WRITE_SECONDS),)
        self._tasks = [asyncio.create_task(_again_and_again(duty, seconds)) for duty, seconds in duties]

    async def stop(self) -> None:
        ending, self._tasks = self._tasks, []
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


async def expire_windows() -> None:
    if await reader.run(windows.is_due):
        await writer.commit(windows.expire_many, None)


async def write_sightings() -> None:
    sightings.write()


async def probe_modules() -> None:
    if await reader.run(probes.any_due):
        due = await writer.commit(probes.claim_many, None)
        if due:
            await writer.commit(probes.record_many, await probes.ask_all(due))


async def give_up_messages() -> None:
    if await reader.run(exchange.is_any_overdue):
        metrics.UNANSWERED.inc(await writer.commit(exchange.give_up_many, responder.NO_ANSWER))


async def _again_and_again(duty: Duty, seconds: float) -> None:
    while True:
        # Processes that were started together must not all look at once.
        await asyncio.sleep(seconds * random.uniform(0.8, 1.0))
        try:
            await duty()
        except LedgerUnavailable:
            # Whoever reads or writes says so; here it would be said every second.
            continue
        except Exception:
            # Nobody would start this task again.
            logger.exception("%s failed", duty.__name__)


_upkeep: tuple[asyncio.AbstractEventLoop, Upkeep] | None = None


def the_upkeep() -> Upkeep:
    """This process's; in tests each event loop has its own."""
    global _upkeep  # one for the process, and the process knows it only when its loop runs
    loop = asyncio.get_running_loop()
    if _upkeep is None or _upkeep[0] is not loop:
        _upkeep = (loop, Upkeep())
    return _upkeep[1]
