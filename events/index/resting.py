"""How long the thread that indexes rests for each second of its work: longer while its process has nothing to spare."""

import time

# For each second of work on terms: while it sleeps, the loop gets the interpreter at once.
IDLE_SHARE = 1.0
# The same while all other threads together take more than BUSY of a core. Publishing and streams go first. Some 700
# events a second are indexed all the same; what is missing is scanned by searches, and made up for afterwards.
BUSY_SHARE = 16.0
BUSY = 0.7
# How long the other threads are watched for one verdict.
WATCH_SECONDS = 0.25


class Resting:
    """Sleeps in the thread that indexes, and nowhere else: its own CPU is not that of the others."""

    def __init__(self) -> None:
        self._busy = False
        self._watched_since: tuple[float, float, float] | None = None
        self._worked_until = 0.0

    def begin(self) -> None:
        """What this thread has done until now, such as reading the log, counts in a busy process only."""
        if not self._busy:
            self._worked_until = time.thread_time()
        # Not before: it may have been made by another thread.
        self._watched_since = self._watched_since or _clocks()

    def after_terms(self) -> None:
        """For what was worked since the last rest, or since begin(). What was waited for others does not count: beside
        busy ones this thread would never catch up."""
        self._watch()
        self._rest(BUSY_SHARE if self._busy else IDLE_SHARE)

    def after_writing(self) -> None:
        """Writing lets others run by itself, for as long as they are not busy."""
        self._watch()
        if self._busy:
            self._rest(BUSY_SHARE)
        self._worked_until = time.thread_time()

    def _rest(self, share: float) -> None:
        time.sleep(max(0.0, time.thread_time() - self._worked_until) * share)
        self._worked_until = time.thread_time()

    def _watch(self) -> None:
        clock, process, own = now = _clocks()
        before_clock, before_process, before_own = self._watched_since or now
        seconds = clock - before_clock
        if seconds < WATCH_SECONDS:
            return
        self._busy = (process - before_process) - (own - before_own) > BUSY * seconds
        self._watched_since = now


class NoRest(Resting):
    """Of a command, which has a process of its own."""

    def _rest(self, share: float) -> None:
        self._worked_until = time.thread_time()


def _clocks() -> tuple[float, float, float]:
    """Seconds: of a clock, of CPU of all threads, of CPU of this one."""
    return time.monotonic(), time.process_time(), time.thread_time()
