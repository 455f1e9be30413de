"""The periodic tasks of each serving process: work for operators that no request starts.

Windows past their deadline are closed; the time at which modules published is stored; modules with an address are
probed; chat messages that will get no answer get a message that says so; what tokens this process holds is written.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from django.conf import settings

from gateway.backend.client import LOOK_SECONDS, the_backend
from gateway.identity.environment_tokens import HOLD_SECONDS, the_holding
from ledger.faults import LedgerUnavailable
from ledger.per_loop import PerLoop
from ledger.reader import reader
from ledger.writer import writer
from operator_api import metrics, probes, windows
from operator_api.chat import exchange, responder
from operator_api.last_seen import WRITE_SECONDS, note_published_modules, published_modules

logger = logging.getLogger(__name__)

# A window is closed at most this long after its deadline; the status shows it as closed at once.
EXPIRY_CHECK_SECONDS = 1.0
# Not urgent: these messages are a minute and a half old.
UNANSWERED_CHECK_SECONDS = 5.0


Duty = Callable[[], Awaitable[None]]


class BackgroundTasks:
    """The tasks of one process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start all tasks again if one of them has ended; nothing while all of them run."""
        if self._tasks and not any(task.done() for task in self._tasks):
            return
        for task in self._tasks:
            task.cancel()
        note_published_modules()
        duties: tuple[tuple[Duty, float], ...] = (
            (expire_windows, EXPIRY_CHECK_SECONDS),
            (write_last_seen, WRITE_SECONDS),
            (hold_environment_tokens, HOLD_SECONDS),
            (give_up_messages, UNANSWERED_CHECK_SECONDS),
        )
        if settings.ROLE == "gateway":
            duties += ((look_at_backend, LOOK_SECONDS),)
        else:
            # Modules are in the backend's network, and a process that is reachable from outside must not reach them.
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


async def write_last_seen() -> None:
    published_modules.write()


async def look_at_backend() -> None:
    await the_backend().look()


async def probe_modules() -> None:
    if await reader.run(probes.any_due):
        due = await writer.commit(probes.claim_many, None)
        if due:
            await writer.commit(probes.record_many, await probes.send_all(due))


async def hold_environment_tokens() -> None:
    await reader.run(the_holding.hold)


async def give_up_messages() -> None:
    if await reader.run(exchange.is_any_overdue):
        metrics.UNANSWERED.inc(await writer.commit(exchange.give_up_many, responder.NO_ANSWER))


async def _again_and_again(duty: Duty, seconds: float) -> None:
    while True:
        # Jitter: processes that were started together must not all query at once.
        await asyncio.sleep(seconds * random.uniform(0.8, 1.0))
        try:
            await duty()
        except LedgerUnavailable:
            # Reader and writer log this; here it would be logged every second.
            continue
        except Exception:
            # The loop must go on: an ended task is restarted only by the next request.
            logger.exception("%s failed", duty.__name__)


# Those of this process; in tests each event loop has its own.
the_background_tasks = PerLoop(BackgroundTasks)
