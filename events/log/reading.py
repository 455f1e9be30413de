"""Reading the log: its head, and pages from a cursor on. Synchronous; the event loop reaches it through the ledger."""

from datetime import datetime
from typing import NamedTuple

from django.db import models, transaction

from events.log import epochs, extent
from events.log.cursors import Cursor, CursorGone, Head
from events.log.records import READ_FIELDS, Entry, Record, encode
from events.log.tables import Event, LogHead
from gateway.filters import Selection

# For queries that are put together elsewhere: the table of the one row that holds `epoch` and `last_seq`.
HEAD_TABLE = LogHead._meta.db_table
# Rows read at a time, and how many seqs one read may pass over while a filter lets nothing through.
PAGE_LIMIT_ROWS = 500
PAGE_SPAN_SEQS = 10_000
# Large events make shorter pages: a page is written to a reader, which may be slow. The first read of a page shows
# how large they are.
PAGE_LIMIT_BYTES = 1024 * 1024
FIRST_READ_ROWS = 8
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
    row = LogHead.objects.filter(pk=1).values_list(*Head._fields).first()
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
) -> Page:
    """The next entries after the cursor that pass, at most `limit`, searching PAGE_SPAN_SEQS seqs at the most.

    Raises CursorGone if reading cannot go on from there.
    """
    before = head()
    if reset := before.reset_for(cursor):
        raise CursorGone(reset, before)
    end_seq = min(cursor.seq + PAGE_SPAN_SEQS, before.last_seq)
    entries, full = read_rows(
        selection, after=cursor.seq, until=end_seq, limit=limit, size_limit_bytes=size_limit_bytes
    )
    # Pruning moves the head first and then deletes: if rows were deleted during this read, the head has moved.
    after = head()
    if reset := after.reset_for(cursor):
        raise CursorGone(reset, after)
    reached = Cursor(after.epoch, entries[-1].seq if full else end_seq)
    return Page(
        entries,
        reached,
        after,
        has_more=reached.seq < after.last_seq,
        complete=full or end_seq >= before.last_seq,
        searched=(cursor, reached),
    )


def matching(selection: Selection) -> models.QuerySet[Event]:
    named = {
        "severity__in": selection.severities,
        "module__in": selection.modules,
        "event_type__in": selection.event_types,
        "correlation_id__in": selection.correlation_ids,
    }
    return Event.objects.filter(**{name: values for name, values in named.items() if values is not None})


def read_rows(
    selection: Selection,
    *,
    after: int,
    until: int,
    limit: int,
    backwards: bool = False,
    size_limit_bytes: int = PAGE_LIMIT_BYTES,
) -> tuple[list[Entry], bool]:
    """Entries with `after` < seq <= `until`: at most `limit`, about the size; whether that cut them off."""
    rows = matching(selection).filter(seq__gt=after, seq__lte=until).order_by("-seq" if backwards else "seq")
    entries: list[Entry] = []
    size_bytes, step = 0, FIRST_READ_ROWS
    while len(entries) < limit:
        step = min(step, limit - len(entries))
        here = {} if not entries else {"seq__lt" if backwards else "seq__gt": entries[-1].seq}
        read = [encode(Record(*row)) for row in rows.filter(**here).values_list(*READ_FIELDS)[:step]]
        for entry in read:
            size_bytes += len(entry.body)
            if entries and size_bytes > size_limit_bytes:
                return entries, True
            entries.append(entry)
        if len(read) < step:
            return entries, False
        # As many as would fit if they are as large as those, but what comes may be larger.
        fit = (size_limit_bytes - size_bytes) * len(entries) // max(1, size_bytes)
        step = max(1, min(fit, READ_GROWTH * step))
    return entries, True
