"""Deleting rows of the log range by range, beside servers that publish. For events.log only.

Each transaction holds SQLite's lock for about LOCK_SECONDS, however fast the disk is and wherever the index entries of
the rows lie, and then leaves it free for as long as a waiting publisher needs to notice that. On PostgreSQL no
publisher waits for a deletion, so there are no rests.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from django.db import connection, models, transaction

from events.log.tables import Event

# A writer that waits for SQLite's lock looks at it after 1, 2, 5, 10, 15, 20, 25, 25 and 25 ms. So one that comes while
# the lock is held finds it free within one rest. A publish may also wait for the commit before its own, which waited as
# well: about twice the sum of both at most.
LOCK_SECONDS = 0.015
REST_SECONDS = 0.025
ROWS_FIRST, ROWS_LEAST, ROWS_MOST = 500, 20, 10_000
# How many seqs one statement looks through, while it finds only rows that must stay.
LOOK_SEQS = 100_000
# SQLite's own figure, in pages.
AUTOCHECKPOINT = 1_000


def delete_before(oldest_seq: int, *, needless: models.Q, after_batch: Callable[[int], None]) -> int:
    """Delete the needless rows with lower seqs; how many that were. `after_batch` may end it by raising."""
    deleted, rows, start = 0, ROWS_FIRST, 0
    with _checkpoints_by_hand():
        while start < oldest_seq:
            found, start = _next_needless(start, oldest_seq, needless)
            if not found:
                # Passing over rows is a piece of work too: a claim must be renewed meanwhile.
                after_batch(0)
                continue
            end = min(start + rows, oldest_seq)
            with transaction.atomic():
                # SQLite has given its lock to this transaction by now.
                locked_at = time.perf_counter()
                gone = Event.objects.filter(needless, seq__gte=start, seq__lt=end).delete()[0]
            rows = rows_for_next(rows, time.perf_counter() - locked_at)
            deleted, start = deleted + gone, end
            # Before the rest, in which an interruption most likely comes: this batch is counted by then.
            after_batch(gone)
            _rest()
    return deleted


def rows_for_next(rows: int, held_seconds: float) -> int:
    """How many seqs the next transaction should take, when one of so many has held the lock for so long."""
    fitting = int(rows * LOCK_SECONDS / max(held_seconds, 0.001))
    # One slow commit among quick ones does not make all that follow tiny, nor a quick one among slow ones.
    return max(ROWS_LEAST, min(ROWS_MOST, max(rows // 2, min(rows * 2, fitting))))


def _next_needless(start: int, oldest_seq: int, needless: models.Q) -> tuple[bool, int]:
    """Whether one was found within LOOK_SEQS, and its seq; else where to look next."""
    here = Event.objects.filter(seq__gte=start, seq__lt=oldest_seq).order_by("seq").values_list("seq", flat=True)
    first = here.first()
    if first is None:
        return False, oldest_seq
    found = here.filter(needless, seq__lt=first + LOOK_SEQS).first()
    return (False, first + LOOK_SEQS) if found is None else (True, found)


def _rest() -> None:
    if connection.vendor != "sqlite":
        return
    began = time.perf_counter()
    with connection.cursor() as cursor:
        # Here, where it holds no lock, and not in the commit of a publisher.
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
    time.sleep(max(0.0, REST_SECONDS - (time.perf_counter() - began)))


@contextlib.contextmanager
def _checkpoints_by_hand() -> Iterator[None]:
    """A commit that also writes the log of SQLite back to its file would be taken for one that held the lock long."""
    if connection.vendor != "sqlite":
        yield
        return
    _set_autocheckpoint(0)
    try:
        yield
    finally:
        _set_autocheckpoint(AUTOCHECKPOINT)


def _set_autocheckpoint(pages: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA wal_autocheckpoint={pages:d}")
