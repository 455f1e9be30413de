"""Filters of the admin's lists of events and streams: few choices, none found by reading a long table."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.http import HttpRequest

from events.admin.open_streams import is_open, is_over, live_nodes, open_streams
from gateway.admin.list_filters import ChosenFilter, WhenFilter
from gateway.admin.searching import is_uuid

# Nodes and principals that a filter offers.
CHOICES_LIMIT = 50
# Why streams end. Listed here, because the table is too long to select the distinct values from it.
END_REASONS = (
    "client_closed",
    "revoked",
    "expired",
    "rights_changed",
    "disconnected_by_admin",
    "max_age",
    "slow_consumer",
    "draining",
    "end_of_log",
    "node_lost",
    "unknown",
)


class CreatedFilter(WhenFilter):
    field = "created_at"


class OpenedFilter(WhenFilter):
    title = "opened"
    field = "opened_at"


class StateFilter(admin.SimpleListFilter):
    """Open streams, unless something else is asked for: a search covers all."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.searching = bool(request.GET.get("q"))
        return [("open", "Open"), ("closed", "Closed"), ("all", "All")]

    def value(self) -> str:
        return super().value() or ("all" if self.searching else "open")

    def choices(self, changelist: Any) -> Any:
        # Without the choice "All" that Django adds: it would be the second.
        for name, label in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: name})
            yield {"selected": self.value() == name, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        match self.value():
            case "open":
                return queryset.filter(is_open())
            case "closed":
                return queryset.filter(is_over())
            case "all":
                return queryset
        raise IncorrectLookupParameters


class NodeFilter(ChosenFilter):
    """A process that is gone is not offered, and still has the streams that it had."""

    title = "process"
    parameter_name = "node"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(node.pk), node.name) for node in live_nodes()[:CHOICES_LIMIT]]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        chosen = self.value()
        if not chosen:
            return queryset
        return queryset.filter(node=chosen) if is_uuid(chosen) else queryset.none()


class PrincipalFilter(ChosenFilter):
    """The principals that read most now; others are found by their public id."""

    title = "principal"
    parameter_name = "principal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        reading = open_streams().order_by().values_list("principal_id", "principal_name")
        busiest = reading.annotate(streams=models.Count("pk")).order_by("-streams")[:CHOICES_LIMIT]
        return [(public_id, f"{name or public_id} ({streams})") for public_id, name, streams in busiest]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return queryset.filter(principal_id=self.value()) if self.value() else queryset


class EndFilter(admin.SimpleListFilter):
    title = "end"
    parameter_name = "ended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(reason, reason) for reason in END_REASONS]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return queryset.filter(end_reason=self.value()) if self.value() else queryset
