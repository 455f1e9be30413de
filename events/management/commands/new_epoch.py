"""manage.py new_epoch: a step of every restore; cursors given out before it are unknown from then on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from events import log
from events.log import begin_new_epoch
from gateway.checks.startup import OF_SETTINGS
from gateway.identity import revival
from vx11_client.terminal_text import shown


class Command(BaseCommand):
    help = (
        "Start a new epoch of the log. Do this after restoring the database: clients then refetch their state "
        "(stream-reset) instead of silently missing events. Sessions and tickets end, because those that were ended "
        "after the copy was made would live again."
    )
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        revival.add_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        before = log.head()
        after = begin_new_epoch()
        self.stdout.write(
            f"The log's epoch was {shown(before.epoch)} and is now {after.epoch}; it goes on after {after.newest}."
        )
        for line in revival.report(keep_sessions=options["keep_sessions"]):
            self.stdout.write(line)
