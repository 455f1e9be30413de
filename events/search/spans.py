"""The parts of the log that a search goes through, one after the other: those the index has narrowed, and the rest.

A span begins small and grows while nothing is found: what is common is found at once, and what is rare with few
statements.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from events import log
from events.index import IndexUnavailable, TooSlow, the_index
from events.query import Condition
from events.search.budget import Budget
from events.search.narrowing import condition_of
from gateway.filters import EVERYTHING, Selection

# Searched by one statement: about 10 ms.
SPAN_SEQS = 10_000
# By which a span grows that the index answers for, when it names few.
GROWTH = 10
LONGEST_SPAN_SEQS = 100_000_000
# Rows that the index may name at a time.
CANDIDATES_LIMIT = 500
# A statement may take so long, however little time is left: else a search that goes on never gets further.
SHORTEST_STATEMENT_SECONDS = 0.05


class Span(NamedTuple):
    """From `first` to `last`. With `seqs`, only these may pass: the newest first, or the oldest in a span forwards."""

    first: int
    last: int
    seqs: list[int] | None = None


def back(selection: Selection, oldest: int, until: int, budget: Budget) -> Iterator[Span]:
    """Spans from `until` down to `oldest`, while the budget lasts."""
    if selection == EVERYTHING or log.is_few(selection, SPAN_SEQS):
        # The limit of the page ends the statement.
        yield Span(oldest, until)
        return
    condition, length, last = condition_of(selection), SPAN_SEQS, until
    while last >= oldest:
        span = _indexed_back(condition, oldest, last, length, budget)
        if span is None:
            scanned = min(SPAN_SEQS, log.span_seqs(selection))
            span = Span(max(oldest, last - scanned + 1, _end_of_index(condition, last)), last)
            budget.spend(last - span.first + 1)
        else:
            length = min(GROWTH * (last - span.first + 1), LONGEST_SPAN_SEQS)
            budget.spend(len(span.seqs or ()))
        yield span
        if budget.is_used_up:
            return
        last = span.first - 1


def forward(selection: Selection, after: int, until: int, budget: Budget) -> Span | None:
    """What the index says of the events that come next after this seq; None if they must be read."""
    condition = condition_of(selection)
    low, high = the_index().extent() if condition is not None else (1, 0)
    if not low <= after + 1 <= high:
        return None
    first, last, length = after + 1, min(until, high), SPAN_SEQS
    seqs: list[int] = []
    reached = after
    while reached < last and len(seqs) < CANDIDATES_LIMIT and not (budget.is_used_up and reached > after):
        end = min(last, reached + length)
        found = _asked(
            condition, low=reached + 1, high=end, limit=CANDIDATES_LIMIT - len(seqs), budget=budget, forwards=True
        )
        if found is None:
            break
        seqs += found
        reached = seqs[-1] if len(seqs) == CANDIDATES_LIMIT else end
        length = min(GROWTH * length, LONGEST_SPAN_SEQS)
    return Span(first, reached, seqs) if reached > after else None


def _indexed_back(condition: Condition, oldest: int, last: int, length: int, budget: Budget) -> Span | None:
    """What the index says of the events up to `last`; None if they must be read."""
    low, high = the_index().extent() if condition is not None else (1, 0)
    if not low <= last <= high:
        return None
    # A statement that is too slow for a long span is made for a shorter one; the shortest can be read as well.
    while length >= SPAN_SEQS:
        first = max(oldest, low, last - length + 1)
        seqs = _asked(condition, low=first, high=last, limit=CANDIDATES_LIMIT, budget=budget)
        if seqs is not None:
            return Span(seqs[-1] if len(seqs) == CANDIDATES_LIMIT else first, last, seqs)
        length //= GROWTH
    return None


def _asked(
    condition: Condition, *, low: int, high: int, limit: int, budget: Budget, forwards: bool = False
) -> list[int] | None:
    with contextlib.suppress(TooSlow, IndexUnavailable):
        seconds = max(SHORTEST_STATEMENT_SECONDS, budget.seconds_left)
        return the_index().seqs(condition, low=low, high=high, limit=limit, seconds=seconds, forwards=forwards)
    return None


def _end_of_index(condition: Condition, last: int) -> int:
    """The first seq after what is indexed: what lies before it need not be read. 0 if the index is of no use here."""
    low, high = the_index().extent() if condition is not None else (1, 0)
    return high + 1 if low <= high < last else 0
