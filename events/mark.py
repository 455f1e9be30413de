"""How far the log has been seen to go, kept outside the database.

A database that is put back to an older state does not know what it has given out since; the mark does. It is in
Redis where there is one, so that processes share it, and else in a file of the data folder. Synchronous; the event
loop reaches it through a thread.
"""

import logging
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from events.cursors import Cursor

logger = logging.getLogger(__name__)

# The name of the file, and of the key.
NAME = "log_mark"


def read() -> Cursor | None:
    """The mark; None if there is none. One that cannot be read is none: it must not keep anybody from starting."""
    try:
        text = _load()
        return None if text is None else Cursor.parse(str(text))
    except (ConnectionInterrupted, RedisError, OSError, ValueError) as error:
        logger.warning("the mark of how far the log goes cannot be read: %s", type(error).__name__)
        return None


def advance(cursor: Cursor) -> Cursor:
    """Move the mark up to the cursor, and return where it is now: further, if another process has seen more.

    Of two that advance at once the lower may stay; its process writes again as it catches up. Raises whatever the
    store raises when it is away.
    """
    mark = read()
    if mark is not None and mark.epoch == cursor.epoch and mark.seq > cursor.seq:
        return mark
    _store(str(cursor))
    return cursor


def _load() -> object:
    if settings.REDIS_URL:
        found: object = cache.get(NAME)
        return found
    try:
        return _path().read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def _store(text: str) -> None:
    if settings.REDIS_URL:
        cache.set(NAME, text, timeout=None)
        return
    # Whoever reads finds the old mark or the new one. Nothing waits for the disk: a mark that a power cut takes
    # is written again by the next start.
    new = _path().with_suffix(".new")
    new.write_text(text, encoding="ascii")
    new.replace(_path())


def _path() -> Path:
    return Path(settings.DATA_DIR) / NAME
