"""The thread of a serving process that evaluates watches, or waits to take over from the process that does."""

import contextlib
import logging
import random
import threading
import time

from django.conf import settings
from django.db import connections

from ledger.faults import DATABASE_FAULTS, LedgerUnavailable
from ledger.writer import writer
from watches import metrics
from watches.evaluation.log_reader import LogReader, Progress
from watches.evaluation.recording import Moved

logger = logging.getLogger(__name__)

# From one look for new events to the next: what fired is in the outbox within about two of them.
LOOK_SECONDS = 0.5
# The same while another process evaluates: how soon its death is noticed.
WAIT_SECONDS = 2.0
RETRY_SECONDS = 2.0
# After a page with more behind it: so others get a share of the database and of the interpreter.
BUSY_REST_SHARE = 0.25
# The thread ends with its process anyway, and what it had not committed does not count.
STOP_WAIT_SECONDS = 2.0


class Watching:
    """Started with the server and stopped with it. Streams and publishing do not wait for it."""

    def __init__(self) -> None:
        self._reader = LogReader(writer.commit_from_thread)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watches", daemon=True)
        # What is wrong, "" while all is well: one log line for each change.
        self._trouble = ""
        self._caught_up_at = time.monotonic()

    def start(self) -> None:
        """Does nothing in a gateway, whose backends do it."""
        if settings.ROLE != "gateway":
            self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(STOP_WAIT_SECONDS)

    def _run(self) -> None:
        rest_seconds = LOOK_SECONDS
        # Jitter: processes that were started together must not all look at once.
        while not self._ending.wait(rest_seconds * random.uniform(0.8, 1.0)):
            rest_seconds = self.look()
        with contextlib.suppress(*DATABASE_FAULTS):
            self._reader.end()
        self._close()

    def look(self) -> float:
        """One step, and how long to rest then."""
        started = time.monotonic()
        try:
            progress = self._reader.step()
        except Moved:
            # A watch was changed, or another process has taken over while this one was suspended.
            return LOOK_SECONDS / 2
        except (*DATABASE_FAULTS, LedgerUnavailable) as error:
            self._note(f"{type(error).__name__}: {error}")
            return self._rest_after_trouble()
        except Exception as error:
            # A thread that ends is not started again.
            if self._note(f"failed: {type(error).__name__}"):
                logger.exception("watches cannot be evaluated")
            return self._rest_after_trouble()
        self._reader.keep()
        self._note("")
        took_seconds = time.monotonic() - started
        self._measure(progress, took_seconds)
        if not progress.is_holder:
            self._close()
            return WAIT_SECONDS
        return took_seconds * BUSY_REST_SHARE if progress.more else LOOK_SECONDS

    def _rest_after_trouble(self) -> float:
        metrics.LAG_SECONDS.set(time.monotonic() - self._caught_up_at)
        self._close()
        return RETRY_SECONDS

    def _note(self, trouble: str) -> bool:
        """Whether this is news; then it is logged."""
        if trouble == self._trouble:
            return False
        self._trouble = trouble
        metrics.FAILING.set(bool(trouble))
        if trouble:
            logger.warning("watches are not evaluated: %s", trouble)
        else:
            logger.info("watches are evaluated again")
        return True

    def _measure(self, progress: Progress, took_seconds: float) -> None:
        now = time.monotonic()
        if not progress.is_holder or not progress.missing_events:
            # One that waits lags behind nothing: the one that evaluates says how far it is.
            self._caught_up_at = now
        metrics.LAG_SECONDS.set(now - self._caught_up_at)
        metrics.LAG_EVENTS.set(progress.missing_events)
        if progress.is_holder:
            metrics.STEP_SECONDS.observe(took_seconds)
        metrics.EVALUATED.inc(progress.evaluated)
        metrics.FIRINGS.inc(progress.firings)

    def _close(self) -> None:
        """Connections of a process that only waits are of no use to it."""
        with contextlib.suppress(*DATABASE_FAULTS):
            connections.close_all()
