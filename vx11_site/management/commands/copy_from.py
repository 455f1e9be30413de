"""manage.py copy_from: copies all rows of an SQLite installation into the empty PostgreSQL of the settings."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from gateway.checks.startup import OF_SETTINGS
from gateway.jobs.purge import INTERRUPTED, Progress
from vx11_client.terminal_text import shown
from vx11_site.config import single_process
from vx11_site.data import copy_database, sqlite_copy


class Command(BaseCommand):
    help = (
        "Copy all rows of an SQLite installation into the database of VX11_DATABASE_URL, after manage.py migrate and "
        "before anything uses it. The old installation must be stopped, and stay so: the new one goes on with its log, "
        "and the cursors of clients stay good."
    )
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="operator.sqlite3 in the old data folder.")

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["file"]
        if connection.vendor != "postgresql":
            raise CommandError("VX11_DATABASE_URL names no PostgreSQL: there is nothing to copy into.")
        if not source.is_file():
            raise CommandError(f"{shown(str(source))} is no file.")
        with _stopped(source):
            self._refuse_other_versions(source)
            copy_database.name_source(source)
            self._copy()

    def _refuse_other_versions(self, source: Path) -> None:
        try:
            sqlite_copy.verify(source)
        except sqlite_copy.BadCopy as error:
            raise CommandError(shown(str(error))) from None
        with connection.cursor() as cursor:
            if "django_migrations" not in connection.introspection.table_names(cursor):
                raise CommandError("The new database has no tables. Run: manage.py migrate")
            cursor.execute("SELECT app, name FROM django_migrations")
            here = {(app, name) for app, name in cursor.fetchall()}
        if here != sqlite_copy.migrations(source):
            raise CommandError("The two are of different versions. Run manage.py migrate in both, with this version.")

    def _copy(self) -> None:
        progress = Progress(self.stdout, copy_database.count(), done="copied")
        try:
            copied = copy_database.copy_all(progress.add)
        except copy_database.NotEmpty as error:
            raise CommandError(f"The new database is in use: {error.table} has rows. Take an empty one.") from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Nothing was copied.", returncode=INTERRUPTED) from None
        # DatabaseError: at the commit, PostgreSQL may find a row that refers to a missing one.
        except (copy_database.Unfit, copy_database.Differs, DatabaseError) as error:
            raise CommandError(f"{shown(str(error).strip())}. Nothing was copied.") from None
        finally:
            progress.end()
        for name, rows in copied.items():
            if rows:
                self.stdout.write(f"{rows:>10}  {name}")
        self.stdout.write(
            "All is copied, and counted in both. The log keeps its epoch: do not serve the old one again."
        )
        self.stdout.write(
            "If that file was an earlier copy, and not what was served last, then whatever was revoked or signed out "
            "since is valid again: run manage.py new_epoch, and see docs/operations.md."
        )


@contextmanager
def _stopped(source: Path) -> Iterator[None]:
    """No server of that folder can start within this block. Raises CommandError if one runs."""
    try:
        with single_process.without_a_server(source.parent):
            sqlite_copy.fold_in(source)
            yield
    except (single_process.Serving, sqlite_copy.InUse):
        raise CommandError(f"A server or another process has {shown(str(source))} open. Stop it first.") from None
