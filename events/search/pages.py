"""Pages of what passes: the newest, before a cursor, after a cursor; within a window of time."""

from datetime import datetime
from typing import NamedTuple

from events import log
from events.log import Cursor, CursorGone, Entry, Head, Page
from events.search import spans
from events.search.budget import Budget
from events.search.narrowing import for_database
from gateway.filters import EVERYTHING, Selection


class Window(NamedTuple):
    """Events created at `start` or later, and before `end`. Without one of them, there is no such bound."""

    start: datetime | None = None
    end: datetime | None = None

    def seqs(self, now: Head) -> tuple[int, int]:
        """The first and the last seq of the window."""
        first = now.oldest_seq if self.start is None else log.cursor_at(self.start).seq + 1
        last = now.last_seq if self.end is None else log.cursor_at(self.end).seq
        return max(now.oldest_seq, first), min(now.last_seq, last)


ALL_TIME = Window()


def read_newest(selection: Selection, *, limit: int, window: Window = ALL_TIME, budget: Budget | None = None) -> Page:
    """The newest entries that pass, oldest first; the cursor is the head, from which a stream goes on."""
    now = log.head()
    first, last = window.seqs(now)
    page = _backwards(now, selection, oldest=first, until=last, limit=limit, budget=budget or Budget())
    page = _dated(page, selection, window)
    return page if last == now.last_seq else page._replace(cursor=Cursor(now.epoch, max(last, now.oldest.seq)))


def read_before(
    cursor: Cursor, selection: Selection, *, limit: int, window: Window = ALL_TIME, budget: Budget | None = None
) -> Page:
    """The last `limit` entries before the cursor (its own event is not among them), oldest first.

    The page's cursor is the one to go on from, further back. Raises CursorGone.
    """
    now = log.head()
    past_the_end = Cursor(now.epoch, now.last_seq + 1)
    if cursor != past_the_end and (reset := now.reset_for(cursor)):
        raise CursorGone(reset, now)
    first, last = window.seqs(now)
    page = _backwards(
        now, selection, oldest=first, until=min(cursor.seq - 1, last), limit=limit, budget=budget or Budget()
    )
    page = page._replace(cursor=page.first_cursor if page.has_more or page.entries else Cursor(now.epoch, first))
    return _dated(page, selection, window)


def read_after(
    cursor: Cursor,
    selection: Selection,
    *,
    limit: int = log.PAGE_LIMIT_ROWS,
    size_limit_bytes: int = log.PAGE_LIMIT_BYTES,
    window: Window = ALL_TIME,
    budget: Budget | None = None,
) -> Page:
    """The next entries after the cursor that pass, at most `limit`, from a bounded part of the log.

    Raises CursorGone.
    """
    if selection == EVERYTHING and window == ALL_TIME:
        return log.read_after(cursor, selection, limit=limit, size_limit_bytes=size_limit_bytes)
    now = log.head()
    if reset := now.reset_for(cursor):
        raise CursorGone(reset, now)
    first, last = window.seqs(now)
    budget = budget or Budget()
    start = cursor._replace(seq=max(cursor.seq, first - 1))
    # By fields the database selects as quickly from what comes next: one statement, with or without an index.
    indexed = selection.queries is not None
    page = _part(start, selection, last, limit, size_limit_bytes, budget, indexed=indexed)
    # A part ends where the index does, and the page is not full there.
    while page.cursor.seq < last and len(page.entries) < limit and not (page.complete or budget.is_used_up):
        size_left_bytes = size_limit_bytes - sum(len(entry.body) for entry in page.entries)
        more = _part(page.cursor, selection, last, limit - len(page.entries), size_left_bytes, budget, indexed=True)
        if page.entries and sum(len(entry.body) for entry in more.entries) > size_left_bytes:
            break
        page = more._replace(entries=page.entries + more.entries)
    is_full = page.complete or len(page.entries) >= limit
    page = _dated(page._replace(searched=(cursor, page.cursor), complete=is_full), selection, window)
    # At the end of the window nothing more will come.
    return page if page.cursor.seq < last or window.end is None else page._replace(has_more=False, complete=True)


def _part(
    cursor: Cursor,
    selection: Selection,
    last: int,
    limit: int,
    size_limit_bytes: int,
    budget: Budget,
    *,
    indexed: bool,
) -> Page:
    """What comes next of a page: as far as the index says what may pass, or as one statement reads."""
    span = spans.forward(selection, cursor.seq, last, budget) if indexed else None
    page = log.read_after(
        cursor,
        for_database(selection),
        limit=limit,
        size_limit_bytes=size_limit_bytes,
        until=span.last if span else min(last, cursor.seq + log.span_seqs(selection)),
        seqs=span.seqs if span else None,
        ends_at=budget.ends_at,
    )
    budget.spend(len(span.seqs or ()) if span else page.cursor.seq - cursor.seq)
    return page


def _dated(page: Page, selection: Selection, window: Window) -> Page:
    """With the times between which was searched, if it was a search: a plain page costs no statement for that."""
    if selection.queries is None and window == ALL_TIME:
        return page
    assert page.searched is not None  # noqa: S101 - every page of a search says so
    first, last = page.searched
    begin, end = log.created_at(first.seq + 1, last.seq)
    return page._replace(searched_times=(begin, end))


def _backwards(now: Head, selection: Selection, *, oldest: int, until: int, limit: int, budget: Budget) -> Page:
    """At most `limit` entries with a seq up to `until`. One more is searched, to know whether there is more."""
    entries: list[Entry] = []
    size_left_bytes, reached, full = log.PAGE_LIMIT_BYTES, until + 1, False
    wanted = for_database(selection)
    for span in spans.back(selection, oldest, until, budget):
        rows = log.read_rows(
            wanted,
            after=span.first - 1,
            until=span.last,
            limit=limit + 1 - len(entries),
            backwards=True,
            size_limit_bytes=size_left_bytes,
            seqs=span.seqs,
            ends_at=budget.ends_at,
        )
        entries += rows.entries
        size_left_bytes -= sum(len(entry.body) for entry in rows.entries)
        reached = rows.reached
        if rows.full or len(entries) > limit or size_left_bytes <= 0:
            full = rows.full or len(entries) > limit or reached > oldest
            break
        if reached > span.first:
            break
    entries = entries[:limit]
    if full:
        reached = entries[-1].seq if entries else until + 1
    entries.reverse()
    has_more = reached > oldest
    return Page(
        entries,
        now.newest,
        now,
        has_more=has_more,
        complete=full or not has_more,
        goes_on=Cursor(now.epoch, reached) if has_more else None,
        searched=(Cursor(now.epoch, reached - 1), Cursor(now.epoch, until)),
    )
