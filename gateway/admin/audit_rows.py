"""Admin pages of the audit: read, search, export as CSV. Nothing there can be changed."""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, Q, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from gateway.admin.audited import ReadOnlyAdmin, to_the_second
from gateway.admin.csv_export import ExportAdmin
from gateway.admin.list_filters import ActionFilter, ActorFilter, ReasonFilter, WhenFilter
from gateway.admin.searching import SearchingAdmin
from gateway.models import TokenAudit

# Permissions for the pages with the history of a ticket or principal: they read both tables.
LIFE_PERMISSIONS = ("gateway.view_tokenaudit", "events.view_streamsession")


def with_links(rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
    """The rows, annotated with whether this reader may open history pages: no link leads to a refusal."""
    allowed = request.user.has_perms(LIFE_PERMISSIONS)
    details: QuerySet[Any] = rows.annotate(has_links=Value(allowed, output_field=BooleanField()))
    return details


def ticket_link(ticket_id: str, *, linked: bool) -> str:
    """A link to the ticket's history; plain text unless `linked`."""
    if not linked:
        return ticket_id
    return ticket_id and format_html('<a href="{}">{}</a>', reverse("ticket_history", args=[ticket_id]), ticket_id)


def principal_link(public_id: str, name: str, *, linked: bool) -> str:
    """A link to what the principal did lately; plain text unless `linked`."""
    if not public_id or not linked:
        return f"{public_id} {name}".strip()
    return format_html('<a href="{}">{}</a> {}', reverse("principal_history", args=[public_id]), public_id, name)


@admin.register(TokenAudit)
class TokenAuditAdmin(ReadOnlyAdmin, ExportAdmin, SearchingAdmin):
    list_display = (
        "when",
        "action",
        "details",
        "ticket",
        "principal",
        "address",
        "actor",
    )
    list_filter = (WhenFilter, ("action", ActionFilter), ReasonFilter, ActorFilter)
    search_fields = ("ticket_id",)
    at_field, stream_field = "at", "stream_id"
    ids_fields, names_fields = ("correlation_id",), ("principal_name", "actor")
    search_help_text = "In full: a ticket's or token's public id, stream id, correlation id, address, name or actor."
    export_fields = (
        "at",
        "action",
        "actor",
        "ticket_id",
        "principal_id",
        "principal_name",
        "reason",
        "count",
        "address",
        "correlation_id",
        "stream_id",
        "id",
    )
    fields = ("when", "action", "actor", "ticket", "principal", "reason", "count", "address") + (
        "correlation_id",
        "stream_id",
    )
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[TokenAudit]:
        return with_links(super().get_queryset(request), request)

    def of_stream(self, stream_id: str) -> Q:
        # Repeats the condition of the partial index exactly: SQLite uses a partial index only then.
        return super().of_stream(stream_id) & Q(stream_id__gt="")

    @admin.display(description="at (UTC)", ordering="at")
    def when(self, row: TokenAudit) -> str:
        return to_the_second(row.at)

    @admin.display(description="ticket", ordering="ticket_id")
    def ticket(self, row: TokenAudit) -> str:
        return ticket_link(row.ticket_id, linked=row.has_links)  # type: ignore[attr-defined]  # see get_queryset

    @admin.display(description="principal")
    def principal(self, row: TokenAudit) -> str:
        return principal_link(row.principal_id, row.principal_name, linked=row.has_links)  # type: ignore[attr-defined]  # as above

    @admin.display(description="reason")
    def details(self, row: TokenAudit) -> str:
        return f"{row.reason} ({row.count} times)" if row.count > 1 else row.reason
