"""The one that evaluates: reads the log behind its own cursor, and records what happened, step by step.

What it holds in memory (`loading`) is what is stored. After any error it holds nothing and reads everything again, so a
step that failed, or of which it is not known whether it was committed, is neither missed nor done twice.
"""

import dataclasses
import logging
import time

from events import log, search
from events.log import Cursor, CursorGone, Head, Page
from events.search import Budget
from gateway.filters import EVERYTHING
from gateway.identity.principals import Snapshot, read_rights
from ledger import clock, long_lived
from ledger.lanes import give_way
from watches import in_use, metrics
from watches.conditions.evaluator import Evaluator, Run
from watches.conditions.rules import NEW_VALUE
from watches.evaluation import recording
from watches.evaluation.lease import Lease
from watches.evaluation.loading import Loaded, armed
from watches.evaluation.recording import Commit, Moved, Step
from watches.models import StateRow, Watch, WatchReader

logger = logging.getLogger(__name__)

# Of one read and one transaction.
PAGE_ROWS = 500
# After so many firings and ends a step is over: each is some rows, and an event under the lock of the head.
HAPPENINGS_LIMIT = 100
# Not every change of a right raises the version of rights, so all are read again so often.
RIGHTS_SECONDS = 15.0
# A reader that is further behind than a page holds notices back for so long, so that many become one.
HOLD_SECONDS = 15.0
# After each event, unless many are still to be read: the event loop gives up the interpreter with each write to a
# stream, and gets it back in this time. Without pauses it waits for up to 5 ms, and that for each of a hundred streams.
PAUSE_SECONDS = 0.0001
# A watch that learns reads a page of what passes its query in each step, for at most so long.
LEARNING_SECONDS = 0.2
# A watch is some fifty objects. So many more are kept out of full collections.
KEPT_WATCHES = 100


@dataclasses.dataclass(frozen=True)
class Progress:
    """After one step. `missing_events`: those behind the cursor; `more`: there is more to do at once."""

    is_holder: bool = True
    missing_events: int = 0
    more: bool = False
    firings: int = 0
    evaluated: int = 0


class LogReader:
    """Works step by step, in the caller's thread. `commit` writes what comes of a step."""

    def __init__(self, commit: Commit = recording.alone) -> None:
        self._commit = commit
        self.lease = Lease()
        self._loaded: Loaded | None = None
        self._rights: Snapshot | None = None
        self._rights_at = 0.0

    def step(self) -> Progress:
        """Evaluate a page of the log, if no other process does.

        Raises Moved, DATABASE_FAULTS, and LedgerUnavailable.
        """
        try:
            return self._step()
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Hold nothing; the next step reads what is stored."""
        self._loaded = None
        self.lease.forget()

    def keep(self) -> None:
        """What was loaded stays: if it is much, a full collection need not scan it. For a process that serves."""
        if self._loaded is not None and self._loaded.unkept >= KEPT_WATCHES:
            self._loaded.unkept = 0
            long_lived.keep()

    def end(self) -> None:
        self._loaded = None
        self.lease.release()

    def _step(self) -> Progress:
        if not in_use.has_watches():
            # A lease is a write every two seconds, which an installation without watches is spared.
            self.end()
            return Progress()
        head = log.peek()
        if head is None or not self.lease.claim():
            self._loaded = None
            return Progress(is_holder=head is None)
        self._read_rights()
        loaded = self._loaded = self._load(head) if self._loaded is None else self._caught_up(self._loaded, head)
        if self._stop_invalid(loaded):
            return Progress(more=True)
        is_learning = bool(loaded.learning)
        if is_learning and self._learn(loaded):
            return Progress(more=True)
        if not loaded.evaluator.runs:
            return Progress(more=is_learning)
        page = self._read(loaded)
        return dataclasses.replace(progress := self._evaluate(loaded, page), more=progress.more or is_learning)

    def _read_rights(self) -> None:
        now = time.monotonic()
        again = self._rights is not None and now - self._rights_at >= RIGHTS_SECONDS
        found = read_rights(self._rights, again=again)
        if found is not self._rights or again:
            self._rights_at = now
        if found is not self._rights and self._loaded is not None:
            self._loaded.follow_rights(found)
        self._rights = found

    def _load(self, head: Head) -> Loaded:
        row = WatchReader.objects.get(pk=1)
        # By a definition that is read too early nothing is committed: its number is compared then.
        loaded = Loaded(Cursor(row.epoch, row.seq), row.definitions, Evaluator([], now=row.time))
        loaded.take_in(Watch.objects.filter(stopped_because=""), self._known)
        loaded.cursor = self._cursor_of(row, head, [run.armed.start_seq for run in loaded.evaluator.runs.values()])
        return loaded

    def _caught_up(self, loaded: Loaded, head: Head) -> Loaded:
        """With what people have changed since it was loaded."""
        row = WatchReader.objects.get(pk=1)
        if row.definitions == loaded.definitions:
            return loaded
        here = (self.lease.holder, *loaded.cursor)
        if not loaded.evaluator.runs or (row.holder, row.epoch, row.seq) != here:
            # The first watch decides from where on the log is read.
            return self._load(head)
        loaded.catch_up(row, self._known)
        return loaded

    def _cursor_of(self, row: WatchReader, head: Head, starts: list[int]) -> Cursor:
        """Where to go on. What no watch needs is not read; a cursor of another epoch is in the same database, and so
        says as much in this one.
        """
        stored = Cursor(row.epoch, row.seq)
        seq = max(row.seq, min(starts, default=head.last_seq)) if row.epoch else min(starts, default=head.last_seq)
        cursor = Cursor(head.epoch, min(max(seq, head.oldest_seq - 1), head.last_seq))
        if row.epoch and cursor.seq != seq or row.epoch not in ("", head.epoch):
            reason = "epoch" if row.epoch != head.epoch else "expired" if cursor.seq > seq else "unknown"
            metrics.RESETS.labels(reason).inc()
            logger.warning("watches go on at %s, and not at %s: %s", cursor, stored, reason)
        if cursor != stored:
            moved = WatchReader.objects.filter(pk=1, holder=self.lease.holder, epoch=row.epoch, seq=row.seq)
            if not moved.update(epoch=cursor.epoch, seq=cursor.seq):
                raise Moved
            Watch.objects.filter(start_seq__gt=head.last_seq).update(start_seq=head.last_seq)
        return cursor

    @property
    def _known(self) -> Snapshot:
        assert self._rights is not None  # noqa: S101 - each step reads them first
        return self._rights

    def _stop_invalid(self, loaded: Loaded) -> bool:
        """Stop watches that cannot be evaluated any more, and say so. The next step reads what was stopped."""
        stops = loaded.stops(self._known)
        for _, reason in stops:
            metrics.STOPPED.labels(reason.kind).inc()
        if stops:
            recording.stop_many(stops)
        return bool(stops)

    def _read(self, loaded: Loaded) -> Page:
        try:
            return log.read_after(loaded.cursor, EVERYTHING, limit=PAGE_ROWS)
        except CursorGone as gone:
            # Pruned, or put back, since this was loaded: the next step sees how to go on.
            raise Moved(gone.reset) from None

    def _evaluate(self, loaded: Loaded, page: Page) -> Progress:
        evaluator = loaded.evaluator
        reached, is_cut = page.cursor, False
        for number, entry in enumerate(page.entries, start=1):
            give_way(PAUSE_SECONDS if page.caught_up else 0.0)
            evaluator.feed(entry)
            if evaluator.untaken >= HAPPENINGS_LIMIT and number < len(page.entries):
                # What was written is one transaction, for which publishers wait; the next step reads on from here.
                reached, is_cut = Cursor(page.cursor.epoch, entry.seq), True
                break
        is_tick = page.caught_up and not is_cut and evaluator.due <= clock.now().timestamp()
        missing = max(0, page.head.last_seq - reached.seq)
        if reached != loaded.cursor or is_tick:
            hold_seconds = HOLD_SECONDS if missing else 0.0
            step = Step(
                self.lease.holder,
                loaded.cursor,
                loaded.definitions,
                reached,
                evaluator,
                tick=is_tick,
                hold_seconds=hold_seconds,
            )
            recording.record(step, loaded.watches, self._commit)
            loaded.cursor = reached
            firings = step.firings
        else:
            firings = 0
        return Progress(
            missing_events=missing, more=missing > 0, firings=firings, evaluated=number if is_cut else len(page.entries)
        )

    def _learn(self, loaded: Loaded) -> bool:
        """Read on for one watch that looks for new values: what was there in the days before it began.

        Whether it is where all others are.
        """
        watch = next(iter(loaded.learning.values()))
        assert watch.rule.condition.kind == NEW_VALUE and watch.learned_seq is not None  # noqa: S101, PT018 - no others learn
        rows = StateRow.objects.filter(watch=watch).values_list("key", "state")
        selected = armed(watch, self._known)
        evaluator = Evaluator([Run(selected, dict(rows))])
        here = Cursor(loaded.cursor.epoch, max(watch.learned_seq, log.head().oldest_seq - 1))
        try:
            page = search.read_after(here, selected.selection, limit=PAGE_ROWS, budget=Budget(seconds=LEARNING_SECONDS))
        except CursorGone as gone:
            raise Moved(gone.reset) from None
        reached = min(page.cursor.seq, loaded.cursor.seq)
        for entry in page.entries:
            if entry.seq <= reached:
                evaluator.feed(entry)
        learned_seq = None if reached >= loaded.cursor.seq else reached
        step = Step(
            self.lease.holder,
            loaded.cursor,
            loaded.definitions,
            loaded.cursor,
            evaluator,
            learner=watch.pk,
            learned_seq=learned_seq,
        )
        recording.record(step, loaded.watches, self._commit)
        watch.learned_seq = learned_seq
        if learned_seq is None:
            # From the next step on it is evaluated with all others.
            loaded.take_in([watch], self._known)
        return learned_seq is None
