"""Which values are there, and how often? Counts of values of fields in what passes, newest first."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from django.db import models

from events import log
from events.index import ONE_BUCKET, Source, Wanted
from events.log import Cursor, Head, Rows
from events.query.record_view import as_text, is_scalar
from events.search import spans, tallied
from events.search.budget import Budget
from events.search.counting import rows_in
from events.search.narrowing import is_decided_by
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
    if set(fields) <= set(Source._fields) and is_decided_by(selection, Source._fields):
        parts = _by_tallies(selection, counts, now, oldest, newest, budget)
    elif selection.queries is None:
        parts = _by_the_database(selection, counts, now, oldest, newest, budget)
    else:
        parts = _by_reading(selection, counts, oldest, newest, budget)
    reached = min(parts, default=newest + 1)
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


# These count part after part, and give the first seq of each.


def _by_tallies(
    selection: Selection, counts: Counts, now: Head, oldest: int, newest: int, budget: Budget
) -> Iterator[int]:
    passes, by_source = tallied.admits(selection), Counter[Source]()
    for part in tallied.back(now, oldest, newest, budget, Wanted(ONE_BUCKET)):
        if part.tally is None:
            found = ((source, events) for source, events, _ in tallied.counted_by_database(selection, part))
        else:
            found = ((source, events) for _, source, events in part.tally.by_bucket(ONE_BUCKET, passes))
        for source, events in found:
            by_source[source] += events
        yield part.first
    for source, events in by_source.items():
        for name, values in counts.items():
            values[getattr(source, name)] += events


def _by_the_database(
    selection: Selection, counts: Counts, now: Head, oldest: int, newest: int, budget: Budget
) -> Iterator[int]:
    for part in tallied.back(now, oldest, newest, budget, None):
        rows = log.matching(selection).filter(seq__gte=part.first, seq__lte=part.last).order_by()
        for name, values in counts.items():
            values.update(dict(rows.values_list(name).annotate(models.Count("seq"))))
        yield part.first


def _by_reading(selection: Selection, counts: Counts, oldest: int, newest: int, budget: Budget) -> Iterator[int]:
    for rows in _rows_back(selection, oldest, newest, budget):
        for entry in rows.entries:
            for name, values in counts.items():
                values[getattr(entry, name)] += 1
        yield rows.reached


def _rows_back(selection: Selection, oldest: int, newest: int, budget: Budget) -> Iterator[Rows]:
    for span in spans.back(selection, oldest, newest, budget):
        yield from rows_in(selection, span, budget)
