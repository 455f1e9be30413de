"""manage.py issue_token: a new principal or service token, shown once."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from gateway.checks.startup import OF_SETTINGS
from gateway.durations import read_duration
from gateway.filters import MODULE_RULE, is_module_name
from gateway.identity.actors import acting
from gateway.models import AccessToken, TokenAudit
from gateway.scopes import DEFAULT_SCOPES, SCOPES_OF_KIND
from ledger import clock
from vx11_client.terminal_text import shown

NAME_LENGTH = 100


def duration(text: str) -> timedelta:
    chosen = read_duration(text)
    if chosen is None:
        raise ArgumentTypeError(f"{text!r} is not a duration; use a number and s, m, h or d, e.g. 90d")
    return chosen


def module_name(text: str) -> str:
    if not is_module_name(text):
        raise ArgumentTypeError(f"{text!r} is no module; {MODULE_RULE}")
    return text


def token_name(text: str) -> str:
    if not 0 < len(text) <= NAME_LENGTH:
        raise ArgumentTypeError(f"a name has 1 to {NAME_LENGTH} characters")
    return text


class Command(BaseCommand):
    help = "Issue a token. Its text is printed now and never again; the database keeps a digest."
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kind", choices=sorted(SCOPES_OF_KIND), required=True, help="Who will use it.")
        parser.add_argument(
            "--name", type=token_name, required=True, help="What it is for; stands in lists and audit rows."
        )
        parser.add_argument(
            "--scope", action="append", default=[], metavar="SCOPE", help="A right; may repeat. Default: the usual."
        )
        parser.add_argument(
            "--module",
            type=module_name,
            action="append",
            default=[],
            help="Principal: a module it may see (may repeat; default all). Service: the one it publishes for.",
        )
        parser.add_argument("--expires-in", type=duration, metavar="DURATION", help="E.g. 12h or 90d. Default: never.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = options["kind"]
        scopes = frozenset(options["scope"]) or DEFAULT_SCOPES[kind]
        modules = frozenset(options["module"])
        if impossible := scopes - SCOPES_OF_KIND[kind]:
            possible = ", ".join(sorted(SCOPES_OF_KIND[kind]))
            raise CommandError(
                f"A {kind} token cannot have {shown(', '.join(sorted(impossible)))}. It may have: {possible}"
            )
        if kind == "service" and len(modules) > 1:
            raise CommandError("A service token belongs to one module; give --module once.")
        expires_at: datetime | None = options["expires_in"] and clock.now() + options["expires_in"]
        with acting("manage.py issue_token"), transaction.atomic():
            token, text = AccessToken.issue(
                kind,
                options["name"],
                scopes=scopes,
                modules=modules if kind == "principal" else frozenset(),
                module=next(iter(modules), "") if kind == "service" else "",
                expires_at=expires_at,
            )
            TokenAudit.of_token(TokenAudit.Action.TOKEN_ISSUED, token, reason="issued").save()
        self._print(token, text, as_json=options["json"])

    def _print(self, token: AccessToken, text: str, *, as_json: bool) -> None:
        fields = {
            "token": text,
            "public_id": token.public_id,
            "kind": token.kind,
            "name": token.name,
            "scopes": token.scopes,
            "modules": token.modules or ([token.module] if token.module else []),
            "expires_at": token.expires_at and token.expires_at.isoformat(),
        }
        if as_json:
            self.stdout.write(json.dumps(fields))
            return
        for name, value in fields.items():
            text_of_value = ", ".join(value) or "all" if isinstance(value, list) else value or "never"
            self.stdout.write(f"{name + ':':<12} {shown(text_of_value)}")
        self.stderr.write("The token is not shown again.")
