"""Without Redis, processes cannot tell each other anything: a second serving process is refused at its start.

The claim is a lock that dies with its process, so a restart is never in the way.
"""

import fcntl
import sys

from django.conf import settings
from django.db import connections

from ledger.faults import DATABASE_FAULTS

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
        file = (settings.DATA_DIR / "serving.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(ADVICE)
        _claims.append(file)
    else:
        try:
            claimed = _claim_postgresql()
        except DATABASE_FAULTS as error:
            sys.exit(f"The database cannot be asked whether another process serves it: {error}")
        if not claimed:
            sys.exit(ADVICE)


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
