"""The store of this installation: beside the log in PostgreSQL, in a file of its own beside SQLite's."""

import functools
from pathlib import Path

from django.db import connection

from events.index.postgres_store import PostgresStore
from events.index.sqlite_store import SqliteStore
from events.index.store import Store


@functools.cache
def the_store() -> Store:
    """One for the process: readers of all threads share what they notice."""
    if connection.vendor == "postgresql":
        return PostgresStore()
    return SqliteStore(sqlite_path(Path(connection.settings_dict["NAME"])))


def sqlite_path(log: Path) -> Path:
    """operator.sqlite3 has operator-search.sqlite3."""
    return log.with_name(f"{log.stem}-search{log.suffix}")
