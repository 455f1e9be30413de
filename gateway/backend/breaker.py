"""A circuit breaker: after some failures in a row, the other side is left alone to recover. Pure."""

import time
from collections.abc import Callable

# A single failure is an accident; five in a row are not.
FAILURES_LIMIT = 5
PAUSE_SECONDS = 10.0


class Breaker:
    """Closed: every caller may try. Open: none may. After the pause one may try, and its outcome decides."""

    def __init__(self, *, pause_seconds: float = PAUSE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._failures = 0
        self._closed_again_at = float("-inf")
        self._trying = False
        # Counts how often it has opened or closed.
        self._phase = 0

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES_LIMIT

    def turn(self) -> "Turn | None":
        """Leave to try now, or None. The caller that gets it must report the outcome."""
        if self.is_open:
            if self._trying or self._clock() < self._closed_again_at:
                return None
            self._trying = True
        return Turn(self, self._phase)

    def _succeeded(self, phase: int) -> None:
        if phase != self._phase:
            return
        self._phase += self.is_open
        self._failures, self._trying = 0, False

    def _failed(self, phase: int) -> None:
        if phase != self._phase:
            return
        was_open = self.is_open
        self._failures, self._trying = self._failures + 1, False
        if self.is_open:
            self._phase += not was_open
            self._closed_again_at = self._clock() + self._pause_seconds

    def _gave_up(self, phase: int) -> None:
        if phase == self._phase:
            self._trying = False


class Turn:
    """Leave to try once.

    Its outcome counts only while the breaker has not opened or closed since: an answer may come a minute late, and then
    shows neither how the other side is now, nor the outcome of the one try that decides.
    """

    def __init__(self, breaker: Breaker, phase: int) -> None:
        self._breaker = breaker
        self._phase = phase

    def succeeded(self) -> None:
        self._breaker._succeeded(self._phase)

    def failed(self) -> None:
        self._breaker._failed(self._phase)

    def gave_up(self) -> None:
        """The outcome is not known: the caller left, or failed for a reason of its own."""
        self._breaker._gave_up(self._phase)
