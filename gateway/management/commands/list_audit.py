"""manage.py list_audit: the newest rows of the token audit, for a terminal."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.checks.startup import OF_SETTINGS
from gateway.models import TokenAudit
from vx11_client.terminal_text import shown

COLUMNS = ("at", "action", "count", "reason", "address", "principal_id", "ticket_id", "actor", "correlation_id")
DEFAULT_ROWS = 50
# Both databases read so many rows in well under a second.
ROWS_LIMIT = 10_000


class Command(BaseCommand):
    help = "List the newest rows of the token audit, oldest first. They hold public ids, never a token or a ticket."
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--action", choices=TokenAudit.Action.values, help="Only what was done so.")
        parser.add_argument("--reason", help="Only refusals whose reason begins with this, as token_in_query.")
        parser.add_argument("--principal", help="Only those of this public id.")
        parser.add_argument("--ticket", help="Only those of this ticket, by its public id.")
        parser.add_argument("--last", type=int, default=DEFAULT_ROWS, help=f"How many ({DEFAULT_ROWS}).")
        parser.add_argument("--json", action="store_true", help="One JSON object per line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        if not 1 <= options["last"] <= ROWS_LIMIT:
            raise CommandError(f"--last is between 1 and {ROWS_LIMIT}")
        rows = [_row(row) for row in reversed(_found(options)[: options["last"]])]
        if options["json"]:
            for row in rows:
                self.stdout.write(json.dumps(row))
            return
        if not rows:
            self.stdout.write("No such rows.")
            return
        # Names and reasons may come from callers: a line end in one would look like another row.
        texts = [{name: shown(str(value)) or "-" for name, value in row.items()} for row in rows]
        widths = {name: max(len(name), *(len(row[name]) for row in texts)) for name in COLUMNS}
        for row in [{name: name for name in COLUMNS}, *texts]:
            self.stdout.write("  ".join(row[name].ljust(widths[name]) for name in COLUMNS).rstrip())


def _found(options: dict[str, Any]) -> Any:
    found = TokenAudit.objects.order_by("-at")
    if options["reason"] and not options["action"]:
        # Only refusals have such a reason, and they have an index.
        found = found.filter(action=TokenAudit.Action.REFUSED)
    fields = {
        "action": options["action"],
        "reason__startswith": options["reason"],
        "principal_id": options["principal"],
        "ticket_id": options["ticket"],
    }
    return found.filter(**{name: value for name, value in fields.items() if value})


def _row(row: TokenAudit) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS} | {"at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}"}
