"""Optional reads of a page, with a time limit: when one takes too long, the rest of the page is still shown."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from ledger.sqlite3.base import NEVER


@contextmanager
def read_within(seconds: float) -> Iterator[None]:
    """Reads in this block raise OperationalError after this time. On PostgreSQL it is the limit of each single
    query.
    """
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(round(seconds * 1000))])
            yield
        return
    # Without a transaction: in one, SQLite would wait for the current writer.
    watch = connection.connection.watch
    watch.no_later_than = time.monotonic() + seconds
    try:
        yield
    finally:
        watch.no_later_than = NEVER
