"""manage.py revoke_tickets: revoke tickets that were issued and not used yet."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.checks.startup import OF_SETTINGS
from gateway.identity import revocation, tickets
from gateway.identity.actors import acting
from gateway.jobs.purge import Progress
from gateway.models import REASON_LENGTH
from gateway.shared_store import store
from ledger.faults import DATABASE_FAULTS

NAME = "manage.py revoke_tickets"


class Command(BaseCommand):
    help = (
        "Revoke tickets that are valid now: all, those of a principal, or some by their ids. Every process knows "
        "within two seconds. Streams that are open stay open: revoke_token ends those, and so does the admin."
    )
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="All tickets of all principals.")
        which.add_argument("--principal", metavar="ID", help="Those of this principal, e.g. p-3f9a0c12de or u-1.")
        which.add_argument("--ticket", metavar="ID", action="append", help="This one, as the audit names it; repeat.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")
        parser.add_argument("--reason", default=NAME, help="Kept in the audit.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            live = revocation.live_tickets(principal_id=options["principal"] or "", ticket_ids=options["ticket"])
            unused = sum(not one.used for one in live)
            if unused and not options["yes"]:
                self._ask(unused)
            with acting(NAME):
                self._revoke(live, options["reason"][:REASON_LENGTH])
        except DATABASE_FAULTS as error:
            raise CommandError(f"The database failed ({type(error).__name__}). Run this again to go on.") from None
        self.stdout.write(f"{unused} tickets are revoked. Streams that are open stay open.")
        if live:
            self._clear_store({one.ticket_id for one in live})

    def _ask(self, count: int) -> None:
        self.stdout.write(
            f"This revokes {count} tickets; their holders get new ones by themselves. Go on? [y/N] ", ending=""
        )
        self.stdout.flush()
        try:
            sure = input().strip().lower() in ("y", "yes")
        except EOFError:
            sure = False
        if not sure:
            raise CommandError("Nothing was revoked. Use --yes where there is no terminal to ask.")

    def _revoke(self, live: list[revocation.Live], because: str) -> None:
        progress = Progress(self.stdout, {"tickets": len(live)}, done="revoked")
        before = 0
        for so_far in revocation.revoke(live, because=because):
            progress.add("tickets", so_far - before)
            before = so_far
        progress.end()

    def _clear_store(self, ticket_ids: set[str]) -> None:
        """Remove them from Redis. They are refused already; this only frees memory."""
        try:
            removed = tickets.remove(ticket_ids)
        except store.FAULTS as error:
            self.stderr.write(
                f"Redis does not answer ({type(error).__name__}): it forgets them when their time is over."
            )
            return
        if removed:
            self.stdout.write(f"{removed} of them were taken out of Redis.")
