"""Which watches a person finds in the admin: the same as in the API, so that a page says no more than the console does.

The rows of a page decide about all of it: its list and count, a search, what an action or a deletion is about, the page
of one object and its history.
"""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from gateway.admin import AuditedAdmin
from gateway.identity.console_sessions import principal_id

# Auditors and administrators see what all people do, and so they see also their watches.
SEES_ALL = "gateway.view_tokenaudit"


class OwnedAdmin(AuditedAdmin):
    """Pages of rows that have an owner: own ones, shared ones, and all for those who read the audit."""

    # The way from a row to what is owned, such as "watch__".
    owned_by_way_of = ""
    can_be_shared = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if request.user.has_perm(SEES_ALL):
            return rows
        assert request.user.pk is not None  # noqa: S101 - the admin admits no others
        # People of the console see all modules, so each shared watch is one that they may see (`rights.may_see`).
        found = Q(**{f"{self.owned_by_way_of}owner_id": principal_id(request.user.pk)})
        return rows.filter(found | Q(**{f"{self.owned_by_way_of}shared": True}) if self.can_be_shared else found)
