"""How much was that? Counts of what passes: all, and by time and severity; newest first, as far as the budget lasts."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import models

from events import log
from events.log import Cursor, Rows
from events.search import spans
from events.search.budget import Budget
from events.search.narrowing import for_database
from events.search.pages import ALL_TIME, Window
from gateway.filters import Selection
from ledger.clock import UnixSeconds

# How many matching events a polling answer counts.
COUNT_LIMIT = 10_000
# Counting by time is done by the database where it can, which takes much less for each row.
COUNT_SPAN_SEQS = 50_000
COUNT_SECONDS = 0.15


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
    start = int(since.timestamp())
    counted = _by_the_database if selection.queries is None else _by_reading
    for step in counted(selection, oldest, newest, start, bucket_seconds, budget):
        reached = step.reached
        if step.events:
            counts[step.bucket, step.severity] = counts.get((step.bucket, step.severity), 0) + step.events
    return Counted(counts, Cursor(now.epoch, newest), Cursor(now.epoch, reached - 1), reached <= oldest)


def _by_the_database(
    selection: Selection, oldest: int, newest: int, start: int, bucket_seconds: int, budget: Budget
) -> Iterator[Step]:
    last = newest
    while last >= oldest and not (budget.is_used_up and last < newest):
        first = max(oldest, last - COUNT_SPAN_SEQS + 1)
        rows = log.matching(selection).filter(seq__gte=first, seq__lte=last).order_by()
        bucket = (UnixSeconds("created_at") - start) / bucket_seconds
        counted = rows.annotate(bucket=bucket).values_list("bucket", "severity").annotate(models.Count("seq"))
        for number, severity, events in counted:
            # A clock that differs a little may have dated an event before the first bucket.
            yield Step(max(0, number), severity, events, last + 1)
        yield Step(0, "", 0, first)
        last = first - 1


def _by_reading(
    selection: Selection, oldest: int, newest: int, start: int, bucket_seconds: int, budget: Budget
) -> Iterator[Step]:
    for span in spans.back(selection, oldest, newest, budget):
        for rows in rows_in(selection, span, budget):
            for entry in rows.entries:
                bucket = max(0, int(entry.created_at - start) // bucket_seconds)
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
