"""Without Redis, processes cannot tell each other anything: a second serving process is refused at its start.

The claim is a lock that dies with its process, so a restart is never in the way. On PostgreSQL it also dies with its
connection: then the process takes it back at once, and one that starts meanwhile waits for that.
"""

import contextlib
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ledger.faults import DATABASE_FAULTS
from vx11_site.config import postgres

# In the data folder of whoever serves from SQLite.
LOCK_FILE = "serving.lock"
# Any number will do, as long as it is always the same; this one spells vx11.
ADVISORY_LOCK = 0x76783131
ADVICE = (
    "Another process is serving this database, and VX11_REDIS_URL is not set.\n"
    "Tickets and events would not reach both. Set VX11_REDIS_URL for all of them, or stop the other one."
)

# How often a process sees to it that its lock is still there.
KEEP_SECONDS = 1.0
# A process that starts while another one seems to live leaves it so long to take back a lock that was lost.
PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.25
_TAKE = f"SELECT pg_try_advisory_lock({ADVISORY_LOCK})"
# As events.stream.connections counts it: a process that has touched its row in the last 20 seconds, and does not end.
_OTHERS_LIVE = "SELECT 1 FROM events_node WHERE seen_at > now() - interval '20 seconds' AND NOT draining LIMIT 1"
_IS_TAKEN = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"

logger = logging.getLogger(__name__)

# The file or the thread that holds the lock.
_claims: list[object] = []


def claim() -> None:
    """Hold the lock until this process ends. Exits with advice if another process holds it."""
    if settings.REDIS_URL or _claims:
        return
    if connections["default"].vendor == "sqlite":
        file = (settings.DATA_DIR / LOCK_FILE).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(ADVICE)
        _claims.append(file)
    else:
        try:
            claimed = _claim_postgresql()
        except DATABASE_FAULTS as error:
            why = postgres.with_repair(error)
            sys.exit(f"The database cannot be asked whether another process serves it: {why}")
        if not claimed:
            sys.exit(ADVICE)


class Serving(Exception):
    """A server of this folder runs."""


@contextmanager
def nobody_serves(folder: Path) -> Iterator[None]:
    """Keep any server of this folder from starting meanwhile, if Redis does not let it. Raises Serving if one runs."""
    with (folder / LOCK_FILE).open("a") as file:
        give_to_owner_of(folder, folder / LOCK_FILE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Serving(str(folder)) from None
        yield


def give_to_owner_of(known: Path, new: Path) -> None:
    """What root makes for a server that runs as somebody else must be that one's."""
    if os.geteuid() == 0:
        owner = known.stat()
        os.chown(new, owner.st_uid, owner.st_gid)


def _claim_postgresql() -> bool:
    """An advisory lock, on a connection of its own."""
    connection = connections.create_connection("default")
    if _another_takes_it(connection) or not _take(connection):
        connection.close()
        return False
    keeper = threading.Thread(target=_keep, args=(connection,), name="single-process", daemon=True)
    # A connection belongs to one thread unless it is told otherwise; this one goes over to the keeper.
    connection.inc_thread_sharing()
    keeper.start()
    _claims.append(keeper)
    return True


def _another_takes_it(connection: BaseDatabaseWrapper) -> bool:
    """Wait for a process that seems to live: its lock may have been lost with its connection a moment ago."""
    if not _others_live(connection):
        return False
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        if _ask(connection, _IS_TAKEN, [ADVISORY_LOCK]):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _others_live(connection: BaseDatabaseWrapper) -> bool:
    try:
        return _ask(connection, _OTHERS_LIVE)
    except ProgrammingError:
        # No tables yet, so nothing serves them.
        return False


def _keep(connection: BaseDatabaseWrapper) -> None:
    """Take the lock back whenever it is lost. A process that finds it taken is the second one by now, and ends."""
    while True:
        time.sleep(KEEP_SECONDS)
        try:
            _ask(connection, "SELECT 1")
            continue
        except DATABASE_FAULTS:
            with contextlib.suppress(*DATABASE_FAULTS):
                connection.close()
        try:
            if _take(connection):
                logger.warning("the connection that kept other processes from serving was lost, and is back")
                continue
        except DATABASE_FAULTS:
            # Away; the next reader or writer says so.
            continue
        logger.error("this process ends: %s", ADVICE)
        os.kill(os.getpid(), signal.SIGTERM)
        return


def _take(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE)
        row = cursor.fetchone()
    return bool(row and row[0])


def _ask(connection: BaseDatabaseWrapper, query: str, values: Sequence[int] = ()) -> bool:
    """Whether there is such a row."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchone() is not None
