"""The database of the unit tests, put back after each test into the state that migrations leave.

Django would empty all tables and then make anew what it believes every database needs, which takes longer than most
tests, and what the migrations had put there would be gone.
"""

import abc
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

# Copies of the tables in which migrations put rows.
SAVED = "saved_by_tests"


class UnitDatabase(abc.ABC):
    """Takes what is there when it is made for the state to go back to."""

    @abc.abstractmethod
    def restore(self) -> None:
        """As it was, also for other connections that are open. Raises an error if one of them holds a lock."""


class SqliteUnitDatabase(UnitDatabase):
    """SQLite copies pages, and there are few."""

    def __init__(self, prepared: Path) -> None:
        shutil.copy(prepared, connection.settings_dict["NAME"])
        with closing(sqlite3.connect(prepared)) as file:
            self._saved = sqlite3.connect(":memory:", check_same_thread=False)
            file.backup(self._saved)

    def restore(self) -> None:
        connection.ensure_connection()
        self._saved.backup(cast(sqlite3.Connection, connection.connection))


class PostgresUnitDatabase(UnitDatabase):
    """Rows are deleted and those of the migrations inserted again, without triggers: the audit's refuses to."""

    def __init__(self) -> None:
        own = connection.introspection.django_table_names(only_existing=True)
        tables = sorted({*own, MigrationRecorder.Migration._meta.db_table})
        filled = []
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {SAVED}")
            for table in tables:
                cursor.execute(f'CREATE TABLE {SAVED}."{table}" AS TABLE public."{table}"')
                filled += [table] * bool(cursor.rowcount)
            # Statistics that come in the middle of a run would change the plans that tests look at.
            cursor.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        # The names are those of our models.
        emptied = [f'DELETE FROM public."{table}"' for table in tables]  # noqa: S608
        back = [f'INSERT INTO public."{table}" SELECT * FROM {SAVED}."{table}"' for table in filled]  # noqa: S608
        self._script = ";".join([*emptied, *back])

    def restore(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {self._script}; COMMIT")
