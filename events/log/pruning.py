"""Pruning the log: deleting what is too old or too much, by rows that exist and by the database's clock."""

from collections.abc import Callable
from datetime import timedelta

from django.db import models, transaction

from events.log import epochs
from events.log.cursors import Head
from events.log.reading import head
from events.log.tables import Event, UsedKey
from gateway.jobs import retention
from gateway.jobs.retention import delete_in_batches
from ledger import clock

# A publisher's retry is recognised for this long, also when the event itself is no longer served.
IDEMPOTENCY_HOURS = 24


def prune(
    *,
    keep_days: float,
    keep_rows: int,
    after_batch: Callable[[int], None] = lambda _rows: None,
    even_nearly_all: bool = False,
) -> int:
    """Forget events that are too old or too many; how many rows that deleted, in short transactions.

    The head moves first, so that readers get `stream-reset` and never see a hole. Rows by which a retry
    is recognised are deleted only after IDEMPOTENCY_HOURS, though they are not served any more. Raises NearlyAll.
    """
    # Searched before the head is locked, to lock it briefly: what is too old now is still too old then.
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


def old_keys() -> models.QuerySet[UsedKey]:
    """Keys too old for any retry. The settings for retention do not count here."""
    return UsedKey.objects.filter(at__lt=clock.ask() - timedelta(hours=IDEMPOTENCY_HOURS))


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
