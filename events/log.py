"""The log: the door to Event rows, with events.questions for what people look for, and what numbers them.

Whoever appends holds the lock of the head row until it has committed, so seq is commit order and has no holes:
a reader that has seen seq 7 can never be surprised by a later 5. Functions here are synchronous; the event loop
reaches them through the ledger.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import models, transaction

from events import epochs
from events.cursors import Cursor, CursorGone, Head
from events.entries import Entry, Record, encode
from events.insertion import Row, insert, move_head
from events.models import Event, LogHead, UsedKey
from events.placement import Appended, Known, place
from events.submissions import Submission
from gateway import retention, tracing
from gateway.filters import Selection
from gateway.retention import delete_in_batches
from ledger import clock
from ledger.writer import runs_last

# Rows read at a time, and how many seqs one read may pass over while a filter lets nothing through.
PAGE_LIMIT_ROWS = 500
PAGE_SPAN_SEQS = 10_000
# Large events make shorter pages: what is read is written to somebody, who may be slow. The first read of a page
# finds out how large they are.
PAGE_LIMIT_BYTES = 1024 * 1024
FIRST_READ_ROWS = 8
READ_GROWTH = 8
# A publisher's retry is recognised for this long, also when the event itself is no longer served.
IDEMPOTENCY_HOURS = 24


class Page(NamedTuple):
    """Entries in order, and the cursor after all that was looked at, matching or not."""

    entries: list[Entry]
    cursor: Cursor
    head: Head
    # In the direction in which the page was read: before it, for the newest page and for one before a cursor.
    has_more: bool = False
    # False: the search was ended before the page was full or the log, and goes on from the cursor of its direction.
    complete: bool = True
    # Where to go on backwards, when that is not the first entry: nothing that passes lies between the two.
    goes_on: Cursor | None = None
    # After the first and up to the second all was looked at.
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


# Told after each commit, in the thread that committed: (epoch, entries in seq order).
Listener = Callable[[str, list[Entry]], None]
_listeners: list[Listener] = []


def on_append(listener: Listener) -> None:
    """Call the listener after every commit of this process that appended."""
    if listener not in _listeners:
        _listeners.append(listener)


def head() -> Head:
    """Where the log begins and ends now."""
    row = LogHead.objects.filter(pk=1).values_list(*Head._fields).first()
    if row:
        return Head(*row)
    with transaction.atomic():
        return epochs.as_head(epochs.locked_head().row)


@runs_last
def append_many(submissions: list[Submission]) -> Sequence[Appended | Exception]:
    """Append in the caller's transaction, for the ledger's writer; a conflict fails its own submission only."""
    commit = None if tracing.tracer is None else tracing.tracer.commit(s.span for s in submissions)
    row, now = (locked := epochs.locked_head()).row, locked.now
    known = Known(submissions)
    fresh: list[Row] = []
    outcomes: list[Appended | Exception] = []
    for submission in submissions:
        outcomes.append(place(submission, row, known, fresh, now))
        submission.tried = True
    if known.used_keys:
        UsedKey.objects.bulk_create(known.used_keys)
    if fresh:
        insert(fresh)
        move_head(row.last_seq)
        entries = [encode(new.record) for new in fresh]
        # A function and not a partial: when it fails, Django asks for its __qualname__, and would fail instead.
        transaction.on_commit(lambda: _tell(row.epoch, entries, commit), robust=True)
    return outcomes


def read_after(
    cursor: Cursor,
    selection: Selection,
    *,
    limit: int = PAGE_LIMIT_ROWS,
    size_limit_bytes: int = PAGE_LIMIT_BYTES,
) -> Page:
    """The next entries after the cursor that pass, at most `limit`, looking at PAGE_SPAN_SEQS seqs at the most.

    Raises CursorGone if reading cannot go on from there.
    """
    before = head()
    if reset := before.reset_for(cursor):
        raise CursorGone(reset, before)
    end_seq = min(cursor.seq + PAGE_SPAN_SEQS, before.last_seq)
    entries, full = read_rows(
        selection, after=cursor.seq, until=end_seq, limit=limit, size_limit_bytes=size_limit_bytes
    )
    # Pruning moves the head first and deletes then: had rows gone while we read, the head would say so now.
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


def prune(
    *,
    keep_days: float,
    keep_rows: int,
    after_batch: Callable[[int], None] = lambda _rows: None,
    even_nearly_all: bool = False,
) -> int:
    """Forget events that are too old or too many; how many rows that deleted, in short transactions.

    The head moves first, so that readers are told `stream-reset` and never see a hole. Rows by which a retry
    is recognised are deleted only after IDEMPOTENCY_HOURS, though they are not served any more. Raises NearlyAll.
    """
    # Looked for before the head is locked: what is too old now is so then.
    first_kept = _first_kept(keep_days=keep_days, keep_rows=keep_rows)
    if not even_nearly_all:
        _refuse_nearly_all(first_kept)
    with transaction.atomic():
        row = epochs.locked_head().row
        # The log may just have been put back to an older state.
        oldest_seq = max(row.oldest_seq, min(first_kept, row.last_seq + 1))
        if oldest_seq != row.oldest_seq:
            row.oldest_seq = oldest_seq
            row.save(update_fields=["oldest_seq"])
    return delete_in_batches(_unneeded(oldest_seq), order="seq", after_batch=after_batch)


def count_prunable(*, keep_days: float, keep_rows: int) -> int:
    """How many rows `prune` would delete now."""
    return _unneeded(_first_kept(keep_days=keep_days, keep_rows=keep_rows)).count()


def _first_kept(*, keep_days: float, keep_rows: int) -> int:
    """By rows that exist, for a log that was restored has holes; and by the database's clock."""
    now = head()
    young = Event.objects.filter(created_at__gte=clock.ask() - timedelta(days=keep_days))
    first_young = young.aggregate(seq=models.Min("seq"))["seq"] or now.last_seq + 1
    return max(now.oldest_seq, first_young, _first_of_newest(keep_rows, now))


def _first_of_newest(rows: int, now: Head) -> int:
    """The seq of the oldest among so many of the newest rows."""
    span = now.last_seq - now.oldest_seq + 1
    if span <= rows:
        return now.oldest_seq
    # Counted by an index. Rows before the log are few: those of a day by which retries are recognised.
    existing = Event.objects.count() - Event.objects.filter(seq__lt=now.oldest_seq).count()
    if existing >= span:
        return now.last_seq - rows + 1
    newest = Event.objects.filter(seq__gte=now.oldest_seq).order_by("-seq").values_list("seq", flat=True)
    return next(iter(newest[rows - 1 : rows]), now.oldest_seq)


def _refuse_nearly_all(first_kept: int) -> None:
    """Raises NearlyAll. What is not served any more, as after a pruning that was stopped, does not count."""
    served = Event.objects.filter(seq__gte=head().oldest_seq)
    going = served.filter(seq__lt=first_kept).count()
    if refused := retention.nearly_all(going, served):
        raise retention.NearlyAll({"events": refused})


def _unneeded(oldest_seq: int) -> models.QuerySet[Event]:
    """What lies before the log and serves no publisher's retry any more."""
    old_enough = models.Q(created_at__lt=clock.ask() - timedelta(hours=IDEMPOTENCY_HOURS))
    return Event.objects.filter(models.Q(fingerprint="") | old_enough, seq__lt=oldest_seq)


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
        read = [encode(Record(*row)) for row in rows.filter(**here).values_list(*Record._fields)[:step]]
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


def _tell(epoch: str, entries: list[Entry], commit: tracing.Commit | None) -> None:
    if commit is not None:
        # Before anybody can write them to a stream.
        size_bytes = sum(len(entry.body) for entry in entries)
        commit.done(epoch, first_seq=entries[0].seq, last_seq=entries[-1].seq, size_bytes=size_bytes)
    for listener in _listeners:
        listener(epoch, entries)
