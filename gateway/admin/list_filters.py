"""Filters of long lists: each has few choices that are known beforehand, so that none is found by reading the table.

What is rare among very many rows has an index of its own, whose condition the query repeats word for word: SQLite
uses no index whose condition it does not find again.
"""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from gateway.http.errors import REASONS
from gateway.models import IS_RARE, TokenAudit
from ledger import clock

# What a credential can be refused for; the rest is a mistake in a request and not on record.
REFUSING_STATUSES = frozenset({401, 403, 429})
# Of which there are as many as there are tickets.
COMMON_ACTIONS = frozenset({TokenAudit.Action.TICKET_ISSUED.value, TokenAudit.Action.TICKET_REDEEMED.value})
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
        if self.value() is None:
            return queryset
        if self.value() not in SPANS:
            raise IncorrectLookupParameters
        begins = clock.now() - timedelta(hours=SPANS[str(self.value())][1])
        return queryset.filter(**{f"{self.field}__gte": begins})


class ChosenFilter(admin.SimpleListFilter):
    """Always has a choice for what is asked for: Django passes over a filter without choices, whatever is asked."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        chosen = self.value()
        if chosen and chosen not in {name for name, _ in self.lookup_choices}:
            self.lookup_choices.append((chosen, chosen))


class ActionFilter(admin.ChoicesFieldListFilter):
    """Whatever is no ticket's is rare."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked: list[str] = self.used_parameters.get(self.lookup_kwarg, [])  # type: ignore[assignment]  # a list since 5.0
        if asked and not set(asked) & COMMON_ACTIONS:
            queryset = queryset.filter(IS_RARE)
        found = super().queryset(request, queryset)
        assert found is not None  # noqa: S101 - only filters written by hand may say nothing
        return found


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
        return queryset.filter(told, IS_RARE, action="refused")


class ActorFilter(ChosenFilter):
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
                return queryset.filter(actor__gt="")
            case self.COMMANDS:
                return queryset.filter(actor__startswith=self.COMMANDS, actor__gt="")
            case name:
                return queryset.filter(actor=name, actor__gt="")
