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
    part = _Part.of(selection)
    length, last = SPAN_SEQS, until
    if selection.queries is None and last >= oldest:
        # By fields the database selects as quickly from the newest events, and with one statement for all of them.
        yield Span(max(oldest, last - SPAN_SEQS + 1), last)
        budget.spend(SPAN_SEQS)
        last -= SPAN_SEQS
        if budget.is_used_up:
            return
    while last >= oldest:
        span = part.back(oldest, last, length, budget)
        if span is None:
            scanned = min(SPAN_SEQS, log.span_seqs(selection))
            span = Span(max(oldest, last - scanned + 1, part.end_before(last)), last)
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
    part = _Part.of(selection)
    if not part.low <= after + 1 <= part.high:
        return None
    last, length = min(until, part.high), SPAN_SEQS
    seqs: list[int] = []
    reached = after
    while reached < last and len(seqs) < CANDIDATES_LIMIT and not (budget.is_used_up and reached > after):
        end = min(last, reached + length)
        found = part.asked(reached + 1, end, CANDIDATES_LIMIT - len(seqs), budget, forwards=True)
        if found is None:
            break
        seqs += found
        reached = seqs[-1] if len(seqs) == CANDIDATES_LIMIT else end
        length = min(GROWTH * length, LONGEST_SPAN_SEQS)
    return Span(after + 1, reached, seqs) if reached > after else None


class _Part(NamedTuple):
    """The part of the log that the index answers for, as one question found it. None of it without a condition."""

    condition: Condition
    low: int
    high: int

    @classmethod
    def of(cls, selection: Selection) -> "_Part":
        condition = condition_of(selection)
        return cls(condition, *(the_index().extent() if condition is not None else (1, 0)))

    def back(self, oldest: int, last: int, length: int, budget: Budget) -> Span | None:
        """What the index says of the events up to `last`; None if they must be read."""
        if not self.low <= last <= self.high:
            return None
        # A statement that is too slow for a long span is made for a shorter one; the shortest can be read as well.
        while length >= SPAN_SEQS:
            first = max(oldest, self.low, last - length + 1)
            seqs = self.asked(first, last, CANDIDATES_LIMIT, budget)
            if seqs is not None:
                return Span(seqs[-1] if len(seqs) == CANDIDATES_LIMIT else first, last, seqs)
            length //= GROWTH
        return None

    def asked(self, low: int, high: int, limit: int, budget: Budget, *, forwards: bool = False) -> list[int] | None:
        """None if that took too long, or could not be asked."""
        with contextlib.suppress(TooSlow, IndexUnavailable):
            seconds = max(SHORTEST_STATEMENT_SECONDS, budget.seconds_left)
            return the_index().seqs(self.condition, low=low, high=high, limit=limit, seconds=seconds, forwards=forwards)
        return None

    def end_before(self, last: int) -> int:
        """The first seq after what is indexed: what lies before it need not be read. 0 if nothing is."""
        return self.high + 1 if self.low <= self.high < last else 0
