"""manage.py migrate: Django's command, one at a time; on PostgreSQL it also waits for tables in use."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ledger.sqlite3.base import LIMIT_OPTION, NEVER
from vx11_site.config import postgres

# Two hosts that are updated at the same time both migrate, and Django does not keep them apart.
ADVISORY_LOCK = 0x5658_3131_4D
TURN_LIMIT_SECONDS = 600
TRIES = 5
PAUSE_SECONDS = 1.0
# A table was in use for longer than lock_timeout, which keeps the queries that wait behind a migration from waiting
# long. SQLSTATEs of https://www.postgresql.org/docs/current/errcodes-appendix.html: lock_not_available,
# deadlock_detected.
IN_USE = ("55P03", "40P01")


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.in_atomic_block:
            super().handle(*args, **options)
            return
        with _patient(connection):
            if connection.vendor == "postgresql":
                self._migrate_in_turn(connection, *args, **options)
            else:
                with self._turn_of_file(connection):
                    super().handle(*args, **options)

    def _migrate_in_turn(self, connection: BaseDatabaseWrapper, *args: Any, **options: Any) -> None:
        with self._turn(connection):
            for tries_left in reversed(range(TRIES)):
                try:
                    super().handle(*args, **options)
                    return
                except DatabaseError as error:
                    if not tries_left or getattr(error.__cause__, "sqlstate", None) not in IN_USE:
                        raise
                    # The failed migration was rolled back: each one is a transaction.
                    self.stderr.write(f"A table is in use. {tries_left} more {'try' if tries_left == 1 else 'tries'}.")
                    time.sleep(PAUSE_SECONDS)

    @contextmanager
    def _turn(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """A transaction-level lock on a separate connection: it works through a pooler too."""
        waited = connection.copy()
        waited.set_autocommit(False)
        try:
            with waited.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                self._wait_for(lambda: _locked(cursor))
            yield
        finally:
            waited.close()

    @contextmanager
    def _turn_of_file(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """A lock on the folder of the file: it leaves nothing behind, and ends with its process."""
        folder = os.open(Path(connection.settings_dict["NAME"]).parent, os.O_RDONLY)
        try:
            self._wait_for(lambda: _flocked(folder))
            yield
        finally:
            os.close(folder)

    def _wait_for(self, is_locked: Callable[[], bool]) -> None:
        """Raises CommandError when another process takes too long."""
        deadline = time.monotonic() + TURN_LIMIT_SECONDS
        announced = False
        while not is_locked():
            if time.monotonic() > deadline:
                raise CommandError(f"Another process migrates this database for over {TURN_LIMIT_SECONDS} s.")
            if not announced:
                self.stderr.write("Another process migrates this database; waiting.")
            announced = True
            time.sleep(PAUSE_SECONDS)


@contextmanager
def _patient(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Without our limit on the time of a statement: building an index may take long."""
    config, before = connection.settings_dict, connection.settings_dict["OPTIONS"]
    # The system checks may have opened it already, with the limit.
    connection.close()
    if connection.vendor == "postgresql":
        config["OPTIONS"] = postgres.without_statement_limit(before)
    else:
        config["OPTIONS"] = {**before, LIMIT_OPTION: NEVER}
    try:
        yield
    finally:
        connection.close()
        config["OPTIONS"] = before


def _locked(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
    return bool(cursor.fetchone()[0])


def _flocked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
