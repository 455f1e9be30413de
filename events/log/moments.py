"""Moments in the log: the cursor of a time, and how many events lie between two times. By an index, so cheap."""

from datetime import datetime

from django.db import models

from events.log import columns
from events.log.cursors import Cursor
from events.log.reading import head
from events.log.tables import Event
from gateway.filters import EVERYTHING

# Processes' clocks differ a little, so of the first events at a moment the one that was created first need not have the
# lowest seq.
MOMENT_ROWS = 1_000


def cursor_at(moment: datetime) -> Cursor:
    """The cursor before the first event created at that time or later."""
    now = head()
    first = Event.objects.filter(created_at__gte=moment).order_by("created_at", "seq").values("seq")[:MOMENT_ROWS]
    found = Event.objects.filter(seq__in=first).aggregate(seq=models.Min("seq"))["seq"]
    return Cursor(now.epoch, now.last_seq if found is None else max(found, now.oldest_seq) - 1)


def created_at(*seqs: int) -> tuple[datetime | None, ...]:
    """When these events were created; None for those that are not there."""
    found = {row.seq: row.created for row in columns.read_at(EVERYTHING, seqs)}
    return tuple(found.get(seq) for seq in seqs)


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
