"""The log: the only door to Event rows, and what numbers them.

Whoever appends holds the lock of the head row until it has committed, so seq is commit order and has no holes:
a reader that has seen seq 7 can never be surprised by a later 5. Functions here are synchronous; the event loop
reaches them through the ledger.
"""

import secrets
import string
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, models, transaction
from django.utils import timezone

from events.cursors import Cursor, CursorGone, Head
from events.entries import Entry, Record, encode
from events.insertion import Row, insert
from events.models import Event, LogHead
from events.submissions import NewEvent, Submission
from gateway.filters import Selection
from ledger.writer import runs_last

EPOCH_LENGTH = 6
# Rows read at a time, and how many seqs one read may pass over while a filter lets nothing through.
PAGE_LIMIT_ROWS = 500
PAGE_SPAN_SEQS = 10_000
# Rows deleted in one transaction, so that nobody waits long for a lock.
PRUNE_BATCH_ROWS = 2_000
# A publisher's retry is recognised for this long, also when the event itself is no longer served.
IDEMPOTENCY_HOURS = 24
# How many matching events a polling answer counts.
COUNT_LIMIT = 10_000


class Appended(NamedTuple):
    """What became of a submission: its events' ids and seqs, in its order."""

    epoch: str
    ids: list[tuple[str, int]]
    created: bool


class IdempotencyConflict(Exception):
    """The id or key was used before by this publisher, for something else."""


class Page(NamedTuple):
    """Entries in order, and the cursor after all that was looked at, matching or not."""

    entries: list[Entry]
    cursor: Cursor
    head: Head

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
    row = LogHead.objects.filter(pk=1).values_list("epoch", "last_seq", "oldest_seq").first()
    if row:
        return Head(*row)
    with transaction.atomic():
        return _as_head(_locked_head())


@runs_last
def append_many(submissions: list[Submission]) -> Sequence[Appended | Exception]:
    """Append in the caller's transaction, for the ledger's writer; a conflict fails its own submission only."""
    row = _locked_head()
    known = _Known(submissions)
    now = timezone.now()
    fresh: list[Row] = []
    outcomes: list[Appended | Exception] = []
    for submission in submissions:
        outcomes.append(_place(submission, row, known, fresh, now))
        submission.tried = True
    if fresh:
        insert(fresh)
        row.save(update_fields=["last_seq"])
        entries = [encode(new.record) for new in fresh]
        # A function and not a partial: when it fails, Django asks for its __qualname__, and would fail instead.
        transaction.on_commit(lambda: _tell(row.epoch, entries), robust=True)
    return outcomes


def read_after(cursor: Cursor, selection: Selection, *, limit: int = PAGE_LIMIT_ROWS) -> Page:
    """The next entries after the cursor that pass, at most `limit`, looking at PAGE_SPAN_SEQS seqs at the most.

    Raises CursorGone if reading cannot go on from there.
    """
    before = head()
    if reset := before.reset_for(cursor):
        raise CursorGone(reset, before)
    end_seq = min(cursor.seq + PAGE_SPAN_SEQS, before.last_seq)
    entries = _entries(_matching(selection).filter(seq__gt=cursor.seq, seq__lte=end_seq).order_by("seq")[:limit])
    # Pruning moves the head first and deletes then: had rows gone while we read, the head would say so now.
    after = head()
    if reset := after.reset_for(cursor):
        raise CursorGone(reset, after)
    reached = entries[-1].seq if len(entries) == limit else end_seq
    return Page(entries, Cursor(after.epoch, reached), after)


def read_before(cursor: Cursor, selection: Selection, *, limit: int) -> Page:
    """The last `limit` entries before the cursor (its own event is not among them), oldest first.

    The page's cursor is the one to go on from, further back.
    """
    now = head()
    past_the_end = Cursor(now.epoch, now.last_seq + 1)
    if cursor != past_the_end and (reset := now.reset_for(cursor)):
        raise CursorGone(reset, now)
    rows = _matching(selection).filter(seq__lt=cursor.seq, seq__gte=now.oldest_seq).order_by("-seq")[:limit]
    entries = _entries(rows)[::-1]
    return Page(entries, Cursor(now.epoch, entries[0].seq if entries else now.oldest_seq), now)


def read_newest(selection: Selection, *, limit: int) -> Page:
    """The newest entries that pass, oldest first; the cursor is the head, from which a stream goes on."""
    now = head()
    rows = _matching(selection).filter(seq__lte=now.last_seq, seq__gte=now.oldest_seq).order_by("-seq")[:limit]
    return Page(_entries(rows)[::-1], now.newest, now)


def cursor_at(moment: datetime) -> Cursor:
    """The cursor before the first event created at that time or later."""
    now = head()
    found = Event.objects.filter(created_at__gte=moment, seq__gte=now.oldest_seq).aggregate(seq=models.Min("seq"))
    return Cursor(now.epoch, now.last_seq if found["seq"] is None else found["seq"] - 1)


def count(selection: Selection) -> int:
    """How many retained entries pass, counted to COUNT_LIMIT."""
    rows = _matching(selection).filter(seq__gte=head().oldest_seq)
    return rows.order_by().values("seq")[:COUNT_LIMIT].count()


def count_by_time(selection: Selection, *, since: datetime, bucket_seconds: int) -> dict[tuple[int, str], int]:
    """Counts by (bucket number since `since`, severity)."""
    counts: dict[tuple[int, str], int] = defaultdict(int)
    rows = _matching(selection).filter(created_at__gte=since, seq__gte=head().oldest_seq)
    for created_at, severity in rows.values_list("created_at", "severity").iterator(chunk_size=10_000):
        counts[int((created_at - since).total_seconds() // bucket_seconds), severity] += 1
    return counts


def prune(*, keep_days: int, keep_rows: int) -> int:
    """Forget events that are too old or too many; how many rows that deleted.

    The head moves first, so that readers are told `stream-reset` and never see a hole. Rows by which a retry
    is recognised are deleted only after IDEMPOTENCY_HOURS, though they are not served any more.
    """
    now = timezone.now()
    with transaction.atomic():
        row = _locked_head()
        young = Event.objects.filter(created_at__gte=now - timedelta(days=keep_days))
        first_young = young.aggregate(seq=models.Min("seq"))["seq"] or row.last_seq + 1
        oldest_seq = max(row.oldest_seq, first_young, row.last_seq - keep_rows + 1)
        if oldest_seq != row.oldest_seq:
            row.oldest_seq = oldest_seq
            row.save(update_fields=["oldest_seq"])
    unneeded = models.Q(fingerprint="") | models.Q(created_at__lt=now - timedelta(hours=IDEMPOTENCY_HOURS))
    gone = Event.objects.filter(unneeded, seq__lt=oldest_seq)
    deleted = 0
    while batch := list(gone.order_by("seq").values_list("seq", flat=True)[:PRUNE_BATCH_ROWS]):
        deleted += Event.objects.filter(seq__in=batch).delete()[0]
    return deleted


def start_new_epoch(*, if_behind: Cursor | None = None) -> Head:
    """Make every cursor given out so far unknown: the log was reset or restored.

    With `if_behind`, only if the log is of that cursor's epoch and ends before it: then it went back in time.
    Its seqs are not given out again.
    """
    with transaction.atomic():
        row = _locked_head()
        if if_behind is not None and (row.epoch != if_behind.epoch or row.last_seq >= if_behind.seq):
            return _as_head(row)
        row.epoch = _new_epoch(row.epoch)
        row.last_seq = max(row.last_seq, 0 if if_behind is None else if_behind.seq)
        row.save()
        return _as_head(row)


def _locked_head() -> LogHead:
    row = LogHead.objects.select_for_update().filter(pk=1).first()
    if row is None:
        LogHead.objects.get_or_create(pk=1, defaults={"epoch": _new_epoch("")})
        row = LogHead.objects.select_for_update().get(pk=1)
    return row


def _as_head(row: LogHead) -> Head:
    return Head(row.epoch, row.last_seq, row.oldest_seq)


def _new_epoch(old: str) -> str:
    letters = string.ascii_lowercase + string.digits
    while (epoch := "".join(secrets.choice(letters) for _ in range(EPOCH_LENGTH))) == old:
        pass
    return epoch


class _Known:
    """Which submissions' events are in the table already, or are placed in this very transaction."""

    def __init__(self, submissions: list[Submission]) -> None:
        self.by_id: dict[tuple[str, str], tuple[int, str]] = {}
        self.by_key: dict[tuple[str, str], tuple[int, str, str]] = {}
        # Ids made here a moment ago cannot be there, unless this is the second try after a lost answer.
        ids = [event.event_id for s in submissions for event in s.events if event.fingerprint or s.tried]
        keys = [s.idempotency_key for s in submissions if s.idempotency_key]
        columns = ("publisher", "event_id", "idempotency_key", "seq", "fingerprint")
        limit = connection.features.max_query_params or 10_000
        for name, values in (("event_id__in", ids), ("idempotency_key__in", keys)):
            for start in range(0, len(values), limit - 1):
                rows = Event.objects.filter(**{name: values[start : start + limit - 1]})
                for row in rows.values_list(*columns):
                    self.add(*row)

    def add(self, publisher: str, event_id: str, key: str | None, seq: int, fingerprint: str) -> None:
        self.by_id[publisher, event_id] = (seq, fingerprint)
        if key:
            self.by_key[publisher, key] = (seq, fingerprint, event_id)


def _place(
    submission: Submission, row: LogHead, known: _Known, fresh: list[Row], now: datetime
) -> Appended | Exception:
    """Number the events of one submission that are new. Nothing of it is placed if one of them conflicts."""
    publisher, key = submission.publisher, submission.idempotency_key
    if key and (found := known.by_key.get((publisher, key))):
        seq, fingerprint, event_id = found
        same = fingerprint == submission.events[0].fingerprint
        return Appended(row.epoch, [(event_id, seq)], created=False) if same else IdempotencyConflict(key)
    ids: list[tuple[str, int]] = []
    placed: list[Row] = []
    seen: dict[str, tuple[int, str]] = {}
    for event in submission.events:
        before = known.by_id.get((publisher, event.event_id)) or seen.get(event.event_id)
        if before is None:
            before = seen[event.event_id] = (row.last_seq + len(placed) + 1, event.fingerprint)
            placed.append(_row_of(event, before[0], publisher, key, now))
        elif before[1] != event.fingerprint:
            return IdempotencyConflict(event.event_id)
        ids.append((event.event_id, before[0]))
    for new in placed:
        known.add(publisher, new.record.event_id, key, new.record.seq, new.fingerprint)
    row.last_seq += len(placed)
    fresh.extend(placed)
    return Appended(row.epoch, ids, created=bool(placed))


def _row_of(event: NewEvent, seq: int, publisher: str, key: str | None, now: datetime) -> Row:
    record = Record(
        seq=seq,
        event_id=event.event_id,
        event_type=event.event_type,
        summary=event.summary,
        module=event.module,
        severity=event.severity,
        correlation_id=event.correlation_id,
        payload=event.payload,
        created_at=now,
        occurred_at=event.occurred_at,
    )
    return Row(record, publisher, key, event.fingerprint)


def _matching(selection: Selection) -> models.QuerySet[Event]:
    named = {
        "severity__in": selection.severities,
        "module__in": selection.modules,
        "event_type__in": selection.event_types,
        "correlation_id__in": selection.correlation_ids,
    }
    return Event.objects.filter(**{name: values for name, values in named.items() if values is not None})


def _entries(rows: models.QuerySet[Event]) -> list[Entry]:
    return [encode(Record(*row)) for row in rows.values_list(*Record._fields)]


def _tell(epoch: str, entries: list[Entry]) -> None:
    for listener in _listeners:
        listener(epoch, entries)
