"""manage.py prune_events: forget what the retention settings no longer keep."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.conf import settings

from events import log
from gateway.jobs.purge import CleaningCommand, age
from gateway.jobs.retention import AfterBatch, Counts

DAY = timedelta(days=1)


def at_least_one(text: str) -> int:
    """A typing error must not empty the log."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def days(text: str) -> timedelta:
    return age(f"{at_least_one(text)}d")


class Command(CleaningCommand):
    help = (
        "Delete events beyond the retention in days and in rows. Readers whose cursor is older get stream-reset. "
        "Servers do this by themselves every few minutes; publishing goes on meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        by_age = parser.add_mutually_exclusive_group()
        self.add_age(by_age, default_days=settings.EVENT_RETENTION_DAYS, variable="VX11_EVENT_RETENTION_DAYS")
        by_age.add_argument(
            "--keep-days", dest="older_than", type=days, metavar="DAYS", help="The same as --older-than, in days."
        )
        rows = settings.EVENT_RETENTION_ROWS
        parser.add_argument(
            "--keep-rows", type=at_least_one, default=rows, help=f"Default: {rows} (VX11_EVENT_RETENTION_ROWS)."
        )

    def count(self, options: dict[str, Any]) -> Counts:
        return {"events": log.count_prunable(**_kept(options))}

    def clean(self, options: dict[str, Any], after_batch: AfterBatch) -> str:
        how = {"after_batch": lambda rows: after_batch("events", rows), "even_nearly_all": options["yes"]}
        log.prune(**_kept(options), **how)
        head = log.head()
        return f"The log holds {head.oldest_seq} to {head.last_seq}."


def _kept(options: dict[str, Any]) -> dict[str, Any]:
    return {"keep_days": options["older_than"] / DAY, "keep_rows": options["keep_rows"]}
