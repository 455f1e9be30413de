"""manage.py prune_events: forget what the retention settings no longer keep."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from events import log


def at_least_one(text: str) -> int:
    """A typing error must not empty the log."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


class Command(BaseCommand):
    help = "Delete events beyond the retention in days and in rows. Readers whose cursor is older get stream-reset."

    def add_arguments(self, parser: ArgumentParser) -> None:
        days, rows = settings.EVENT_RETENTION_DAYS, settings.EVENT_RETENTION_ROWS
        shown = "Default: {} ({})."
        parser.add_argument(
            "--keep-days", type=at_least_one, default=days, help=shown.format(days, "VX11_EVENT_RETENTION_DAYS")
        )
        parser.add_argument(
            "--keep-rows", type=at_least_one, default=rows, help=shown.format(rows, "VX11_EVENT_RETENTION_ROWS")
        )

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = log.prune(keep_days=options["keep_days"], keep_rows=options["keep_rows"])
        head = log.head()
        self.stdout.write(f"Deleted {deleted} events. The log holds {head.oldest_seq} to {head.last_seq}.")
