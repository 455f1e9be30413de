"""Pruning the log: deleting what is too old or too much, by rows that exist and by the database's clock."""

from collections.abc import Callable
from datetime import timedelta

from django.db import models, transaction

from events.log import deletion, epochs, extent
from events.log.reading import head
from events.log.tables import Event, UsedKey
from gateway.jobs import retention
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
    return deletion.delete_before(oldest_seq, needless=_needless(), after_batch=after_batch)


def count_prunable(*, keep_days: float, keep_rows: int) -> int:
    """How many rows `prune` would delete now."""
    return extent.count_rows(0, _first_kept(keep_days=keep_days, keep_rows=keep_rows) - 1, only=_needless())


def old_keys() -> models.QuerySet[UsedKey]:
    """Keys too old for any retry. The settings for retention do not count here."""
    return UsedKey.objects.filter(at__lt=clock.ask() - timedelta(hours=IDEMPOTENCY_HOURS))


def _first_kept(*, keep_days: float, keep_rows: int) -> int:
    """By rows that exist, for a log that was restored has holes; and by the database's clock."""
    now = head()
    first_young = _first_since(timedelta(days=keep_days)) or now.last_seq + 1
    return max(now.oldest_seq, first_young, extent.first_of_newest(keep_rows, now))


def _first_since(age: timedelta) -> int | None:
    """The lowest seq of all rows that are younger."""
    young = Event.objects.filter(created_at__gte=clock.ask() - age)
    first: int | None = young.aggregate(seq=models.Min("seq"))["seq"]
    return first


def _refuse_nearly_all(first_kept: int) -> None:
    """Raises NearlyAll. What is not served any more, as after a pruning that was stopped, does not count."""
    oldest_seq = head().oldest_seq
    going = extent.count_rows(oldest_seq, first_kept - 1)
    if refused := retention.nearly_all(going, Event.objects.filter(seq__gte=oldest_seq)):
        raise retention.NearlyAll({"events": refused})


def _needless() -> models.Q:
    """What serves no publisher's retry any more."""
    return models.Q(fingerprint="") | models.Q(created_at__lt=clock.ask() - timedelta(hours=IDEMPOTENCY_HOURS))
