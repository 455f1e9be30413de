"""What a process has once, though it belongs to an event loop: made in the loop that first asks for it."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class PerLoop(Generic[Thing]):
    """Call it for the one of the running loop. A process has one loop; in tests each loop gets its own."""

    def __init__(self, make: Callable[[], Thing]) -> None:
        self._make = make
        self._made: tuple[asyncio.AbstractEventLoop, Thing] | None = None

    def __call__(self) -> Thing:
        """Raises RuntimeError where no loop runs."""
        loop = asyncio.get_running_loop()
        if self._made is None or self._made[0] is not loop:
            self._made = (loop, self._make())
        return self._made[1]
