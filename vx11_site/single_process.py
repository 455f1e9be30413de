"""Without Redis, processes cannot tell each other anything: a second serving process is refused at its start.

The claim is a lock that dies with its process, so a restart is never in the way.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

from ledger.faults import DATABASE_FAULTS
from vx11_site import postgres_access

# In the data folder of whoever serves from SQLite.
LOCK_FILE = "serving.lock"
# Any number will do, as long as it is always the same; this one spells vx11.
ADVISORY_LOCK = 0x76783131
ADVICE = (
    "Another process is serving this database, and VX11_REDIS_URL is not set.\n"
    "Tickets and events would not reach both. Set VX11_REDIS_URL for all of them, or stop the other one."
)

# The file or connection whose lock is held, so that nobody closes it.
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
            why = postgres_access.with_repair(error)
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
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
        row = cursor.fetchone()
    claimed = bool(row and row[0])
    if claimed:
        _claims.append(connection)
    return claimed
