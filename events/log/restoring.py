"""The log after a restore: another epoch, and no seq given out twice."""

import logging

from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from events.log import epochs, watermark
from events.log.cursors import Head

logger = logging.getLogger(__name__)


def begin_new_epoch() -> Head:
    """Cursors given out so far mean nothing any more. Goes on after the last seq that anybody has seen, if that is
    known: the mark outside the database may have seen more of the log than what was restored.
    """
    head = epochs.start_new_epoch(seen=watermark.read())
    try:
        # Now, and not when the next server starts: the same file may be restored once more before that.
        watermark.advance(head.newest)
    except (ConnectionInterrupted, RedisError, OSError) as error:
        logger.warning("how far the log goes cannot be noted: %s", type(error).__name__)
    return head
