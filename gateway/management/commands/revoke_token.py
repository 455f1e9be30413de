"""manage.py revoke_token: revoke tokens; their open streams end."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from gateway.checks.startup import OF_SETTINGS
from gateway.identity.actors import acting
from gateway.models import REASON_LENGTH, AccessToken, AccessTokenQuerySet
from vx11_client.terminal_text import shown


class Command(BaseCommand):
    help = "Revoke tokens by their public ids (see list_tokens). Every process knows within two seconds."
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("public_id", nargs="+", help="E.g. p-3f9a0c12de.")
        parser.add_argument("--reason", default="manage.py revoke_token", help="Kept with the token.")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        named = {public_id: AccessToken.objects.filter(public_id=public_id) for public_id in options["public_id"]}
        # All or none: every id is checked before the first token is revoked.
        for public_id, found in named.items():
            if not found.exists():
                raise CommandError(f"No token has the public id {shown(public_id)}. manage.py list_tokens shows them.")
        with acting("manage.py revoke_token"):
            for found in named.values():
                self._revoke(found, because=options["reason"][:REASON_LENGTH])

    def _revoke(self, found: AccessTokenQuerySet, *, because: str) -> None:
        token = found.get()
        if not found.revoke(because=because):
            self.stdout.write(f"{token.public_id} was revoked before, at {token.revoked_at:%Y-%m-%d %H:%M} UTC.")
            return
        self.stdout.write(f"{token.public_id} ({shown(token.name)}) is revoked.")
