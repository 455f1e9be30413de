"""Ways in which a token loses rights, behind the back of a process."""

from datetime import timedelta

from django.utils import timezone

from gateway.models import AccessToken


def narrow(token: AccessToken) -> None:
    token.modules = ["switch"]
    token.save()


def revoke_elsewhere(token: AccessToken) -> None:
    AccessToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())


def expire(token: AccessToken) -> None:
    AccessToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
