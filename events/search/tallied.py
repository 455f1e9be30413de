"""The parts of the log that a count goes through, newest first: what the index has counted, and what the database will.

Both count the same events: all from one seq to another, by the fields and created_at of each. Tallies are of ranges of
seqs, as questions are, and only those are used that lie in the question's range as a whole. So a clock that was behind,
and what is not indexed yet or pruned in part, change nothing.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from django.db import models

from events import log
from events.index import IndexUnavailable, Source, Tally, TooSlow, Wanted, the_index
from events.log import Head
from events.search.budget import Budget
from events.search.narrowing import admits_source, for_database
from events.search.spans import SHORTEST_STATEMENT_SECONDS
from gateway.filters import Selection

# Counting is done by the database where it can, which takes much less for each row than reading does.
COUNT_SPAN_SEQS = 50_000
# Read at a time: at most a few MiB.
TALLIES_LIMIT = 20


class Part(NamedTuple):
    """From `first` to `last`. Without a tally, the database counts it."""

    first: int
    last: int
    tally: Tally | None = None


def back(now: Head, oldest: int, newest: int, budget: Budget, wanted: Wanted | None) -> Iterator[Part]:
    """Parts from `newest` down to `oldest`, while the budget lasts. If nothing is wanted of tallies, there are none."""
    tallies = iter(()) if wanted is None else _tallies(now.epoch, oldest, newest, budget, wanted)
    tally, last = next(tallies, None), newest
    while last >= oldest and not (budget.is_used_up and last < newest):
        if tally is not None and tally.last == last:
            part = Part(tally.first, last, tally)
            tally = next(tallies, None)
        else:
            begin = oldest if tally is None else tally.last + 1
            part = Part(max(begin, last - COUNT_SPAN_SEQS + 1), last)
        yield part
        last = part.first - 1


def _tallies(epoch: str, oldest: int, newest: int, budget: Budget, wanted: Wanted) -> Iterator[Tally]:
    """Those that lie in the range, newest first; none further when the index cannot be asked."""
    last = newest
    while True:
        seconds = max(SHORTEST_STATEMENT_SECONDS, budget.seconds_left)
        try:
            found = the_index().tallies(
                epoch, low=oldest, high=last, wanted=wanted, limit=TALLIES_LIMIT, seconds=seconds
            )
        except (IndexUnavailable, TooSlow):
            return
        yield from found
        if len(found) < TALLIES_LIMIT:
            return
        last = found[-1].first - 1


def counted_by_database(
    selection: Selection, part: Part, *, only: models.Q | None = None, **also: models.expressions.Combinable
) -> Iterator[tuple[Source, int, list[int]]]:
    """Events by source, and by the values of what is annotated, of a selection that is decided by sources."""
    rows = log.matching(for_database(selection)).filter(only or models.Q(), seq__gte=part.first, seq__lte=part.last)
    counted = rows.order_by().annotate(**also).values_list(*Source._fields, *also).annotate(models.Count("seq"))
    passes = admits(selection)
    for severity, module, event_type, *values, events in counted:
        source = Source(severity, module, event_type)
        if passes(source):
            yield source, events, values


def admits(selection: Selection) -> Callable[[Source], bool]:
    """Each source is compared once."""
    known: dict[Source, bool] = {}

    def passes(source: Source) -> bool:
        if (found := known.get(source)) is None:
            found = known[source] = admits_source(selection, source)
        return found

    return passes
