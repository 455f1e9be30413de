"""Tokens of the environment: registered when a serving process starts, revoked when the environment no longer has
them.
"""

from django.conf import settings
from django.db import transaction

from gateway import tokens
from gateway.models import AccessToken
from gateway.scopes import SCOPES_OF_KIND
from ledger import clock

LEFT_ENVIRONMENT = "no longer in the environment"


def register() -> None:
    """Make the database agree with VX11_PRINCIPAL_TOKEN and VX11_SERVICE_TOKEN.

    A token that an administrator revoked stays revoked: only one that had left the environment becomes valid again.
    A backend does nothing here: it would revoke the tokens of its gateways, which its own environment does not have.
    """
    if settings.ROLE == "backend":
        return
    given = {"principal": settings.PRINCIPAL_TOKENS, "service": settings.SERVICE_TOKENS}
    kinds = {tokens.digest(text): kind for kind, texts in given.items() for text in texts}
    with transaction.atomic():
        for digest, kind in kinds.items():
            _register(kind, digest)
        valid = AccessToken.objects.filter(source=AccessToken.Source.ENVIRONMENT, revoked_at=None)
        gone = valid.exclude(digest__in=kinds)
        # A start that changes nothing must not make every other process read all rights again.
        if gone.exists():
            gone.update(revoked_at=clock.now(), revoked_because=LEFT_ENVIRONMENT)


def _register(kind: str, digest: str) -> None:
    """Create the token, or update it: it may have moved to the other variable, or be older than one of the scopes."""
    scopes = sorted(SCOPES_OF_KIND[kind])
    token = AccessToken.objects.filter(digest=digest).first()
    if token is None:
        AccessToken.objects.get_or_create(
            digest=digest,
            defaults={
                "kind": kind,
                "public_id": tokens.new_public_id(kind[0]),
                "name": f"environment {kind}",
                "scopes": scopes,
                "source": AccessToken.Source.ENVIRONMENT,
            },
        )
    elif token.source == AccessToken.Source.ENVIRONMENT:
        before = (token.kind, token.scopes, token.revoked_because)
        token.kind, token.scopes = kind, scopes
        if token.revoked_because == LEFT_ENVIRONMENT:
            token.revoked_at, token.revoked_because = None, ""
        if before != (token.kind, token.scopes, token.revoked_because):
            token.save()
