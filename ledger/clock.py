"""The time by the database's clock, which is the same for all processes: no two machines' clocks agree.

What is stored, and what is deleted for its age, goes by this clock. Durations go by `time.monotonic()`, which
cannot be set.
"""

import time
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone


def ask() -> datetime:
    """The database's time, asked of it. On SQLite the database is this process, and its clock is this machine's."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    assert isinstance(now, datetime)  # noqa: S101 - it is what this function returns
    return now


# The database's time when it was read last, and time.monotonic() of that moment.
_noted: tuple[datetime, float] | None = None


def now() -> datetime:
    """The database's time without a query: as it was read last, and what has passed here since then.

    This machine's time in a process that has read none: a command, or one on SQLite.
    """
    if _noted is None:
        return timezone.now()
    then, at = _noted
    return then + timedelta(seconds=time.monotonic() - at)


def note_database_time(then: datetime | None) -> None:
    """Remember the database's time, which was read just now; None forgets it."""
    global _noted  # one for the process: reading threads set it, all others use it
    _noted = None if then is None or connection.vendor != "postgresql" else (then, time.monotonic())


class UnixSeconds(models.Func):
    """Seconds since 1970 of a time, without their fraction."""

    arity = 1
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        # Without its fraction the text cannot be rounded up, as strftime() would do with .9996.
        template = "CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)
