"""The types of an ASGI application's three arguments, and a way to stop work when the client disconnects."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

Answer = TypeVar("Answer")


async def while_there(answering: Awaitable[Answer], receive: Receive) -> Answer | None:
    """The result of `answering`; None as soon as the client disconnects, and then `answering` is cancelled."""
    task = asyncio.ensure_future(answering)
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        leaving.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
