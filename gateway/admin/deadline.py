"""Reads that a page can do without: given up in time, so that the rest of the page is shown."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from ledger.sqlite3.base import NEVER


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
    watch = connection.connection.watch
    watch.no_later_than = time.monotonic() + seconds
    try:
        yield
    finally:
        watch.no_later_than = NEVER
