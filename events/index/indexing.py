"""The thread of a serving process that keeps the index, or waits to take over from the process that does."""

import contextlib
import logging
import time

from django.conf import settings

from events import metrics
from events.index.indexer import Indexer, Progress
from events.index.resting import Resting
from events.index.store import Damaged, IndexUnavailable, LeaseLost, Store
from events.index.stores import the_store
from ledger.faults import DATABASE_FAULTS
from ledger.looking import Looking, Trouble, close_connections

logger = logging.getLogger(__name__)

# From one look for new events to the next: searches scan what came in between. Each costs one query.
LOOK_SECONDS = 0.5
# The same while another process indexes: how soon its death is noticed.
WAIT_SECONDS = 2.0
RETRY_SECONDS = 2.0


class Indexing:
    """Started with the server and stopped with it. Whatever fails here, nothing else notices: searches scan the log."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or the_store()
        self._indexer = Indexer(self._store, resting=Resting())
        self._looking = Looking("search-index", self.look, first_rest_seconds=LOOK_SECONDS, end=self._end)
        self._trouble = Trouble(
            logger,
            wrong="the search index is %s; searches read the log instead",
            well="the search index is in order again",
            flag=metrics.INDEX_FAILING,
        )
        self._newest_held_at = time.monotonic()

    def start(self) -> None:
        """Does nothing with VX11_SEARCH_INDEX=off."""
        if settings.SEARCH_INDEX:
            self._looking.start()

    def stop(self) -> None:
        self._looking.stop()

    def _end(self) -> None:
        try:
            with contextlib.suppress(IndexUnavailable):
                self._indexer.end()
        finally:
            self._close()

    def look(self) -> float:
        """One step, and how long to rest then."""
        try:
            progress = self._indexer.step()
        except LeaseLost:
            # `manage.py reindex`, or a process that took over while this one was suspended.
            self._indexer.forget_claim()
            return WAIT_SECONDS
        except Damaged as damaged:
            self._trouble.note(f"damaged: {damaged}")
            return self._begin_anew()
        except (IndexUnavailable, *DATABASE_FAULTS) as error:
            self._trouble.note(f"unavailable: {type(error).__name__}: {error}")
            return self._rest_after_trouble()
        except Exception as error:
            # A thread that ends is not started again.
            if self._trouble.note(f"failed: {type(error).__name__}"):
                logger.exception("the search index cannot be written")
            return self._rest_after_trouble()
        self._trouble.note("")
        self._measure(progress)
        if not progress.is_holder:
            self._close()
            return WAIT_SECONDS
        return 0.0 if progress.more else LOOK_SECONDS

    def _begin_anew(self) -> float:
        """Delete what cannot be read; the next step makes a new one."""
        metrics.INDEX_BEGUN.labels("damaged").inc()
        self._indexer.forget_claim()
        try:
            self._store.remove()
        except (IndexUnavailable, *DATABASE_FAULTS) as error:
            self._trouble.note(f"damaged, and cannot be deleted: {error}")
            return self._rest_after_trouble()
        return LOOK_SECONDS

    def _rest_after_trouble(self) -> float:
        self._indexer.forget_claim()
        metrics.INDEX_LAG_SECONDS.set(time.monotonic() - self._newest_held_at)
        self._close()
        return RETRY_SECONDS

    def _measure(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.holds_newest:
            self._newest_held_at = now
        metrics.INDEX_LAG_EVENTS.set(progress.missing_events)
        metrics.INDEX_LAG_SECONDS.set(now - self._newest_held_at)

    def _close(self) -> None:
        """Files and connections of a process that only waits are of no use to it."""
        with contextlib.suppress(*DATABASE_FAULTS):
            self._store.close()
        close_connections()
