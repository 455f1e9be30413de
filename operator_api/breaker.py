"""A circuit breaker: after some failures in a row, the other side is left alone to recover. Pure."""

import time
from collections.abc import Callable

# A single failure is an accident; five in a row are not.
FAILURES_LIMIT = 5
PAUSE_SECONDS = 10.0


class Breaker:
    """Closed: all may try. Open: nobody. After the pause one may try, and what becomes of that decides."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_again_at = float("-inf")
        self._trying = False

    @property
    def open(self) -> bool:
        """Whether the other side is being left alone, but for the one who may try."""
        return self._failures >= FAILURES_LIMIT

    def allows(self) -> bool:
        """Whether to try now. Whoever is allowed to must say what came of it."""
        if self._failures < FAILURES_LIMIT:
            return True
        if self._trying or self._clock() < self._closed_again_at:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        self._failures, self._trying = 0, False

    def failed(self) -> None:
        self._failures, self._trying = self._failures + 1, False
        if self._failures >= FAILURES_LIMIT:
            self._closed_again_at = self._clock() + PAUSE_SECONDS

    def gave_up(self) -> None:
        """It was not found out what becomes of the try."""
        self._trying = False
