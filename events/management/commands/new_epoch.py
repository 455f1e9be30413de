"""manage.py new_epoch: a step of every restore; readers are told that their cursors mean nothing any more."""

from typing import Any

from django.core.management.base import BaseCommand

from events import log
from events.restoring import begin_new_epoch
from gateway.checks import OF_SETTINGS
from gateway.terminal_text import shown


class Command(BaseCommand):
    help = (
        "Start a new epoch of the log. Do this after restoring the database: clients then refetch their state "
        "(stream-reset) instead of silently missing events."
    )
    requires_system_checks = OF_SETTINGS

    def handle(self, *args: Any, **options: Any) -> None:
        before = log.head()
        after = begin_new_epoch()
        self.stdout.write(
            f"The log's epoch was {shown(before.epoch)} and is now {after.epoch}; it goes on after {after.newest}."
        )
