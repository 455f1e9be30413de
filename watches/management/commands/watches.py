"""manage.py watches: list watches, mute one, or say what one would have fired; also for those without a browser."""

import argparse
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.log import timestamp
from events.search import Budget
from gateway.durations import read_duration
from gateway.identity.principals import read_rights
from ledger import clock
from vx11_client.terminal_text import shown as printable
from watches import rights, store
from watches.evaluation.firings import moment
from watches.evaluation.rehearsal import rehearse
from watches.models import Watch
from watches.store import Muting, WatchActor

# A person waits for it, and nothing else of this process.
TEST_SECONDS = 30.0
TEST_ROWS = 5_000_000


class Command(BaseCommand):
    help = "List watches, mute one, or say what it would have fired in the last seven days."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="all watches, with their state")
        test = actions.add_parser("test", help="what it would have fired in the last seven days; sends nothing")
        test.add_argument("watch", type=int, help="its id")
        mute = actions.add_parser("mute", help="send no notices for a time; it fires all the same")
        mute.add_argument("watch", type=int, help="its id")
        mute.add_argument("--for", dest="duration", default="1h", metavar="TIME", help="such as 30m or 2d; 0 ends it")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["action"]:
            case "list":
                self._list()
            case "test":
                self._test(_found(options["watch"]))
            case "mute":
                self._mute(_found(options["watch"]), options["duration"])

    def _list(self) -> None:
        now = clock.ask()
        for watch in Watch.objects.all():
            self.stdout.write(
                f"{watch.pk}  {_state_of(watch, now)}  {printable(watch.name)}  of {printable(watch.owner_name)}  "
                f"{watch.rule.condition.describe()}  {printable(watch.query) or 'all events'}"
            )

    def _test(self, watch: Watch) -> None:
        try:
            selection = rights.selection_of(read_rights(None), watch.owner_id, watch.query)
        except rights.LostRight as lost:
            raise CommandError(f"it is not evaluated: {lost}") from None
        found = rehearse(watch.rule, selection, Budget(rows=TEST_ROWS, seconds=TEST_SECONDS))
        for at in found.at:
            self.stdout.write(timestamp(moment(at)))
        since = timestamp(moment(found.since))
        self.stdout.write(f"would have fired {found.would_fire} times since {since}, of {found.events} events")
        if not found.complete:
            self.stderr.write("not all of the last seven days was read")

    def _mute(self, watch: Watch, duration: str) -> None:
        until = None if duration == "0" else clock.ask() + _duration(duration)
        by = WatchActor("", "manage.py watches mute", is_administrator=True)
        (muted,) = store.mute_many([Muting(watch.pk, until, by)])
        if isinstance(muted, Exception):
            raise CommandError("the watch was deleted meanwhile")
        self.stdout.write(f"muted until {timestamp(until)}" if until else "not muted any more")


def _found(watch_id: int) -> Watch:
    watch = Watch.objects.filter(pk=watch_id).first()
    if watch is None:
        raise CommandError(f"there is no watch {watch_id}; manage.py watches list names all")
    return watch


def _duration(text: str) -> timedelta:
    duration = read_duration(text)
    if duration is None:
        raise CommandError("--for is a time such as 30m, 12h or 2d")
    return duration


def _state_of(watch: Watch, now: datetime) -> str:
    if watch.stopped_because:
        return f"stopped ({watch.stopped_because})"
    if watch.muted_until is not None and watch.muted_until > now:
        return f"muted until {timestamp(watch.muted_until)}"
    return "learning" if watch.learned_seq is not None else "active"
