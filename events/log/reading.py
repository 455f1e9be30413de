"""Reading the log: its head, and pages from a cursor on. Synchronous; the event loop reaches it through the ledger."""

import math
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, models, transaction

from events import query
from events.log import columns, epochs, extent
from events.log.columns import Columns
from events.log.cursors import Cursor, CursorGone, Head
from events.log.records import Entry, encode
from events.log.tables import Event, LogHead
from gateway.filters import EVERYTHING, Selection
from ledger.lanes import give_way

# For queries that are put together elsewhere: the table of the one row that holds `epoch` and `last_seq`.
HEAD_TABLE = LogHead._meta.db_table
# Each question reads the head several times: put together by Django, this takes five times as long.
_HEAD = f"SELECT {', '.join(Head._fields)} FROM {HEAD_TABLE} WHERE id = 1"  # noqa: S608 - names of ours
# Rows read at a time, and how many seqs one read may pass over while a filter lets nothing through.
PAGE_LIMIT_ROWS = 500
PAGE_SPAN_SEQS = 10_000
QUERIED_SPAN_SEQS = 1_000
# What is compared with a query at a time, before it is asked how much time is left: about 20 ms.
QUERIED_STEP_BYTES = 256 * 1024
# Large events make shorter pages: a page is written to a reader, which may be slow. The first read of a page shows
# how large they are.
PAGE_LIMIT_BYTES = 1024 * 1024
FIRST_READ_ROWS = 8
# Rows compared with a query between two moments at which others get their turn: about half a millisecond.
TURN_ROWS = 16
READ_GROWTH = 8
# So many rows are counted in a second at the most.
KEPT_COUNTED = 2_000_000


class Page(NamedTuple):
    """Entries in order, and the cursor after all rows that were searched, matching or not."""

    entries: list[Entry]
    cursor: Cursor
    head: Head
    # In the direction in which the page was read: before it, for the newest page and for one before a cursor.
    has_more: bool = False
    # False: the search was ended before the page was full or the log, and goes on from the cursor of its direction.
    complete: bool = True
    # Where to go on backwards, when that is not the first entry: nothing that passes lies between the two.
    goes_on: Cursor | None = None
    # All rows after the first cursor and up to the second were searched.
    searched: tuple[Cursor, Cursor] | None = None
    # When the first and the last of those were created, where that was looked up.
    searched_times: tuple[datetime | None, datetime | None] = (None, None)

    @property
    def first_cursor(self) -> Cursor:
        """From there one pages backwards."""
        if self.goes_on is not None:
            return self.goes_on
        return self.cursor._replace(seq=self.entries[0].seq) if self.entries else self.cursor

    @property
    def caught_up(self) -> bool:
        return self.cursor.seq >= self.head.last_seq


def head() -> Head:
    """Where the log begins and ends now."""
    if found := peek():
        return found
    with transaction.atomic():
        return epochs.as_head(epochs.locked_head().row)


def peek() -> Head | None:
    """The head; None before the first event or epoch of the log."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD)
        row = cursor.fetchone()
    return Head(*row) if row else None


def kept(now: Head, *, limit: int) -> tuple[int, datetime | None]:
    """How many rows are served, and when the oldest was created.

    A log that was restored has holes, so rows are counted; of a large log only where its seqs go beyond the limit.
    """
    seqs = now.last_seq - now.oldest_seq + 1
    rows = seqs if KEPT_COUNTED < seqs <= limit else extent.count_rows(now.oldest_seq, now.last_seq)
    served = Event.objects.filter(seq__gte=now.oldest_seq)
    return rows, served.values_list("created_at", flat=True).first()


def read_after(
    cursor: Cursor,
    selection: Selection,
    *,
    limit: int = PAGE_LIMIT_ROWS,
    size_limit_bytes: int = PAGE_LIMIT_BYTES,
    until: int | None = None,
    seqs: Sequence[int] | None = None,
    ends_at: float = math.inf,
) -> Page:
    """The next entries after the cursor that pass, at most `limit`, searching span_seqs() at the most.

    With `until`, the search goes as far as this seq, and with `seqs` only these are read, as nothing else passes. Once
    time.monotonic() is past `ends_at`, it goes no further.
    Raises CursorGone if reading cannot go on from there.
    """
    before = head()
    if reset := before.reset_for(cursor):
        raise CursorGone(reset, before)
    end_seq = min(cursor.seq + span_seqs(selection) if until is None else until, before.last_seq)
    rows = read_rows(
        selection,
        after=cursor.seq,
        until=end_seq,
        limit=limit,
        size_limit_bytes=size_limit_bytes,
        seqs=seqs,
        ends_at=ends_at,
    )
    # Pruning moves the head first and then deletes: if rows were deleted during this read, the head has moved.
    after = head()
    if reset := after.reset_for(cursor):
        raise CursorGone(reset, after)
    reached = Cursor(after.epoch, rows.reached)
    return Page(
        rows.entries,
        reached,
        after,
        has_more=reached.seq < after.last_seq,
        complete=rows.full or rows.reached >= before.last_seq,
        searched=(cursor, reached),
    )


def read_columns(cursor: Cursor, *, until: int, limit: int) -> tuple[list[Columns], Cursor]:
    """The next rows after the cursor up to this seq, at most `limit`, and how far the log was read.

    As they are stored, for those that look at all of them. Raises CursorGone.
    """
    before = head()
    if reset := before.reset_for(cursor):
        raise CursorGone(reset, before)
    end_seq = min(until, before.last_seq)
    rows = columns.read(EVERYTHING, after=cursor.seq, until=end_seq, limit=limit)
    # As above.
    after = head()
    if reset := after.reset_for(cursor):
        raise CursorGone(reset, after)
    return rows, Cursor(after.epoch, rows[-1].seq if len(rows) == limit else max(cursor.seq, end_seq))


def span_seqs(selection: Selection) -> int:
    """How many seqs one read may pass over: what a query is compared with takes Python more than a statement."""
    return PAGE_SPAN_SEQS if selection.queries is None else QUERIED_SPAN_SEQS


def matching(selection: Selection) -> models.QuerySet[Event]:
    named = {
        "severity__in": selection.severities,
        "module__in": selection.modules,
        "event_type__in": selection.event_types,
        "correlation_id__in": selection.correlation_ids,
    }
    return Event.objects.filter(**{name: values for name, values in named.items() if values is not None})


def is_few(selection: Selection, limit: int) -> bool:
    """Whether the index of correlation ids leads to few rows, so that one statement may search the whole log.

    The ids of a question may be those of most events: then the index is of no use. Counting stops early, because on
    PostgreSQL the rows of an id are in no order in its index.
    """
    if selection.correlation_ids is None:
        return False
    rows = Event.objects.filter(correlation_id__in=selection.correlation_ids).order_by().values("seq")
    return rows[: limit + 1].count() <= limit


class Rows(NamedTuple):
    """Entries that pass, and the seq of the last row that was looked at. `full`: a limit ended it, not the time."""

    entries: list[Entry]
    reached: int
    full: bool


def read_rows(
    selection: Selection,
    *,
    after: int,
    until: int,
    limit: int,
    backwards: bool = False,
    size_limit_bytes: int = PAGE_LIMIT_BYTES,
    seqs: Sequence[int] | None = None,
    ends_at: float = math.inf,
) -> Rows:
    """Entries with `after` < seq <= `until` that pass: at most `limit`, of about the size.

    With `seqs`, only these rows are read. Once time.monotonic() is past `ends_at`, no further rows are.
    """
    unread = _Unread(selection, after=after, until=until, seqs=seqs, backwards=backwards)
    entries: list[Entry] = []
    size_bytes, step, rows = 0, FIRST_READ_ROWS, 0
    while len(entries) < limit:
        if selection.queries is None:
            step = min(step, limit - len(entries))
        read = unread.read(step)
        for row in read.passing:
            entry = encode(row.record())
            size_bytes += len(entry.body)
            if entries and (size_bytes > size_limit_bytes or len(entries) == limit):
                return Rows(entries, entries[-1].seq, full=True)
            entries.append(entry)
        if read.is_last:
            return Rows(entries, after + 1 if backwards else until, full=False)
        if time.monotonic() >= ends_at and len(entries) < limit:
            return Rows(entries, read.last_seq, full=False)
        rows += read.rows
        # As many as would fit if they are as large as those, but what comes may be larger.
        if selection.queries is None:
            fit = (size_limit_bytes - size_bytes) * len(entries) // max(1, size_bytes)
        else:
            fit = min(PAGE_LIMIT_ROWS, QUERIED_STEP_BYTES * read.rows // max(1, read.size_bytes))
        if entries and selection.queries is not None:
            # And a few more than would fill the page if as many pass.
            fit = min(fit, (limit - len(entries)) * rows * 5 // (len(entries) * 4) + FIRST_READ_ROWS)
        elif not entries:
            fit = PAGE_LIMIT_ROWS
        step = max(1, min(fit, READ_GROWTH * step))
    return Rows(entries, entries[-1].seq, full=True)


class _Read(NamedTuple):
    """What one statement gave: how many rows, of which size, up to which seq; and those of them that pass."""

    rows: int
    size_bytes: int
    last_seq: int
    is_last: bool
    passing: Iterable[Columns]


class _Unread:
    """The rows of a range, or of these seqs in it, that are yet to be read."""

    def __init__(
        self, selection: Selection, *, after: int, until: int, seqs: Sequence[int] | None, backwards: bool
    ) -> None:
        self._selection, self._backwards = selection, backwards
        self._after, self._until = after, until
        self._seqs = seqs and sorted((seq for seq in seqs if after < seq <= until), reverse=backwards)

    def read(self, step: int) -> _Read:
        """The next rows, at most so many."""
        if self._seqs is not None:
            here, self._seqs = self._seqs[:step], self._seqs[step:]
            found = columns.read_at(self._selection, here, backwards=self._backwards) if here else []
            return self._compared(found, here[-1] if here else 0, is_last=not self._seqs)
        found = columns.read(
            self._selection, after=self._after, until=self._until, limit=step, backwards=self._backwards
        )
        last_seq = found[-1].seq if found else 0
        if self._backwards:
            self._until = last_seq - 1
        else:
            self._after = last_seq
        return self._compared(found, last_seq, is_last=len(found) < step)

    def _compared(self, found: list[Columns], last_seq: int, *, is_last: bool) -> _Read:
        texts = self._selection.queries
        if texts is None:
            return _Read(len(found), 0, last_seq, is_last, found)
        queries = [query.compiled(text).matches for text in texts]
        passing = [row for number, row in enumerate(found) if _passes(row, number, queries)]
        return _Read(len(found), sum(len(row.payload) for row in found), last_seq, is_last, passing)


def _passes(row: Columns, number: int, queries: Sequence[query.Matches]) -> bool:
    if number % TURN_ROWS == 0:
        # Comparing takes Python all the time that it is given: streams and requests of this process come between.
        give_way()
    view = query.RecordView.of_row(row)
    return all(matches(view) for matches in queries)
