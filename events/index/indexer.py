"""The one that indexes: reads the log from where the index ends, and writes the terms of what it reads.

An index that begins, begins at the end of the log: what comes is indexed first, then what was there, newest first. So
searches for new events are fast from the first second on, however long the log is.
"""

import dataclasses
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterable, Iterator

from events import log, metrics
from events.index.resting import NoRest, Resting
from events.index.store import LEASE_SECONDS, Row, State, Store
from events.index.tallies import Tally, Tallying
from events.index.vocabulary import terms_in
from events.log import Columns, Cursor, CursorGone, Head

logger = logging.getLogger(__name__)

# Of one read. More at a time would keep the interpreter from other threads for too long.
PAGE_ROWS = 500
# The first read of a batch shows how large its events are; of large ones, about so much is read at a time.
FIRST_READ_ROWS, PAGE_BYTES = 64, 1024 * 1024
# Of one transaction, when so many are to be indexed: few large ones cost less than many small ones.
BATCH_ROWS = 5_000
# Terms of so few events are made in a millisecond; then others have their turn.
PIECE_ROWS = 32
RENEW_SECONDS = LEASE_SECONDS / 3
# Whole segments are forgotten, so there is no hurry; and the size is asked for as often.
TIDY_SECONDS = 60.0
# A reason to begin anew that the person who chose it need not be told.
BY_COMMAND = "command"


@dataclasses.dataclass(frozen=True)
class Progress:
    """After one step: what is indexed of which log, whether this process does it, and whether there is more to do."""

    head: Head | None
    state: State | None
    is_holder: bool = True
    more: bool = False

    @property
    def missing_events(self) -> int:
        """By their numbers; those that came lately, and older ones that are yet to be indexed."""
        head, state = self.head, self.state
        if head is None:
            return 0
        served = head.last_seq - head.oldest_seq + 1
        if state is None or state.epoch != head.epoch or state.low > state.high:
            return served
        older = max(0, state.low - head.oldest_seq)
        return min(served, max(0, head.last_seq - state.high) + older)

    @property
    def holds_newest(self) -> bool:
        head, state = self.head, self.state
        return head is None or (state is not None and state.epoch == head.epoch and state.high >= head.last_seq)


class Indexer:
    """Works step by step, in the caller's thread, and rests meanwhile for as long as `resting` says."""

    def __init__(self, store: Store, *, resting: Resting | None = None) -> None:
        self._store = store
        self._resting = resting or NoRest()
        # Differs from the name of any other process, and of this one after a restart.
        self.holder = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._claimed_at: float | None = None
        self._tidied_at: float | None = None

    def step(self) -> Progress:
        """Index one batch, if there is something to index and no other process does it.

        Raises Damaged, IndexUnavailable, LeaseLost, and DATABASE_FAULTS of the log.
        """
        head = log.peek()
        if head is None:
            return Progress(None, None)
        if not self._claim():
            return Progress(head, self._store.state(), is_holder=False)
        state = self._store.state()
        if state is None or state.epoch != head.epoch or state.high > head.last_seq:
            state = self.begin(head, "new" if state is None else "epoch")
        try:
            state = self._index(head, state)
        except CursorGone as gone:
            # The index was off for so long that what came next has been pruned; or the log was put back just now.
            head = gone.head
            if state.high < head.oldest_seq - 1 or state.epoch != head.epoch:
                state = self.begin(head, "expired")
        self._tidy(head)
        return Progress(head, state, more=state.high < head.last_seq or state.low > head.oldest_seq)

    def take_over(self) -> None:
        """Take the lease, also from a process that lives: that gets LeaseLost, and waits."""
        self._claim(force=True)

    def begin(self, head: Head, reason: str) -> State:
        """Anew, at the end of the log."""
        if reason != BY_COMMAND:
            metrics.INDEX_BEGUN.labels(reason).inc()
            logger.info("the search index begins anew reason=%s", reason)
        return self._store.begin(self.holder, head.epoch, after=head.last_seq)

    def end(self) -> None:
        """Let another process take over at once."""
        if self._claimed_at is not None:
            self._claimed_at = None
            self._store.release(self.holder)

    def forget_claim(self) -> None:
        """The store may be another one by now: claim it again."""
        self._claimed_at = None

    def _claim(self, *, force: bool = False) -> bool:
        now = time.monotonic()
        if self._claimed_at is not None and now - self._claimed_at < RENEW_SECONDS and not force:
            return True
        claimed = self._store.claim(self.holder, force=force)
        self._claimed_at = now if claimed else None
        return claimed

    def _index(self, head: Head, state: State) -> State:
        """A batch of what came lately, or else of what is older than all that is indexed."""
        if state.high < head.last_seq:
            rows, tallies, reached = self._read(Cursor(head.epoch, state.high), until=state.high + BATCH_ROWS)
            indexed = state._replace(high=reached)
        elif state.low > head.oldest_seq:
            start = max(head.oldest_seq, state.low - BATCH_ROWS)
            rows, tallies, _ = self._read(Cursor(head.epoch, start - 1), until=state.low - 1)
            indexed = state._replace(low=start)
        else:
            return state
        self._store.write(self.holder, rows, low=indexed.low, high=indexed.high, tallies=tallies)
        self._resting.after_writing()
        return indexed

    def _read(self, cursor: Cursor, *, until: int) -> tuple[list[Row], list[Tally], int]:
        """The events after the cursor up to that seq or to the end of the log, and the last seq that was searched."""
        rows: list[Row] = []
        tallying, first, limit = Tallying(), cursor.seq + 1, FIRST_READ_ROWS
        while cursor.seq < until:
            found, cursor = log.read_columns(cursor, until=until, limit=min(PAGE_ROWS, limit))
            rows += self._terms(found)
            tallying.add(found)
            if len(found) < min(PAGE_ROWS, limit):
                break
            # As many as before, unless events are large.
            limit = max(1, PAGE_BYTES * len(found) // sum(len(row.payload) + 1 for row in found))
        return rows, tallying.of(first, cursor.seq), cursor.seq

    def _terms(self, events: Iterable[Columns]) -> Iterator[Row]:
        self._resting.begin()
        for number, event in enumerate(events, start=1):
            yield event.seq, terms_in(event)
            if number % PIECE_ROWS == 0:
                self._resting.after_terms()

    def _tidy(self, head: Head) -> None:
        now = time.monotonic()
        if self._tidied_at is not None and now - self._tidied_at < TIDY_SECONDS:
            return
        self._tidied_at = now
        self._store.forget_below(self.holder, head.oldest_seq)
        metrics.INDEX_BYTES.set(self._store.size_bytes())
