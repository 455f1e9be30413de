"""manage.py backup: a copy of the SQLite database, made while servers run."""

import functools
import sqlite3
import time
from argparse import ArgumentParser
from collections.abc import Collection
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events import index
from gateway.checks.startup import OF_SETTINGS
from gateway.jobs.purge import INTERRUPTED, Progress
from vx11_client.terminal_text import shown
from vx11_site.data import sqlite_copy

POSTGRESQL = (
    "The database is PostgreSQL, whose own tools do this: manage.py postgresql pg_dump -Fc --no-owner -f FILE. "
    "docs/operations.md has the steps."
)


class Command(BaseCommand):
    help = (
        "Copy the SQLite database to a file, verify the copy, and print its place. Servers go on meanwhile. "
        "It holds digests of tokens and chat messages: keep it as safe as the database. The secret key is not in it."
    )
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="Default: backup-DATE.sqlite3 in the data folder.")
        parser.add_argument("--force", action="store_true", help="Replace a file that is there.")
        parser.add_argument(
            "--with-index",
            action="store_true",
            help="Copy the search index, too, to FILE-search beside it: restore then need not build it anew.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source = sqlite_database()
        target = options["file"] or Path(settings.DATA_DIR) / f"backup-{time.strftime('%Y%m%d-%H%M%S')}.sqlite3"
        if target.exists() and (not options["force"] or target.samefile(source)):
            raise CommandError(f"{shown(str(target))} exists. Use --force to replace it, or take another name.")
        with_index = options["with_index"] and self._copy_index(source, target)
        copy_with_progress(self, source, target)
        epoch, last_seq = sqlite_copy.log_head(target)
        size_mib = target.stat().st_size / 2**20
        summary = f"{target} holds the log of epoch {epoch} up to {last_seq}: {size_mib:.1f} MiB, undamaged."
        self.stdout.write(shown(summary))
        if with_index:
            self.stdout.write(shown(f"{index.sqlite_path(target)} holds its search index: keep the two together."))
        elif options["with_index"]:
            self.stdout.write("There is no search index that can be read: a restored log builds its own.")

    def _copy_index(self, source: Path, target: Path) -> bool:
        """Whether there was one to copy."""
        return index.copy_beside(
            source, target, functools.partial(copy_with_progress, self, tables=index.SQLITE_TABLES)
        )


def sqlite_database() -> Path:
    """The database's file. Raises CommandError if the database is not SQLite, or does not exist."""
    config = settings.DATABASES["default"]
    if not config["ENGINE"].endswith("sqlite3"):
        raise CommandError(POSTGRESQL)
    path = Path(config["NAME"])
    if not path.exists():
        raise CommandError(f"{path} does not exist: there is nothing to copy.")
    return path


def copy_with_progress(
    command: BaseCommand, source: Path, target: Path, *, tables: Collection[str] = sqlite_copy.OURS
) -> None:
    """A copy of a database with these tables. Raises CommandError, and then leaves no incomplete file."""
    shown_pages = 0

    def after_step(pages: int, all_pages: int) -> None:
        nonlocal shown_pages
        progress.planned["pages"] = all_pages
        progress.add("pages", pages - shown_pages)
        shown_pages = pages

    progress = Progress(command.stdout, {}, done="copied")
    try:
        sqlite_copy.copy(source, target, after_step, tables=tables)
    except KeyboardInterrupt:
        raise CommandError("Interrupted. Nothing was written.", returncode=INTERRUPTED) from None
    except (sqlite_copy.BadCopy, sqlite3.Error, OSError) as error:
        raise CommandError(f"{shown(str(error))}. Nothing was written.") from None
    finally:
        progress.end()
