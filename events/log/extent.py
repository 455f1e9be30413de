"""How many rows lie where in the log. For events.log only.

Rows are counted and not computed from their seqs, because a log that was restored has holes. Counting a large log takes
long, so it is counted in blocks, each by a short statement, and complete blocks are counted once in a process's life.
"""

from collections.abc import Iterator

from django.db import models

from events.log.cursors import Head
from events.log.tables import Event

# Rows of one block: counted in about 0.2 s on both databases.
BLOCK_SEQS = 1_000_000
# By epoch and first seq. Rows of the log stay as they are until the log begins after them.
_counted: dict[tuple[str, int], int] = {}


def first_of_newest(rows: int, now: Head) -> int:
    """The seq of the oldest among so many of the newest rows."""
    if now.last_seq - now.oldest_seq + 1 <= rows:
        return now.oldest_seq
    left = rows
    for start, end in _blocks_back(now):
        here = _count_block(now.epoch, start, end)
        if here >= left:
            return _newest_but(left - 1, start, end, here)
        left -= here
    return now.oldest_seq


def count_rows(start: int, end: int, *, only: models.Q | None = None) -> int:
    """How many rows have a seq from `start` to `end`."""
    total = 0
    while (first := _first_seq(start, end)) is not None:
        start = (first // BLOCK_SEQS + 1) * BLOCK_SEQS
        total += _between(first, min(start - 1, end)).filter(only or models.Q()).count()
    return total


def _first_seq(start: int, end: int) -> int | None:
    return _between(start, end).order_by("seq").values_list("seq", flat=True).first()


def _blocks_back(now: Head) -> Iterator[tuple[int, int]]:
    """First and last seq of each block that has rows, newest first."""
    end: int | None = now.last_seq
    while end is not None:
        start = max(end // BLOCK_SEQS * BLOCK_SEQS, now.oldest_seq)
        yield start, end
        # A hole may be long.
        end = _between(now.oldest_seq, start - 1).order_by("-seq").values_list("seq", flat=True).first()


def _count_block(epoch: str, start: int, end: int) -> int:
    if (start, end + 1) != (start // BLOCK_SEQS * BLOCK_SEQS, start + BLOCK_SEQS):
        return _between(start, end).count()
    if any(known != epoch for known, _ in _counted):
        _counted.clear()
    if (epoch, start) not in _counted:
        _counted[epoch, start] = _between(start, end).count()
    return _counted[epoch, start]


def _newest_but(newer: int, start: int, end: int, rows: int) -> int:
    """The seq of the row that has so many newer ones in its block."""
    if rows == end - start + 1:
        return end - newer
    return _between(start, end).order_by("-seq").values_list("seq", flat=True)[newer]


def _between(start: int, end: int) -> "models.QuerySet[Event]":
    return Event.objects.filter(seq__gte=start, seq__lte=end).order_by()
