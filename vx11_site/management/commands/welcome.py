"""manage.py welcome: creates a first user and first tokens, and prints them."""

import secrets
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand
from django.db import transaction

from gateway.checks.startup import OF_SETTINGS
from gateway.identity.actors import acting
from gateway.models import AccessToken, TokenAudit
from gateway.scopes import DEFAULT_SCOPES
from vx11_site.installation import MANAGE

DEMO_USER = "operator"
NEW_ONES = f"""\
More tokens:      {MANAGE} issue_token --kind principal --name "my client"
                  {MANAGE} issue_token --kind service --name "my module" --module my_module
A new password:   {MANAGE} changepassword operator
All tokens:       {MANAGE} list_tokens
"""


class Command(BaseCommand):
    help = "On the first start: create a console user, a principal and a service token, and print them once."
    requires_system_checks = OF_SETTINGS

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exists() or AccessToken.objects.exists():
            self.stdout.write(NEW_ONES)
            return
        password = secrets.token_urlsafe(12)
        user = User.objects.create_superuser(DEMO_USER, password=password)
        user.groups.add(Group.objects.get_or_create(name="administrator")[0])
        with acting("manage.py welcome"):
            principal = self._issue("principal", "first client")
            service = self._issue("service", "first module")
        self.stdout.write(
            "This is shown once; the tokens are stored only as digests.\n\n"
            f"Console user:     {DEMO_USER}\n"
            f"Password:         {password}\n"
            f"Principal token:  {principal}   (reads: VX11_PRINCIPAL_TOKEN of tail_events and curl)\n"
            f"Service token:    {service}   (publishes: VX11_SERVICE_TOKEN of publish_events)\n\n"
            f"{NEW_ONES}"
        )

    def _issue(self, kind: str, name: str) -> str:
        token, text = AccessToken.issue(kind, name, scopes=DEFAULT_SCOPES[kind])
        TokenAudit.of_token(TokenAudit.Action.TOKEN_ISSUED, token, reason="issued").save()
        return text
