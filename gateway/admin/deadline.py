"""Reads that a page can do without: given up in time, so that the rest of the page is shown."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# How often SQLite looks at the clock, in steps of its own: about every millisecond.
SQLITE_STEPS = 10_000


@contextmanager
def read_within(seconds: float) -> Iterator[None]:
    """What is read within takes no longer, or raises OperationalError: on PostgreSQL each query by itself."""
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(round(seconds * 1000))])
            yield
        return
    # Not in a transaction: there it would wait for whoever writes.
    ends_at = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > ends_at, SQLITE_STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)
