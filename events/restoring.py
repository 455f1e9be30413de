"""The log after a restore: another epoch, and no seq given out twice."""

from events import log, mark
from events.cursors import Head


def begin_new_epoch() -> Head:
    """Cursors given out so far mean nothing any more. Goes on after the last seq that anybody has seen, if that is
    known: the mark outside the database may have seen more of the log than what was restored.
    """
    before, seen = log.head(), mark.read()
    if seen is not None:
        after = log.start_new_epoch(if_behind=seen)
        if after.epoch != before.epoch:
            return after
    return log.start_new_epoch()
