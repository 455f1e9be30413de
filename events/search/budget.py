"""What one question may cost: rows, and time."""

import time

# One question about fields reads no more rows, and begins no span after so long. Sixteen at a time are answered within
# the wait of their lane (1.7 s, two threads), even if each uses up its time and its last span takes as long again.
ROWS_LIMIT = 50_000
QUESTION_SECONDS = 0.1
# A search has a lane of its own, and more time: less when others wait.
SEARCH_SECONDS = 1.0


class Budget:
    """What is left of one question's time and rows. A little is always searched, so that a search gets further.

    `ends_at` is by time.monotonic().
    """

    def __init__(self, *, rows: int | None = None, seconds: float | None = None) -> None:
        self.rows_spent = 0
        self._rows_limit = ROWS_LIMIT if rows is None else rows
        self.ends_at = time.monotonic() + (QUESTION_SECONDS if seconds is None else seconds)

    @classmethod
    def of_search(cls, others_waiting: int, threads: int) -> "Budget":
        """Of a search, while so many others wait for one of these threads."""
        return cls(seconds=max(QUESTION_SECONDS, SEARCH_SECONDS / (1 + others_waiting / threads)))

    def spend(self, rows: int) -> None:
        self.rows_spent += rows

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.ends_at - time.monotonic())

    @property
    def is_used_up(self) -> bool:
        return self.rows_spent >= self._rows_limit or time.monotonic() >= self.ends_at
