"""Filters of long lists: each has few choices that are known beforehand, so that none is found by reading the table."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gateway.errors import REASONS

# What a credential can be refused for; the rest is a mistake in a request and not on record.
REFUSING_STATUSES = frozenset({401, 403, 429})
PEOPLE_LIMIT = 50
SPANS = {"1h": ("Last hour", 1), "24h": ("Last 24 hours", 24), "7d": ("Last 7 days", 168), "30d": ("Last 30 days", 720)}


class WhenFilter(admin.SimpleListFilter):
    """The last hour, day, week or month of `field`."""

    title = "time"
    parameter_name = "when"
    field = "at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, words) for name, (words, _) in SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in SPANS:
            return queryset
        begins = timezone.now() - timedelta(hours=SPANS[str(self.value())][1])
        return queryset.filter(**{f"{self.field}__gte": begins})


class ReasonFilter(admin.SimpleListFilter):
    """Refusals by what the caller was told; the row says more behind a colon."""

    title = "refused because of"
    parameter_name = "refused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(reason, reason) for reason, (status, _) in REASONS.items() if status in REFUSING_STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        told = Q(reason=self.value()) | Q(reason__startswith=f"{self.value()}:")
        return queryset.filter(told, action="refused")


class ActorFilter(admin.SimpleListFilter):
    """What a person did, or a command."""

    title = "who did it"
    parameter_name = "actor"
    ANYBODY, COMMANDS = "*", "manage.py"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        staff = User.objects.filter(is_staff=True).order_by("username").values_list("username", flat=True)
        names = [(name, name) for name in staff[:PEOPLE_LIMIT]]
        return [(self.ANYBODY, "Any person or command"), (self.COMMANDS, "Commands"), *names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case None:
                return queryset
            case self.ANYBODY:
                return queryset.exclude(actor="")
            case self.COMMANDS:
                return queryset.filter(actor__startswith=self.COMMANDS)
            case name:
                return queryset.filter(actor=name)
