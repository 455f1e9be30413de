"""One line of a terminal that is drawn over again and again, and lines that stay above it. No Django.

In a file or a journal nothing can be drawn over: there, a plain line is written now and then, if at all.
"""

import shutil
import time
from collections.abc import Callable

REDRAW_SECONDS = 0.2
CLEAR_LINE = "\r\x1b[K"


class StatusLine:
    """`write` gets text with its end of line, if it has one. `plain_seconds` is how often a line goes into a file; None
    is never. `waits_first`: nothing is shown of work that is done within the first pause.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        flush: Callable[[], object],
        *,
        is_live: bool,
        plain_seconds: float | None = None,
        waits_first: bool = False,
    ) -> None:
        self._write = write
        self._flush = flush
        self._is_live = is_live
        self._pause_seconds = REDRAW_SECONDS if is_live else plain_seconds
        self._drawn_at = time.monotonic() if waits_first else float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether `draw` would show anything now: to put a line together costs time, too."""
        return self._pause_seconds is not None and time.monotonic() - self._drawn_at >= self._pause_seconds

    def draw(self, text: str) -> None:
        """In the place of what was drawn before. Does nothing if that was a moment ago."""
        if not self.is_due:
            return
        self._drawn_at = time.monotonic()
        if self._is_live:
            # A line that wraps could not be drawn over.
            self._write(CLEAR_LINE + text[: shutil.get_terminal_size().columns - 1])
            self._flush()
        else:
            self._write(f"{text}\n")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{CLEAR_LINE if self._is_live else ''}{text}\n")
        self._flush()

    def clear(self) -> None:
        if self._is_live:
            self._write(CLEAR_LINE)
