"""The lock of the log's head, and when a new epoch begins: whenever the database may lack what was seen of the log.

The epoch is a fact of the database, compared under the lock of its head: no process need remember anything for it.
"""

import logging
import secrets
import string
from collections.abc import Callable

from django.db import transaction
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from events.log import incarnation, watermark
from events.log.cursors import EPOCH_RANDOM_LETTERS, Cursor, Head, generation
from events.log.rows import LockedHead, lock_head
from events.log.tables import LogHead

logger = logging.getLogger(__name__)

# Called in the thread that has locked the head; returns the furthest position seen of the log.
Witness = Callable[[], Cursor]
_witnesses: list[Witness] = []


def ask_before_append(witness: Witness) -> None:
    """Compare the head with the witness's position before each append: a log that ends before that gets a new epoch."""
    if witness not in _witnesses:
        _witnesses.append(witness)


def start_new_epoch(*, seen: Cursor | None = None) -> Head:
    """Make every cursor given out so far unknown: the log was reset or restored.

    It goes on after what was `seen` of it, if that is known, so that no seq is given out twice.
    """
    with transaction.atomic():
        row = locked_head().row
        _renew(row, [] if seen is None else [seen])
        return as_head(row)


def begin_new_epoch() -> Head:
    """Make every cursor given out so far unknown, and note the new epoch outside the database.

    Numbering goes on after the watermark, if there is one: readers may have seen more than what was restored.
    """
    head = start_new_epoch(seen=watermark.read())
    try:
        # Now, and not when the next server starts: the same backup may be restored once more before that.
        watermark.advance(head.newest)
    except (ConnectionInterrupted, RedisError, OSError) as error:
        logger.warning("how far the log goes cannot be noted: %s", type(error).__name__)
    return head


def check_against(seen: Cursor) -> Head:
    """The head; of a new epoch, if the log was put back to an older state since that was seen of it."""
    with transaction.atomic():
        return as_head(locked_head(seen).row)


def give_up(seen: Cursor) -> Head:
    """The head; of a new epoch, as the log holds other events than those that were seen up to this cursor of it.

    Only the first that finds this out begins one.
    """
    with transaction.atomic():
        row = locked_head(seen).row
        if row.epoch == seen.epoch:
            _renew(row, [seen])
            logger.error("the log holds other events than were seen of it; it now has the epoch %s", row.epoch)
        return as_head(row)


def locked_head(*seen: Cursor) -> LockedHead:
    """The head, locked until the transaction ends; of a new epoch, if the database may lack what was seen of the log.

    Every way to append leads through here, so it does not matter which process is the first after a failover.
    """
    locked = lock_head()
    if locked is None:
        LogHead.objects.get_or_create(pk=1, defaults={"epoch": _new_epoch(1)})
        locked = lock_head()
    assert locked is not None  # noqa: S101 - it was made a line before
    row, all_seen = locked.row, [*seen, *(witness() for witness in _witnesses)]
    if (row.incarnation, row.synchronous) != (locked.incarnation, locked.synchronous):
        _take_over(locked, all_seen)
    elif any(as_head(row).is_behind(cursor) for cursor in all_seen):
        _renew(row, all_seen)
        logger.error("the log went back to an older state; it now has the epoch %s", row.epoch)
    return locked


def _take_over(locked: LockedHead, seen: list[Cursor]) -> None:
    """Note where the log lives now. Unless nothing can be missing here that was seen elsewhere, in a new epoch."""
    row, before = locked.row, locked.row.incarnation
    complete = row.synchronous and incarnation.is_promotion(before, locked.incarnation)
    row.incarnation, row.synchronous = locked.incarnation, locked.synchronous
    another = bool(before and row.incarnation and before != row.incarnation)
    # Once in the life of a database, so Redis may be waited for.
    if another and (noted := watermark.read()) is not None:
        seen = [*seen, noted]
    if (another and not complete) or any(as_head(row).is_behind(cursor) for cursor in seen):
        _renew(row, seen)
        logger.error("another database has taken the log over; it now has the epoch %s", row.epoch)
    else:
        row.save()


def _renew(row: LogHead, seen: list[Cursor]) -> None:
    """Begin an epoch that is later than all that was seen, and goes on after it."""
    here = Cursor(row.epoch, row.last_seq)
    row.epoch = _new_epoch(max(generation(cursor.epoch) for cursor in (here, *seen)) + 1)
    row.last_seq = max(cursor.seq for cursor in (here, *seen))
    row.save()


def as_head(row: LogHead) -> Head:
    return Head(row.epoch, row.last_seq, row.oldest_seq, row.incarnation)


def _new_epoch(number: int) -> str:
    letters = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(letters) for _ in range(EPOCH_RANDOM_LETTERS)) + str(number)
