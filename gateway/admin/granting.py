"""Which rights a person may give: only those that the person has. Superusers have all of them."""

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

from gateway.identity.principals import scopes_of_groups
from gateway.scopes import OPERATOR_SCOPES, SCOPES_OF_GROUP, SERVICE_SCOPES

ROLES = frozenset(SCOPES_OF_GROUP)


def held(user: User) -> frozenset[int]:
    """Ids of the permissions that a user has, or would have if the account were active."""
    everything = Permission.objects.all()
    mine = everything if user.is_superuser else everything.filter(Q(group__user=user) | Q(user=user))
    return frozenset(mine.values_list("pk", flat=True))


def scopes(user: User) -> frozenset[str]:
    return scopes_of_groups(user.groups.values_list("name", flat=True), superuser=user.is_superuser)


def may_manage_user(manager: User, other: User) -> bool:
    """Whether the manager has every right of the other: who can set a password can sign in as that person."""
    if manager.is_superuser:
        return True
    return not other.is_superuser and held(other) <= held(manager) and scopes(other) <= scopes(manager)


def may_grant_group(manager: User, group: Group) -> bool:
    if manager.is_superuser:
        return True
    given = frozenset(group.permissions.values_list("pk", flat=True))
    return given <= held(manager) and scopes_of_groups([group.name]) <= scopes(manager)


def grantable_groups(manager: User) -> QuerySet[Group]:
    groups = Group.objects.prefetch_related("permissions")
    return Group.objects.filter(pk__in=[group.pk for group in groups if may_grant_group(manager, group)])


def grantable_permissions(manager: User) -> QuerySet[Permission]:
    return Permission.objects.filter(pk__in=held(manager)).select_related("content_type")


def grantable_scopes(manager: User) -> frozenset[str]:
    """Scopes for tokens. No person has those of services; people who administer tokens may give them."""
    own = scopes(manager)
    return own | SERVICE_SCOPES if "tokens:admin" in own else own & OPERATOR_SCOPES
