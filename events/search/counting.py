"""How much was that? Counts of what passes: all, and by time and severity; newest first, as far as the budget lasts."""

import math
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import models

from events import log
from events.index import MINUTE_SECONDS, Grid, Source, Wanted
from events.log import Cursor, Head, Rows
from events.search import spans, tallied
from events.search.budget import Budget
from events.search.narrowing import for_database, is_decided_by
from events.search.pages import ALL_TIME, Window
from gateway.filters import Selection
from ledger.clock import UnixSeconds

# How many matching events a polling answer counts.
COUNT_LIMIT = 10_000
COUNT_SECONDS = 0.15
# A part of a minute by which a bucket may be shorter than asked for.
MINUTE_TOLERANCE = 0.05


class Counted(NamedTuple):
    """Events by (bucket number, severity), up to where they are counted, and back to where."""

    counts: dict[tuple[int, str], int]
    newest: Cursor
    searched_from: Cursor
    complete: bool


class Step(NamedTuple):
    """How many more events a bucket and severity have, and down to which seq all are counted then."""

    bucket: int
    severity: str
    events: int
    reached: int


def count(selection: Selection, *, window: Window = ALL_TIME, budget: Budget | None = None) -> int | None:
    """How many retained entries pass, counted to COUNT_LIMIT; None if that would take too long."""
    now = log.head()
    oldest, until = window.seqs(now)
    found, reached, budget = 0, until + 1, budget or Budget()
    for span in spans.back(selection, oldest, until, budget):
        more, reached = _count_in(selection, span, COUNT_LIMIT - found, budget)
        found += more
        if found >= COUNT_LIMIT:
            return COUNT_LIMIT
    return found if reached <= oldest else None


def count_by_time(
    selection: Selection,
    *,
    since: datetime,
    bucket_seconds: int,
    until: datetime | None = None,
    budget: Budget | None = None,
) -> Counted:
    """Counts by (bucket number since `since`, a whole second; severity), newest first while the budget lasts."""
    now = log.head()
    oldest, newest = Window(since, until).seqs(now)
    counts: dict[tuple[int, str], int] = {}
    reached = newest + 1
    budget = budget or Budget(rows=max(1, now.last_seq), seconds=COUNT_SECONDS)
    buckets = _Buckets(int(since.timestamp()), bucket_seconds)
    counted = _by_parts if selection.queries is None or is_decided_by(selection, Source._fields) else _by_reading
    for step in counted(selection, now, oldest, newest, buckets, budget):
        reached = step.reached
        if step.events:
            counts[step.bucket, step.severity] = counts.get((step.bucket, step.severity), 0) + step.events
    return Counted(counts, Cursor(now.epoch, newest), Cursor(now.epoch, reached - 1), reached <= oldest)


def bucket_seconds(wanted: float, unit: int = 1) -> int:
    """About so long, in units of this; from a minute on whole minutes, because the index has counted those.

    `-24h` and the end of a range are read one after the other: a day and some milliseconds is a day.
    """
    if wanted < MINUTE_SECONDS and unit < MINUTE_SECONDS:
        return max(1, math.ceil(wanted))
    step = max(unit, MINUTE_SECONDS)
    return max(1, math.ceil(wanted / step - MINUTE_TOLERANCE)) * step


class _Buckets(NamedTuple):
    """They begin at `start`, in seconds since 1970."""

    start: int
    seconds: int

    @property
    def grid(self) -> Grid | None:
        """For tallies, which hold whole minutes."""
        if self.start % MINUTE_SECONDS or self.seconds % MINUTE_SECONDS:
            return None
        return Grid(self.start // MINUTE_SECONDS, self.seconds // MINUTE_SECONDS)


def _by_parts(
    selection: Selection, now: Head, oldest: int, newest: int, buckets: _Buckets, budget: Budget
) -> Iterator[Step]:
    wanted, passes = None, tallied.admits(selection)
    if (grid := buckets.grid) is not None and is_decided_by(selection, Source._fields):
        wanted = Wanted(grid, is_severity_enough=is_decided_by(selection, ("severity",)))
    for part in tallied.back(now, oldest, newest, budget, wanted):
        if part.tally is None or grid is None:
            counted = _by_the_database(selection, part, buckets)
        else:
            found = part.tally.by_bucket(grid, passes)
            counted = ((bucket, source.severity, events) for bucket, source, events in found)
        for number, severity, events in counted:
            # A clock that differs a little may have dated an event before the first bucket.
            yield Step(max(0, number), severity, events, part.last + 1)
        yield Step(0, "", 0, part.first)


def _by_the_database(selection: Selection, part: tallied.Part, buckets: _Buckets) -> Iterator[tuple[int, str, int]]:
    bucket = (UnixSeconds("created_at") - buckets.start) / buckets.seconds
    if selection.queries is not None:
        for source, events, (number,) in tallied.counted_by_database(selection, part, bucket=bucket):
            yield number, source.severity, events
        return
    rows = log.matching(selection).filter(seq__gte=part.first, seq__lte=part.last).order_by()
    yield from rows.annotate(bucket=bucket).values_list("bucket", "severity").annotate(models.Count("seq"))


def _by_reading(
    selection: Selection, now: Head, oldest: int, newest: int, buckets: _Buckets, budget: Budget
) -> Iterator[Step]:
    for span in spans.back(selection, oldest, newest, budget):
        for rows in rows_in(selection, span, budget):
            for entry in rows.entries:
                bucket = max(0, int(entry.created_at - buckets.start) // buckets.seconds)
                yield Step(bucket, entry.severity, 1, span.last + 1)
            yield Step(0, "", 0, rows.reached)


def rows_in(selection: Selection, span: spans.Span, budget: Budget) -> Iterator[Rows]:
    """Those of a span that pass, the newest first, in parts, while the budget lasts."""
    wanted, reached = for_database(selection), span.last + 1
    while reached > span.first and not (budget.is_used_up and reached <= span.last):
        rows = log.read_rows(
            wanted,
            after=span.first - 1,
            until=reached - 1,
            limit=log.PAGE_LIMIT_ROWS,
            backwards=True,
            seqs=span.seqs,
            ends_at=budget.ends_at,
        )
        yield rows
        reached = rows.reached


def _count_in(selection: Selection, span: spans.Span, limit: int, budget: Budget) -> tuple[int, int]:
    """How many of a span pass, and down to which seq they are counted."""
    if selection.queries is not None:
        found, reached = 0, span.last + 1
        for rows in rows_in(selection, span, budget):
            found, reached = found + len(rows.entries), rows.reached
        return found, reached
    rows_of_span = log.matching(selection).filter(seq__gte=span.first, seq__lte=span.last)
    if span.seqs is not None:
        rows_of_span = rows_of_span.filter(seq__in=span.seqs)
    return rows_of_span.order_by().values("seq")[:limit].count(), span.first
