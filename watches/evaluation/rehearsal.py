"""What a watch would have done: the same evaluation over the last days of the log, within the budget of one search."""

import dataclasses
from datetime import datetime, timedelta

from events import search
from events.log import Cursor, Entry
from events.search import Budget, Window
from gateway.filters import Selection
from ledger import clock
from watches.conditions.evaluator import Armed, Evaluator, Run
from watches.conditions.rules import NEW_VALUE, Fired, Rule

DAYS = 7
# Events that are evaluated; and times that an answer names.
ENTRIES_LIMIT = 20_000
PAGE_ROWS = 500
TIMES_NAMED = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Rehearsal:
    """`since`: from when on; later than seven days ago unless it is `complete`. `events`: how many pass."""

    would_fire: int
    at: list[float]
    events: int
    since: float
    complete: bool


def rehearse(rule: Rule, selection: Selection, budget: Budget) -> Rehearsal:
    """For a thread of the lane `searches`. The newest events are read first, so that the answer is about them."""
    now = clock.now()
    begin = now - timedelta(days=DAYS)
    memory_seconds = rule.condition.seconds if rule.condition.kind == NEW_VALUE else 0.0
    entries, searched_from = _read(selection, begin - timedelta(seconds=memory_seconds), budget)
    complete = searched_from is None
    # Before this time events are remembered, and nothing fires.
    since = begin.timestamp() if searched_from is None else max(begin.timestamp(), searched_from + memory_seconds)
    start_seq = max((entry.seq for entry in entries if entry.created_at < since), default=0)
    evaluator = Evaluator([Run(Armed(0, rule, selection, start_seq, since), {})], now=since)
    if memory_seconds == 0.0:
        entries = [entry for entry in entries if entry.created_at >= since]
    for entry in entries:
        evaluator.feed(entry)
    evaluator.advance(now.timestamp())
    times = [one.outcome.at for one in evaluator.take() if isinstance(one.outcome, Fired)]
    counted = sum(entry.created_at >= since for entry in entries)
    return Rehearsal(len(times), times[-TIMES_NAMED:], counted, since, complete)


def _read(selection: Selection, begin: datetime, budget: Budget) -> tuple[list[Entry], float | None]:
    """What passes, oldest first; and from when on that is all, None if it is all since `begin`."""
    window = Window(start=begin)
    page = search.read_newest(selection, limit=PAGE_ROWS, window=window, budget=budget)
    pages = [page.entries]
    while page.has_more and len(pages) * PAGE_ROWS < ENTRIES_LIMIT and not budget.is_used_up:
        first: Cursor = page.first_cursor
        page = search.read_before(first, selection, limit=PAGE_ROWS, window=window, budget=budget)
        pages.append(page.entries)
    entries = [entry for entries in reversed(pages) for entry in entries]
    if not page.has_more:
        return entries, None
    reached = page.searched_times[0]
    return entries, reached.timestamp() if reached is not None else clock.now().timestamp()
