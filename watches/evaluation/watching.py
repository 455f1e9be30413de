"""The thread of a serving process that evaluates watches, or waits to take over from the process that does."""

import logging
import time

from django.conf import settings

from ledger.faults import DATABASE_FAULTS, LedgerUnavailable
from ledger.looking import Looking, Trouble, close_connections
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


class Watching:
    """Started with the server and stopped with it. Streams and publishing do not wait for it."""

    def __init__(self) -> None:
        self._reader = LogReader(writer.commit_from_thread)
        self._looking = Looking("watches", self.look, first_rest_seconds=LOOK_SECONDS, end=self._reader.end)
        self._trouble = Trouble(
            logger,
            wrong="watches are not evaluated: %s",
            well="watches are evaluated again",
            flag=metrics.FAILING,
        )
        self._caught_up_at = time.monotonic()

    def start(self) -> None:
        """Does nothing in a gateway, whose backends do it."""
        if settings.ROLE != "gateway":
            self._looking.start()

    def stop(self) -> None:
        self._looking.stop()

    def look(self) -> float:
        """One step, and how long to rest then."""
        started = time.monotonic()
        try:
            progress = self._reader.step()
        except Moved:
            # A watch was changed, or another process has taken over while this one was suspended.
            return LOOK_SECONDS / 2
        except (*DATABASE_FAULTS, LedgerUnavailable) as error:
            self._trouble.note(f"{type(error).__name__}: {error}")
            return self._rest_after_trouble()
        except Exception as error:
            # A thread that ends is not started again.
            if self._trouble.note(f"failed: {type(error).__name__}"):
                logger.exception("watches cannot be evaluated")
            return self._rest_after_trouble()
        self._reader.keep()
        self._trouble.note("")
        took_seconds = time.monotonic() - started
        self._measure(progress, took_seconds)
        if not progress.is_holder:
            close_connections()
            return WAIT_SECONDS
        return took_seconds * BUSY_REST_SHARE if progress.more else LOOK_SECONDS

    def _rest_after_trouble(self) -> float:
        metrics.LAG_SECONDS.set(time.monotonic() - self._caught_up_at)
        close_connections()
        return RETRY_SECONDS

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
