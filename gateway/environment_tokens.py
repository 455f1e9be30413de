"""Tokens given by environment: registered when a serving process starts, disabled when they are gone from there."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway import tokens
from gateway.models import AccessToken
from gateway.scopes import SCOPES_OF_KIND

LEFT_ENVIRONMENT = "no longer in the environment"


def register() -> None:
    """Make the database agree with VX11_PRINCIPAL_TOKEN and VX11_SERVICE_TOKEN.

    A token that an administrator revoked stays revoked: only one that had left the environment comes back.
    """
    given = {"principal": settings.PRINCIPAL_TOKENS, "service": settings.SERVICE_TOKENS}
    with transaction.atomic():
        for kind, texts in given.items():
            digests = [tokens.digest(text) for text in texts]
            for digest in digests:
                _register(kind, digest)
            gone = AccessToken.objects.filter(kind=kind, source=AccessToken.Source.ENVIRONMENT, revoked_at=None)
            gone.exclude(digest__in=digests).update(revoked_at=timezone.now(), revoked_because=LEFT_ENVIRONMENT)


def _register(kind: str, digest: str) -> None:
    token = AccessToken.objects.filter(digest=digest).first()
    if token is None:
        AccessToken.objects.get_or_create(
            digest=digest,
            defaults={
                "kind": kind,
                "public_id": tokens.new_public_id(kind[0]),
                "name": f"environment {kind}",
                "scopes": sorted(SCOPES_OF_KIND[kind]),
                "source": AccessToken.Source.ENVIRONMENT,
            },
        )
    elif token.revoked_because == LEFT_ENVIRONMENT:
        token.revoked_at, token.revoked_because = None, ""
        token.save()
