"""manage.py revoke_token: from now on these tokens are not valid; their open streams end."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from gateway.models import AccessToken, TokenAudit


class Command(BaseCommand):
    help = "Revoke tokens by their public ids (see list_tokens). Every process knows within two seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("public_id", nargs="+", help="E.g. p-3f9a0c12de.")
        parser.add_argument("--reason", default="manage.py revoke_token", help="Kept with the token.")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        for public_id in options["public_id"]:
            found = AccessToken.objects.filter(public_id=public_id)
            token = found.first()
            if token is None:
                raise CommandError(f"No token has the public id {public_id}. manage.py list_tokens shows them.")
            if not found.revoke(because=options["reason"]):
                self.stdout.write(f"{public_id} was revoked before, at {token.revoked_at:%Y-%m-%d %H:%M} UTC.")
                continue
            TokenAudit.of_token(TokenAudit.Action.TOKEN_REVOKED, token, reason=options["reason"]).save()
            self.stdout.write(f"{public_id} ({token.name}) is revoked.")
