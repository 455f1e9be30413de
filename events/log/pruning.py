"""Pruning the log: deleting what is too old or too much, by rows that exist and by the database's clock."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import models, transaction

from events.log import deletion, epochs, extent, partitions
from events.log.reading import head
from events.log.tables import Event, UsedKey
from gateway.jobs import retention
from ledger import clock

logger = logging.getLogger(__name__)

# A publisher's retry is recognised for this long, also when the event itself is no longer served.
IDEMPOTENCY_HOURS = 24
# Pruned rows may wait for the end of their partition while they are no more than this share of the rows that are kept.
WAITING_SHARE = 0.5


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
        last_seq = row.last_seq
    return _delete(oldest_seq, last_seq, after_batch)


def count_prunable(*, keep_days: float, keep_rows: int) -> int:
    """How many rows `prune` would delete now."""
    first_kept = _first_kept(keep_days=keep_days, keep_rows=keep_rows)
    end = _rows_go_until(first_kept, head().last_seq) - 1
    return extent.count_rows(0, end) - extent.count_rows(0, end, only=_needed())


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


def _delete(oldest_seq: int, last_seq: int, after_batch: Callable[[int], None]) -> int:
    """Delete what lies before the log: whole partitions where there are any, then rows; how many rows that were."""
    deleted = 0
    for one in partitions.ranges():
        if one.end > oldest_seq or _serves_retries(one, after_batch):
            continue
        rows = extent.count_rows(one.start, one.end - 1)
        if not partitions.drop(one.name):
            # As when a backup reads the table. Deleting so many rows one by one would be a burden for all the others.
            logger.warning("pruned events stay for now: another transaction uses their partition %s", one.name)
            return deleted
        deleted += rows
        after_batch(rows)
    end = _rows_go_until(oldest_seq, last_seq)
    return deleted + deletion.delete_before(end, needless=~_needed(), after_batch=after_batch)


def _rows_go_until(oldest_seq: int, last_seq: int) -> int:
    """Before which seq rows are deleted. Those in the partition of the oldest event wait until that goes as a whole,
    unless they are many beside what is kept.
    """
    floor, kept = partitions.floor_of(oldest_seq), last_seq - oldest_seq + 1
    waits = kept >= partitions.PARTITION_SEQS and oldest_seq - floor <= kept * WAITING_SHARE
    return floor if waits else oldest_seq


def _serves_retries(one: partitions.Range, after_look: Callable[[int], None]) -> bool:
    rows = Event.objects.filter(seq__gte=one.start, seq__lt=one.end)
    # By an index: in a day most logs do not fill a partition.
    if not rows.filter(created_at__gte=_retried_since()).exists():
        return False
    needed, end = rows.filter(_needed()), one.end
    while end > one.start:
        start = max(one.start, end - deletion.LOOK_SEQS)
        if needed.filter(seq__gte=start, seq__lt=end).exists():
            return True
        after_look(0)
        end = start
    return False


def _needed() -> models.Q:
    """By what a publisher's retry is recognised."""
    return ~models.Q(fingerprint="") & models.Q(created_at__gte=_retried_since())


def _retried_since() -> datetime:
    return clock.ask() - timedelta(hours=IDEMPOTENCY_HOURS)
