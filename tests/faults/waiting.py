"""Waiting on the event loop for what a fault brings about: longer than elsewhere, and saying what did not come."""

import asyncio
from collections.abc import Callable

# A server may have to start meanwhile, on a machine with two cores.
WAIT_SECONDS = 30
LOOK_SECONDS = 0.02


async def until(condition: Callable[[], object], what: str, *, timeout_seconds: float = WAIT_SECONDS) -> None:
    """Until the condition is true; raises AssertionError naming `what` when it does not come true in time."""
    try:
        async with asyncio.timeout(timeout_seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_seconds} s: {what}") from None
