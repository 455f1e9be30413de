"""Admin pages of the audit: to read, to search, to take along as CSV. Nothing there can be changed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from gateway.admin.audited import ReadOnlyAdmin, to_the_second
from gateway.admin.csv_export import ExportAdmin
from gateway.admin.filters import ActorFilter, ReasonFilter, WhenFilter
from gateway.admin.searching import condition
from gateway.models import TokenAudit


def ticket_link(ticket_id: str) -> str:
    """To the ticket's life."""
    return ticket_id and format_html('<a href="{}">{}</a>', reverse("ticket_life", args=[ticket_id]), ticket_id)


def principal_link(public_id: str, name: str = "") -> str:
    """To what the principal did lately."""
    if not public_id:
        return name
    return format_html('<a href="{}">{}</a> {}', reverse("principal_life", args=[public_id]), public_id, name)


@admin.register(TokenAudit)
class TokenAuditAdmin(ReadOnlyAdmin, ExportAdmin):
    list_display = (
        "when",
        "action",
        "told",
        "ticket",
        "principal",
        "address",
        "actor",
    )
    list_filter = (WhenFilter, "action", ReasonFilter, ActorFilter)
    search_fields = ("ticket_id",)
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

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = condition(term, stream_field="stream_id", otherwise=("principal_name", "actor"))
        return queryset.filter(found), False

    @admin.display(description="at (UTC)", ordering="at")
    def when(self, row: TokenAudit) -> str:
        return to_the_second(row.at)

    @admin.display(description="ticket", ordering="ticket_id")
    def ticket(self, row: TokenAudit) -> str:
        return ticket_link(row.ticket_id)

    @admin.display(description="principal")
    def principal(self, row: TokenAudit) -> str:
        return principal_link(row.principal_id, row.principal_name)

    @admin.display(description="reason")
    def told(self, row: TokenAudit) -> str:
        return f"{row.reason} ({row.count} times)" if row.count > 1 else row.reason
