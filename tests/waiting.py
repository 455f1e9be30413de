"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
PAUSE_SECONDS = 0.02


def wait_until(
    condition: Callable[[], Value | None],
    what: str,
    *,
    timeout_seconds: float = 10,
    pause_seconds: float = PAUSE_SECONDS,
) -> Value:
    """The first true value of `condition`; raises AssertionError naming `what` when none comes in time."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds} s: {what}")
        time.sleep(pause_seconds)
