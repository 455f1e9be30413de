"""Nobody gives away, or takes over, more than he holds. Superusers hold everything."""

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

from gateway.identity.principals import scopes_of_groups
from gateway.scopes import OPERATOR_SCOPES, SCOPES_OF_GROUP, SERVICE_SCOPES

ROLES = frozenset(SCOPES_OF_GROUP)


def held(user: User) -> frozenset[int]:
    """Ids of the permissions that a user has, or would have if he were active."""
    everything = Permission.objects.all()
    mine = everything if user.is_superuser else everything.filter(Q(group__user=user) | Q(user=user))
    return frozenset(mine.values_list("pk", flat=True))


def scopes(user: User) -> frozenset[str]:
    return scopes_of_groups(user.groups.values_list("name", flat=True), superuser=user.is_superuser)


def may_manage_user(manager: User, other: User) -> bool:
    """Whoever can set somebody's password can be that person, so he must hold all that the person holds."""
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
    """Rights of tokens. Those of services are no person's: who administers tokens gives them."""
    own = scopes(manager)
    return own | SERVICE_SCOPES if "tokens:admin" in own else own & OPERATOR_SCOPES
