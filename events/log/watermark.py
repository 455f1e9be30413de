"""The furthest position seen of the log, kept outside the database.

A database that is restored to an older state has lost the numbers it gave out since; the watermark has them. It is in
Redis where there is one, so that processes share it, and else in a file of the data folder. Synchronous; the event
loop reaches it through a thread.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from events.log.cursors import Cursor

logger = logging.getLogger(__name__)

# The name of the file, and of the key.
NAME = "log_mark"
# Processes that move the mark at the same moment; with more, one raises Contended and tries again at its next turn.
ATTEMPTS = 8
# KEYS: the mark. ARGV: the value that was read, "" if there was none; the new value.
_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class Contended(OSError):
    """Others moved the mark each time that this process was about to."""


def read() -> Cursor | None:
    """The mark; None if there is none. One that cannot be read counts as none: a server must start without it."""
    try:
        held = _load()
        return None if not held else _parsed(held)
    except (ConnectionInterrupted, RedisError, OSError, ValueError) as error:
        logger.warning("the mark of how far the log goes cannot be read: %s", type(error).__name__)
        return None


def advance(cursor: Cursor) -> Cursor:
    """Move the mark up to the cursor, and return where it is now: further, if another process has seen more.

    A process that does not know a newer epoch yet cannot move it back. Raises what the store raises when it is away.
    """
    for _ in range(ATTEMPTS):
        held = _load()
        try:
            mark = _parsed(held)
        except ValueError:
            mark = None
        if mark == cursor or (mark is not None and not cursor.is_ahead_of(mark)):
            return mark
        if _replace(held, str(cursor)):
            return cursor
    raise Contended


def _parsed(held: bytes) -> Cursor:
    """Raises ValueError."""
    # In Redis it is JSON, as older versions of this program wrote it by way of the cache.
    return Cursor.parse(held.decode("ascii").strip('"'))


def _load() -> bytes:
    """What is there, b"" for nothing."""
    if settings.REDIS_URL:
        client = _redis()
        found = client.get(_key())
        return found or b""
    try:
        return _path().read_bytes()
    except FileNotFoundError:
        return b""


def _replace(held: bytes, text: str) -> bool:
    """Set the mark if it still has the value that was read; whether that was so."""
    if settings.REDIS_URL:
        client = _redis()
        return bool(client.register_script(_REPLACE)(keys=[_key()], args=[held, f'"{text}"']))
    with _locked_folder():
        if _load() != held:
            return False
        # A reader finds the old mark or the new one. Nothing waits for the disk: a mark that a power cut takes
        # is written again by the next start.
        new = _path().with_suffix(".new")
        new.write_text(text, encoding="ascii")
        new.replace(_path())
    return True


@contextlib.contextmanager
def _locked_folder() -> Iterator[None]:
    """A command may begin a new epoch while a server serves."""
    folder = os.open(_path().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _redis() -> Any:
    return cache.client.get_client(write=True)  # type: ignore[attr-defined]  # of django-redis, which has no stubs


def _key() -> str:
    return str(cache.make_key(NAME))


def _path() -> Path:
    return Path(settings.DATA_DIR) / NAME
