"""manage.py list_tokens: the tokens, their kinds and their rights."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from gateway.checks.startup import OF_SETTINGS
from gateway.models import AccessToken
from vx11_client.terminal_text import shown

COLUMNS = ("public_id", "kind", "state", "name", "scopes", "modules", "expires_at")


class Command(BaseCommand):
    help = "List tokens by public id. Texts are not kept, so they cannot be shown."
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="Also those that are revoked or expired.")
        parser.add_argument("--json", action="store_true", help="One JSON object per line.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = AccessToken.objects.select_related("user").order_by("kind", "created_at")
        rows = [_row(token) for token in found]
        if not options["all"]:
            rows = [row for row in rows if row["state"] == "valid"]
        if options["json"]:
            for row in rows:
                self.stdout.write(json.dumps(row))
            return
        if not rows:
            self.stdout.write("No tokens. Make one: manage.py issue_token --kind principal --name NAME")
            return
        # People choose the names: a line end in one would look like a row of another token.
        rows = [{name: shown(value) for name, value in row.items()} for row in rows]
        widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in COLUMNS}
        for row in [{name: name for name in COLUMNS}, *rows]:
            self.stdout.write("  ".join(row[name].ljust(widths[name]) for name in COLUMNS).rstrip())


def _row(token: AccessToken) -> dict[str, str]:
    return {
        "public_id": token.public_id,
        "kind": token.kind,
        "state": token.state,
        "name": token.name,
        "scopes": ",".join(token.scopes),
        "modules": ",".join(token.modules) or token.module or "all",
        "expires_at": token.expires_at.strftime("%Y-%m-%d %H:%M") if token.expires_at else "never",
    }
