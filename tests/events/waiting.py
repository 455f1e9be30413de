"""Waiting for a condition on the event loop, for tests that have nothing better to await."""

import asyncio
from collections.abc import Callable

WAIT_SECONDS = 10


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)
