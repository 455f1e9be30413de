"""What people search in the log: pages backwards, moments, counts. Each question reads a bounded part of the log.

A filter may let through one event in a million, or none. So the log is read in spans, newest first, until the
answer is full or the budget is used up. The answer holds how far it came, and the next question goes on from there.
Synchronous, for the lane of questions.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import models

from events.log.cursors import Cursor, CursorGone, Head
from events.log.reading import PAGE_LIMIT_BYTES, Page, head, matching, read_rows
from events.log.records import Entry
from events.log.tables import Event
from gateway.filters import EVERYTHING, Selection
from ledger.clock import UnixSeconds

# Searched by one statement: about 10 ms.
SPAN_SEQS = 10_000
# One question searches no more seqs, and begins no span after so long. Sixteen at a time are answered within the wait
# of their lane (1.7 s, two threads), even if each uses up its time and its last span takes as long again.
SEQS_LIMIT = 50_000
SECONDS_LIMIT = 0.1
# Counting by time is done by the database, which takes much less for each row.
COUNT_SPAN_SEQS = 50_000
COUNT_SECONDS_LIMIT = 0.15
# How many matching events a polling answer counts.
COUNT_LIMIT = 10_000
# Processes' clocks differ a little, so of the first events at a moment the one that was created first need not have the
# lowest seq.
MOMENT_ROWS = 1_000


class Counted(NamedTuple):
    """Events by (bucket number, severity), up to where they are counted, and back to where."""

    counts: dict[tuple[int, str], int]
    newest: Cursor
    searched_from: Cursor
    complete: bool


class _Budget:
    """What is left of one question's time and rows. The first span is always searched."""

    def __init__(self, *, seqs: int, seconds: float) -> None:
        self._seqs_left = seqs
        self._ends_at = time.monotonic() + seconds

    def spend(self, seqs: int) -> None:
        self._seqs_left -= seqs

    @property
    def is_used_up(self) -> bool:
        return self._seqs_left <= 0 or time.monotonic() >= self._ends_at


def read_before(cursor: Cursor, selection: Selection, *, limit: int) -> Page:
    """The last `limit` entries before the cursor (its own event is not among them), oldest first.

    The page's cursor is the one to go on from, further back. Raises CursorGone.
    """
    now = head()
    past_the_end = Cursor(now.epoch, now.last_seq + 1)
    if cursor != past_the_end and (reset := now.reset_for(cursor)):
        raise CursorGone(reset, now)
    page = _backwards(now, selection, until=cursor.seq - 1, limit=limit)
    return page._replace(
        cursor=page.first_cursor if page.has_more or page.entries else Cursor(now.epoch, now.oldest_seq)
    )


def read_newest(selection: Selection, *, limit: int) -> Page:
    """The newest entries that pass, oldest first; the cursor is the head, from which a stream goes on."""
    now = head()
    return _backwards(now, selection, until=now.last_seq, limit=limit)


def _backwards(now: Head, selection: Selection, *, until: int, limit: int) -> Page:
    """At most `limit` entries with a seq up to `until`. One more is searched, to know whether there is more."""
    budget = _Budget(seqs=SEQS_LIMIT, seconds=SECONDS_LIMIT)
    entries: list[Entry] = []
    size_left_bytes, reached, full = PAGE_LIMIT_BYTES, until + 1, False
    for start, end in _spans_back(selection, now.oldest_seq, until, budget):
        read, full = read_rows(
            selection,
            after=start - 1,
            until=end,
            limit=limit + 1 - len(entries),
            backwards=True,
            size_limit_bytes=size_left_bytes,
        )
        entries += read
        size_left_bytes -= sum(len(entry.body) for entry in read)
        reached = start
        if full or len(entries) > limit or size_left_bytes <= 0:
            full = full or len(entries) > limit or start > now.oldest_seq
            break
    entries = entries[:limit]
    if full:
        reached = entries[-1].seq if entries else until + 1
    entries.reverse()
    has_more = reached > now.oldest_seq
    return Page(
        entries,
        now.newest,
        now,
        has_more=has_more,
        complete=full or not has_more,
        goes_on=Cursor(now.epoch, reached) if has_more else None,
        searched=(Cursor(now.epoch, reached - 1), Cursor(now.epoch, until)),
    )


def _spans_back(selection: Selection, oldest: int, until: int, budget: _Budget) -> Iterator[tuple[int, int]]:
    """First and last seq of each span, newest first, while the budget lasts."""
    reaches_all = _reaches_all(selection)
    end = until
    while end >= oldest:
        start = oldest if reaches_all else max(oldest, end - SPAN_SEQS + 1)
        yield start, end
        # Only the last span may be shorter or longer, and none comes after it.
        budget.spend(SPAN_SEQS)
        if budget.is_used_up:
            return
        end = start - 1


def _reaches_all(selection: Selection) -> bool:
    """Whether one statement may search the whole log: if every row passes, or an index leads to few rows.

    The correlation ids of a question may be those of most events: then the index is of no use. Counting stops early,
    because on PostgreSQL the rows of an id are in no order in its index.
    """
    if selection == EVERYTHING:
        # The limit of the page ends the statement.
        return True
    if selection.correlation_ids is None:
        return False
    rows = Event.objects.filter(correlation_id__in=selection.correlation_ids).order_by().values("seq")
    return rows[: SPAN_SEQS + 1].count() <= SPAN_SEQS


def cursor_at(moment: datetime) -> Cursor:
    """The cursor before the first event created at that time or later."""
    now = head()
    first = Event.objects.filter(created_at__gte=moment).order_by("created_at", "seq").values("seq")[:MOMENT_ROWS]
    found = Event.objects.filter(seq__in=first).aggregate(seq=models.Min("seq"))["seq"]
    return Cursor(now.epoch, now.last_seq if found is None else max(found, now.oldest_seq) - 1)


def count_between(start: datetime, end: datetime) -> int:
    """Events created from `start` on and before `end`, by their numbers: two look-ups, however many there are."""
    first = _first_seq(start)
    if first is None:
        return 0
    after = _first_seq(end)
    return max(0, (head().last_seq + 1 if after is None else after) - first)


def _first_seq(moment: datetime) -> int | None:
    """The first event that is not older."""
    return Event.objects.filter(created_at__gte=moment).order_by("created_at").values_list("seq", flat=True).first()


def count(selection: Selection) -> int | None:
    """How many retained entries pass, counted to COUNT_LIMIT; None if that would take too long."""
    now = head()
    budget = _Budget(seqs=SEQS_LIMIT, seconds=SECONDS_LIMIT)
    found, reached = 0, now.oldest_seq
    for start, end in _spans_back(selection, now.oldest_seq, now.last_seq, budget):
        rows = matching(selection).filter(seq__gte=start, seq__lte=end)
        found += rows.order_by().values("seq")[: COUNT_LIMIT - found].count()
        reached = start
        if found >= COUNT_LIMIT:
            return COUNT_LIMIT
    return found if reached <= now.oldest_seq else None


def count_by_time(selection: Selection, *, since: datetime, bucket_seconds: int) -> Counted:
    """Counts by (bucket number since `since`, a whole second; severity), newest first while the budget lasts."""
    now = head()
    oldest = max(now.oldest_seq, cursor_at(since).seq + 1)
    budget = _Budget(seqs=now.last_seq, seconds=COUNT_SECONDS_LIMIT)
    counts: dict[tuple[int, str], int] = {}
    end = now.last_seq
    while end >= oldest and not (budget.is_used_up and end < now.last_seq):
        start = max(oldest, end - COUNT_SPAN_SEQS + 1)
        for number, severity, events in _count_span(selection, since, bucket_seconds, start, end):
            counts[number, severity] = counts.get((number, severity), 0) + events
        end = start - 1
    return Counted(counts, now.newest, Cursor(now.epoch, end), end < oldest)


def _count_span(
    selection: Selection, since: datetime, bucket_seconds: int, start: int, end: int
) -> Iterator[tuple[int, str, int]]:
    rows = matching(selection).filter(created_at__gte=since, seq__gte=start, seq__lte=end).order_by()
    bucket = (UnixSeconds("created_at") - int(since.timestamp())) / bucket_seconds
    counted = rows.annotate(bucket=bucket).values_list("bucket", "severity").annotate(models.Count("seq"))
    yield from counted
