"""The base of every admin page: every change made there is an audit row with the name of the person who made it."""

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse

from gateway.admin.own_links import OwnLinksAdmin
from gateway.http.authentication import caller_of
from gateway.identity.actors import acting
from gateway.models import REASON_LENGTH, TokenAudit

# Rows a list counts and pages through. To count all of a large table takes longer than a page may take.
COUNT_LIMIT_ROWS = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """Pages through the first COUNT_LIMIT_ROWS rows; a filter gives access to the others."""

    object_list: models.QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list[:COUNT_LIMIT_ROWS].count()


class AuditedAdmin(OwnLinksAdmin):
    """Pages whose every change is an audit row. `audit_changes = False`: the class writes more detailed rows itself."""

    audit_changes = True
    show_full_result_count = False
    # Facets, the counts beside the choices of a filter, would read the table once for each choice.
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        with acting_in(request):
            return super().changeform_view(request, object_id, form_url, extra_context)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        with acting_in(request):
            return super().changelist_view(request, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        with acting_in(request):
            return super().delete_view(request, object_id, extra_context)

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> LogEntry:
        self._audit("added", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> LogEntry:
        self._audit("changed", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> list[LogEntry]:
        for obj in queryset:
            self._audit("deleted", obj)
        return super().log_deletions(request, queryset)

    def _audit(self, verb: str, obj: models.Model, message: Any = None) -> None:
        if not self.audit_changes:
            return
        # Names of fields, never their values.
        details = LogEntry(change_message=json.dumps(message)).get_change_message() if isinstance(message, list) else ""
        reason = f"{verb} {obj._meta.verbose_name} {obj}. {details}".removesuffix(" ")
        TokenAudit(action=TokenAudit.Action.ADMIN_CHANGED, reason=reason[:REASON_LENGTH]).save()


class ReadOnlyAdmin(AuditedAdmin):
    """Rows that the program writes: people can read and filter them, and not change them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def to_the_second(moment: datetime | None) -> str:
    """A time as lists and pages show it: in UTC, so that it can be compared with log lines."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else "-"


def acting_in(request: HttpRequest) -> AbstractContextManager[None]:
    """Audit rows that are saved within this block name the user of this request."""
    caller = caller_of(request)
    return acting(request.user.get_username(), address=caller.address, correlation_id=caller.correlation_id)
