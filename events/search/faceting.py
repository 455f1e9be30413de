"""Which values are there, and how often? Counts of values of fields in what passes, newest first."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from django.db import models

from events import log
from events.log import Cursor, Rows
from events.query.record_view import as_text, is_scalar
from events.search import spans
from events.search.budget import Budget
from events.search.counting import COUNT_SPAN_SEQS, rows_in
from events.search.pages import Window
from gateway.filters import Selection

# Fields of every event; all others are paths into the payload.
FIELDS = ("module", "event_type", "severity", "correlation_id")
# Values in the payload are counted in so many of the newest events that pass.
SAMPLE_EVENTS = 5_000
# Of the payload's values that are counted; longer ones are no value to choose from.
VALUE_LIMIT_CHARACTERS = 200


class Facets(NamedTuple):
    """Counts of values by field; how far back they were counted; and if that is all."""

    counts: dict[str, Counter[str]]
    searched_from: Cursor
    complete: bool


def count_fields(selection: Selection, fields: Sequence[str], *, window: Window, budget: Budget) -> Facets:
    """The values of fields of every event, which are of FIELDS."""
    now = log.head()
    oldest, newest = window.seqs(now)
    counts = {name: Counter[str]() for name in fields}
    count = _by_the_database if selection.queries is None else _by_reading
    reached = min(count(selection, counts, oldest, newest, budget), default=newest + 1)
    return Facets(counts, Cursor(now.epoch, reached - 1), reached <= oldest)


def count_paths(selection: Selection, paths: Mapping[str, Sequence[str]], *, window: Window, budget: Budget) -> Facets:
    """Scalars in the payload of the newest SAMPLE_EVENTS, by the name of each path."""
    now = log.head()
    oldest, newest = window.seqs(now)
    counts = {name: Counter[str]() for name in paths}
    reached, left = newest + 1, SAMPLE_EVENTS
    for rows in _rows_back(selection, oldest, newest, budget):
        for entry in rows.entries:
            if not left:
                return Facets(counts, Cursor(now.epoch, entry.seq), complete=False)
            left -= 1
            view = entry.view()
            for name, path in paths.items():
                # Each value once for an event, however often it stands in a list.
                values = {as_text(value) for value in view.at(path) if is_scalar(value)}
                counts[name].update(value for value in values if len(value) <= VALUE_LIMIT_CHARACTERS)
        reached = rows.reached
    return Facets(counts, Cursor(now.epoch, reached - 1), reached <= oldest)


Counts = dict[str, Counter[str]]


def _by_the_database(selection: Selection, counts: Counts, oldest: int, newest: int, budget: Budget) -> Iterator[int]:
    """Counts span after span, and gives the first seq of each."""
    last = newest
    while last >= oldest and not (budget.is_used_up and last < newest):
        first = max(oldest, last - COUNT_SPAN_SEQS + 1)
        rows = log.matching(selection).filter(seq__gte=first, seq__lte=last).order_by()
        for name, values in counts.items():
            values.update(dict(rows.values_list(name).annotate(models.Count("seq"))))
        yield first
        last = first - 1


def _by_reading(selection: Selection, counts: Counts, oldest: int, newest: int, budget: Budget) -> Iterator[int]:
    for rows in _rows_back(selection, oldest, newest, budget):
        for entry in rows.entries:
            for name, values in counts.items():
                values[getattr(entry, name)] += 1
        yield rows.reached


def _rows_back(selection: Selection, oldest: int, newest: int, budget: Budget) -> Iterator[Rows]:
    for span in spans.back(selection, oldest, newest, budget):
        yield from rows_in(selection, span, budget)
