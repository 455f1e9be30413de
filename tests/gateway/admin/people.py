"""People in front of the admin, and what they find there."""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils.crypto import get_random_string

from gateway.models import TokenAudit
from tests.gateway.samples import create_user


def staff(*roles: str, permissions: Iterable[str] = (), superuser: bool = False, name: str = "") -> User:
    """Somebody whom the admin lets in; `permissions` by codename, besides those of the roles."""
    user = create_user(name or f"staff-{get_random_string(8)}")
    user.is_staff, user.is_superuser = True, superuser
    user.save()
    user.groups.set(Group.objects.filter(name__in=roles))
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def rows(*actions: str) -> list[TokenAudit]:
    """The audit rows of these kinds, oldest first."""
    return list(TokenAudit.objects.filter(action__in=actions).order_by("at"))
