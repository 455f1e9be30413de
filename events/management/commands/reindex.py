"""manage.py reindex: build the search index anew, at full speed."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events import log
from events.index import BY_COMMAND, Damaged, Indexer, IndexUnavailable, LeaseLost, Store, the_store
from events.log import Head
from gateway.checks.startup import OF_SETTINGS
from gateway.jobs.purge import INTERRUPTED, Progress, sigterm_as_ctrl_c
from ledger.faults import DATABASE_FAULTS

EPILOG = """
When to use it: hardly ever. Servers keep the index by themselves, and make a damaged one anew. Use this when an
index must be complete soon (a server builds one at half the speed, so as not to disturb streams), or when
`manage.py doctor` asks for it.

It works beside servers: they wait for it, publish and search meanwhile, and go on with the index at its end.
Searches find everything at any time; those for events that are not indexed yet take longer. The newest events
are indexed first. Interrupted (Ctrl-C), it leaves what is done; a server goes on with the rest.

  manage.py reindex                  delete the index and build it anew
  manage.py reindex --continue       only what is missing
  manage.py reindex --drop           delete it, and free its space: first set VX11_SEARCH_INDEX=off in all servers,
                                     or they make a new one
"""


class Command(BaseCommand):
    help = "Build the index of the log's words anew, beside serving processes, with progress."
    requires_system_checks = OF_SETTINGS

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs |= {"epilog": EPILOG, "formatter_class": RawDescriptionHelpFormatter}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument(
            "--continue", dest="goes_on", action="store_true", help="Keep what is indexed, and add what is missing."
        )
        ways.add_argument("--drop", action="store_true", help="Delete the index, and build none.")

    def handle(self, *args: Any, **options: Any) -> None:
        store = the_store()
        try:
            if options["drop"]:
                store.remove()
                self.stdout.write("Deleted the search index.")
                return
            if not settings.SEARCH_INDEX:
                raise CommandError("VX11_SEARCH_INDEX is off: no search would use the index.")
            self._build(store, goes_on=options["goes_on"])
        except LeaseLost:
            raise CommandError("Another `manage.py reindex` has begun, and goes on.") from None
        except (IndexUnavailable, *DATABASE_FAULTS) as error:
            message = f"The index cannot be written: {error}\nRun this again, with --continue to keep what is done."
            raise CommandError(message) from None

    def _build(self, store: Store, *, goes_on: bool) -> None:
        head = log.peek()
        if head is None:
            self.stdout.write("The log is empty: there is nothing to index.")
            return
        indexer = Indexer(store)
        planned = _prepare(store, indexer, head, goes_on=goes_on)
        progress = Progress(self.stdout, {"events": planned}, done="indexed")
        try:
            with sigterm_as_ctrl_c():
                _index(indexer, progress, planned)
        except KeyboardInterrupt:
            progress.end()
            done = progress.deleted.get("events", 0)
            message = f"Interrupted after {done} events. Servers go on with the rest, or: manage.py reindex --continue"
            raise CommandError(message, returncode=INTERRUPTED) from None
        finally:
            indexer.end()
        progress.end()
        self.stdout.write(f"Indexed {progress.deleted.get('events', 0)} events: {store.size_bytes():,} bytes.")


def _prepare(store: Store, indexer: Indexer, head: Head, *, goes_on: bool) -> int:
    """Take the index over, and how many events are to be indexed."""
    try:
        indexer.take_over()
        state = store.state()
    except Damaged:
        store.remove()
        indexer.take_over()
        state = None
    if state is None or state.epoch != head.epoch or not goes_on:
        indexer.begin(head, BY_COMMAND)
        return head.last_seq - head.oldest_seq + 1
    return max(0, head.last_seq - state.high) + max(0, state.low - head.oldest_seq)


def _index(indexer: Indexer, progress: Progress, planned: int) -> None:
    left, more = planned, True
    while more:
        step = indexer.step()
        if not step.is_holder:
            raise LeaseLost
        # What is published meanwhile is indexed too, so this may be less than nothing.
        progress.add("events", max(0, left - step.missing_events))
        left, more = step.missing_events, step.more
