"""Commands that delete what is old: the age in their options, progress on the terminal, an end in order by Ctrl-C."""

import abc
import contextlib
import functools
import signal
from argparse import ArgumentParser, ArgumentTypeError, _MutuallyExclusiveGroup
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from gateway.checks.startup import OF_SETTINGS
from gateway.durations import read_duration
from gateway.jobs.retention import AfterBatch, Counts, NearlyAll, describe
from ledger.faults import DATABASE_FAULTS
from vx11_client.status_line import StatusLine

MIN_AGE = timedelta(days=1)
MAX_AGE = timedelta(days=36_500)
# Into a file or a journal goes a line now and then, not one for every batch.
PLAIN_LINE_SECONDS = 5.0
# What shells give for a program that Ctrl-C ended.
INTERRUPTED = 130


def age(text: str) -> timedelta:
    """From "90d" or "36h". A typing error must not empty a table."""
    chosen = read_duration(text, units="hd")
    if chosen is None:
        raise ArgumentTypeError(f"{text!r} is not an age; write it as 90d or 36h")
    if not MIN_AGE <= chosen <= MAX_AGE:
        raise ArgumentTypeError(f"{text} is not between 1d and {MAX_AGE.days}d")
    return chosen


class Progress:
    """Counts rows as they are deleted, and shows the count. `done` is the word for it, if they are not deleted."""

    def __init__(self, out: OutputWrapper, planned: Counts, *, done: str = "deleted") -> None:
        self._done = done
        self.planned = planned
        # Django's wrapper would end each text with an end of line.
        write = functools.partial(out.write, ending="")
        self._line = StatusLine(
            write, out.flush, is_live=out.isatty(), plain_seconds=PLAIN_LINE_SECONDS, waits_first=True
        )
        self.deleted: Counts = {}

    def add(self, name: str, rows: int) -> None:
        self.deleted[name] = self.deleted.get(name, 0) + rows
        planned = max(self.planned.get(name, 0), self.deleted[name])
        self._line.draw(f"{name}: {self.deleted[name]} of {planned} {self._done}")

    def end(self) -> None:
        self._line.clear()


class CleaningCommand(BaseCommand, abc.ABC):
    """Shows how many rows would go (`--dry-run`), or deletes them batch by batch."""

    requires_system_checks = OF_SETTINGS

    @abc.abstractmethod
    def count(self, options: dict[str, Any]) -> Counts:
        """How many rows would go."""

    @abc.abstractmethod
    def clean(self, options: dict[str, Any], after_batch: AfterBatch) -> str:
        """Deletes them; returns a sentence to print at the end, or ""."""

    def add_age(self, parser: ArgumentParser | _MutuallyExclusiveGroup, *, default_days: int, variable: str) -> None:
        parser.add_argument(
            "--older-than",
            type=age,
            default=timedelta(days=default_days),
            metavar="AGE",
            help=f"E.g. 90d or 36h, at least 1d. Default: {default_days}d ({variable}).",
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Delete also if that is nearly all there is.")
        parser.add_argument("--dry-run", action="store_true", help="Say how many rows would go, and delete none.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            planned = self.count(options)
            if options["dry_run"]:
                self._print_planned(planned)
            else:
                self._clean(options, Progress(self.stdout, planned))
        except NearlyAll as refused:
            message = f"This would delete {refused}, and deleted none of them. If that is meant, add --yes."
            raise CommandError(message) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted before anything was deleted.", returncode=INTERRUPTED) from None
        except DATABASE_FAULTS as error:
            raise CommandError(f"The database failed ({type(error).__name__}). Run this again to go on.") from None

    def _print_planned(self, planned: Counts) -> None:
        width = max((len(name) for name in planned), default=0)
        self.stdout.write("This would be deleted:")
        for name, rows in planned.items():
            self.stdout.write(f"  {name:{width}}  {rows}")

    def _clean(self, options: dict[str, Any], progress: Progress) -> None:
        try:
            with sigterm_as_ctrl_c():
                closing_words = self.clean(options, progress.add)
        except KeyboardInterrupt:
            progress.end()
            # The batch it came upon is rolled back.
            message = f"Interrupted after deleting {describe(progress.deleted)}. Run this again to go on."
            raise CommandError(message, returncode=INTERRUPTED) from None
        progress.end()
        self.stdout.write(f"Deleted {describe(progress.deleted)}. {closing_words}".strip())


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """A supervisor's wish to end, taken like a person's."""
    try:
        earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:
        # Only the main thread may set a handler, and signals come only there.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
