"""Commands that delete what is old: the age in their options, progress on the terminal, an end in order by Ctrl-C."""

import abc
import contextlib
import re
import shutil
import signal
import time
from argparse import ArgumentParser, ArgumentTypeError, _MutuallyExclusiveGroup
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from gateway.checks.startup import OF_SETTINGS
from gateway.jobs.retention import AfterBatch, Counts, NearlyAll, describe
from ledger.faults import DATABASE_FAULTS

MIN_AGE = timedelta(days=1)
MAX_AGE = timedelta(days=36_500)
REDRAW_SECONDS = 0.2
# Into a file or a journal goes a line now and then, not one for every batch.
PLAIN_LINE_SECONDS = 5.0
CLEAR_LINE = "\r\x1b[K"
# What shells give for a program that Ctrl-C ended.
INTERRUPTED = 130

_AGE = re.compile(r"([0-9]{1,7})([hd])", re.ASCII)


def age(text: str) -> timedelta:
    """From "90d" or "36h". A typing error must not empty a table."""
    found = _AGE.fullmatch(text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is not an age; write it as 90d or 36h")
    number = int(found[1])
    chosen = timedelta(days=number) if found[2] == "d" else timedelta(hours=number)
    if not MIN_AGE <= chosen <= MAX_AGE:
        raise ArgumentTypeError(f"{text} is not between 1d and {MAX_AGE.days}d")
    return chosen


class Progress:
    """Counts what is deleted and says so: a line that is rewritten on a terminal, else a plain one now and then.

    `done` says what became of it, if it was not deleted.
    """

    def __init__(self, out: OutputWrapper, planned: Counts, *, done: str = "deleted") -> None:
        self._done = done
        self._out = out
        self.planned = planned
        self._live = out.isatty()
        self._pause_seconds = REDRAW_SECONDS if self._live else PLAIN_LINE_SECONDS
        self._drawn_at = time.monotonic()
        self.deleted: Counts = {}

    def add(self, name: str, rows: int) -> None:
        self.deleted[name] = self.deleted.get(name, 0) + rows
        now = time.monotonic()
        if now - self._drawn_at < self._pause_seconds:
            return
        self._drawn_at = now
        line = f"{name}: {self.deleted[name]} of {max(self.planned.get(name, 0), self.deleted[name])} {self._done}"
        if self._live:
            # A line that wraps could not be drawn over.
            self._out.write(CLEAR_LINE + line[: shutil.get_terminal_size().columns - 1], ending="")
            self._out.flush()
        else:
            self._out.write(line)

    def end(self) -> None:
        if self._live:
            self._out.write(CLEAR_LINE, ending="")


class CleaningCommand(BaseCommand, abc.ABC):
    """Says what would go (`--dry-run`), or deletes it batch by batch."""

    requires_system_checks = OF_SETTINGS

    @abc.abstractmethod
    def count(self, options: dict[str, Any]) -> Counts:
        """How many rows would go."""

    @abc.abstractmethod
    def clean(self, options: dict[str, Any], after_batch: AfterBatch) -> str:
        """Deletes them; a sentence to say at the end, or nothing."""

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
            with _sigterm_as_ctrl_c():
                closing_words = self.clean(options, progress.add)
        except KeyboardInterrupt:
            progress.end()
            # The batch it came upon is rolled back.
            message = f"Interrupted after deleting {describe(progress.deleted)}. Run this again to go on."
            raise CommandError(message, returncode=INTERRUPTED) from None
        progress.end()
        self.stdout.write(f"Deleted {describe(progress.deleted)}. {closing_words}".strip())


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """A supervisor's wish to end, taken like a person's."""
    try:
        earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:
        # Only the main thread may; elsewhere nobody sends us signals.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
