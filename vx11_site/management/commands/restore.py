"""manage.py restore: replaces the SQLite database by a backup, and begins a new epoch of the log."""

import functools
import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from events import index
from events.log import begin_new_epoch
from gateway.identity import revival
from vx11_client.terminal_text import shown
from vx11_site.config import single_process
from vx11_site.data import sqlite_copy
from vx11_site.management.commands.backup import copy_with_progress

POSTGRESQL = (
    "The database is PostgreSQL, whose own tools do this: manage.py postgresql pg_restore. "
    "docs/operations.md has the steps."
)


class Command(BaseCommand):
    help = (
        "Put a file that manage.py backup made in the place of the SQLite database. Servers must be stopped. The file "
        "that was there is kept beside it. The log gets a new epoch: clients fetch their state anew (stream-reset). "
        "Sessions and tickets end, because those that were ended after the copy was made would live again."
    )
    # The current database may be damaged, which may be the reason to restore.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="What manage.py backup made.")
        revival.add_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        config = settings.DATABASES["default"]
        if not config["ENGINE"].endswith("sqlite3"):
            raise CommandError(POSTGRESQL)
        backup, database = options["file"], Path(config["NAME"])
        if not backup.is_file() or (database.exists() and backup.samefile(database)):
            raise CommandError(f"{shown(str(backup))} is no backup.")
        self._refuse_foreign(backup)
        connections.close_all()
        try:
            with single_process.without_a_server(database.parent):
                kept = self._replace(database, backup)
                head = begin_new_epoch()
                has_index = self._adopt_index(backup, database, head.epoch)
        except (single_process.Serving, sqlite_copy.InUse):
            raise CommandError(f"A server or another process has {shown(str(database))} open. Stop it first.") from None
        self.stdout.write(f"Restored. The log's epoch is now {shown(head.epoch)}; it goes on after {head.last_seq}.")
        self.stdout.write("Its search index is that of the backup." if has_index else "Its search index is built anew.")
        if kept:
            self.stdout.write(f"What was there before is {shown(str(kept))}.")
        for line in revival.report(keep_sessions=options["keep_sessions"]):
            self.stdout.write(line)
        self._print_revived(kept, database)

    def _adopt_index(self, backup: Path, database: Path, epoch: str) -> bool:
        copied = sqlite_copy.log_head(backup)
        try:
            return index.adopt(
                backup, copied, database, epoch, functools.partial(copy_with_progress, self, tables=index.SQLITE_TABLES)
            )
        except CommandError as error:
            # The log is there; the rest makes itself.
            self.stderr.write(f"The search index of the backup cannot be used: {error}")
            return False

    def _print_revived(self, before: Path | None, now: Path) -> None:
        """Print the tokens that were revoked after the copy was made, if the replaced database can be read."""
        tokens = sqlite_copy.revived_tokens(before, now) if before else None
        if tokens is None:
            self.stdout.write("Which tokens these are is not known: the replaced database cannot be read.")
        elif tokens:
            self.stdout.write(f"{len(tokens)} tokens that were revoked or deleted are valid again. To revoke them:")
            self.stdout.write(f"manage.py revoke_token {' '.join(map(shown, tokens))}")
        else:
            self.stdout.write("No token was revoked or deleted in between.")

    def _refuse_foreign(self, backup: Path) -> None:
        try:
            sqlite_copy.verify(backup)
        except sqlite_copy.BadCopy as error:
            raise CommandError(shown(str(error))) from None
        ours = set(MigrationLoader(None).graph.nodes)
        applied = sqlite_copy.migrations(backup)
        if newer := sorted(applied - ours):
            problem = f"{backup} is of a newer version: migration {'.'.join(newer[0])} is not known here."
            raise CommandError(shown(problem))
        if missing := ours - applied:
            self.stdout.write(
                f"It is of an older version: run manage.py migrate before you serve ({len(missing)} steps)."
            )

    def _replace(self, database: Path, backup: Path) -> Path | None:
        """Replace the database by a copy of the backup; returns where the old one is now. One of the two always exists.

        Raises InUse, CommandError.
        """
        new = database.with_name(f"{database.name}.restored")
        copy_with_progress(self, backup, new)
        there = database.exists()
        single_process.give_to_owner_of(database if there else database.parent, new)
        try:
            kept = _keep(database) if there else None
            new.replace(database)
        except sqlite_copy.InUse:
            new.unlink()
            raise
        return kept


def _name_for(database: Path) -> Path:
    """An unused name: a restore that was killed in the same second may have left one."""
    now = time.strftime("%Y%m%d-%H%M%S")
    names = (
        database.with_name(f"{database.name}.before-{now}{more}") for more in ("", *map("-{}".format, range(2, 99)))
    )
    return next(name for name in names if not name.exists())


def _keep(database: Path) -> Path:
    """Give the current file a second name, and return it. Raises InUse."""
    sqlite_copy.fold_in(database)
    kept = _name_for(database)
    # They exist only if the database was damaged, and would damage the new one.
    for suffix in ("-wal", "-shm"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            file.rename(kept.with_name(kept.name + suffix))
    os.link(database, kept)
    return kept
