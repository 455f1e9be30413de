"""Without Redis, processes cannot send each other messages: a second serving process is refused at its start.

The claim is a lock that ends with its process, so it never blocks a restart. On PostgreSQL it also ends with its
connection: the process then takes it again at once, and a process that starts meanwhile waits for that.
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

# In the data folder of an installation with SQLite.
LOCK_FILE = "serving.lock"
# An arbitrary constant; its bytes spell vx11.
ADVISORY_LOCK = 0x76783131
ADVICE = (
    "Another process is serving this database, and VX11_REDIS_URL is not set.\n"
    "Tickets and events would not reach both. Set VX11_REDIS_URL for all of them, or stop the other one."
)

# How often a process checks that it still has the lock.
KEEP_SECONDS = 1.0
# How long a starting process waits for another one, which seems to run, to take back a lock that it has lost.
PATIENCE_SECONDS = 5.0
CHECK_EVERY_SECONDS = 0.25
_TAKE = f"SELECT pg_try_advisory_lock({ADVISORY_LOCK})"
# The same rule as in events.stream.connections: a process that updated its row within 20 seconds, and is not draining.
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
def without_a_server(folder: Path) -> Iterator[None]:
    """No server of this folder can start within this block, unless it uses Redis. Raises Serving if one runs."""
    with (folder / LOCK_FILE).open("a") as file:
        give_to_owner_of(folder, folder / LOCK_FILE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Serving(str(folder)) from None
        yield


def give_to_owner_of(existing: Path, new: Path) -> None:
    """As root, give the new file to the owner of the existing one: the server runs as another user."""
    if os.geteuid() == 0:
        owner = existing.stat()
        os.chown(new, owner.st_uid, owner.st_gid)


def _claim_postgresql() -> bool:
    """An advisory lock, on a connection of its own."""
    connection = connections.create_connection("default")
    if _another_takes_it(connection) or not _take(connection):
        connection.close()
        return False
    keeper = threading.Thread(target=_keep, args=(connection,), name="single-process", daemon=True)
    # Django binds a connection to one thread unless its sharing is allowed; this one is handed over to the keeper.
    connection.inc_thread_sharing()
    keeper.start()
    _claims.append(keeper)
    return True


def _another_takes_it(connection: BaseDatabaseWrapper) -> bool:
    """Wait for a process that seems to run: it may have lost its lock with its connection a moment ago."""
    if not _others_live(connection):
        return False
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        if _has_row(connection, _IS_TAKEN, [ADVISORY_LOCK]):
            return True
        time.sleep(CHECK_EVERY_SECONDS)
    return False


def _others_live(connection: BaseDatabaseWrapper) -> bool:
    try:
        return _has_row(connection, _OTHERS_LIVE)
    except ProgrammingError:
        # No tables yet, so nothing serves them.
        return False


def _keep(connection: BaseDatabaseWrapper) -> None:
    """Take the lock again whenever it is lost. If another process has it by then, this process ends."""
    while True:
        time.sleep(KEEP_SECONDS)
        try:
            _has_row(connection, "SELECT 1")
            continue
        except DATABASE_FAULTS:
            with contextlib.suppress(*DATABASE_FAULTS):
                connection.close()
        try:
            if _take(connection):
                logger.warning("the connection that kept other processes from serving was lost, and is back")
                continue
        except DATABASE_FAULTS:
            # The database is away; readers and writers log that.
            continue
        logger.error("this process ends: %s", ADVICE)
        os.kill(os.getpid(), signal.SIGTERM)
        return


def _take(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE)
        row = cursor.fetchone()
    return bool(row and row[0])


def _has_row(connection: BaseDatabaseWrapper, query: str, values: Sequence[int] = ()) -> bool:
    """Whether the query has a row."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchone() is not None
