"""Filters of long lists. Each has a few fixed choices, so that the table is not read to find them.

Rare rows among very many have a partial index. The query repeats its condition exactly: SQLite uses a partial index
only then.
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

# Refusals with these statuses are in the audit; the others are mistakes in a request, and are not recorded.
REFUSING_STATUSES = frozenset({401, 403, 429})
# There are as many of these rows as tickets.
COMMON_ACTIONS = frozenset({TokenAudit.Action.TICKET_ISSUED.value, TokenAudit.Action.TICKET_REDEEMED.value})
PEOPLE_LIMIT = 50
SPANS = {"1h": ("Last hour", 1), "24h": ("Last 24 hours", 24), "7d": ("Last 7 days", 168), "30d": ("Last 30 days", 720)}


class WhenFilter(admin.SimpleListFilter):
    """The last hour, day, week or month of `field`."""

    title = "time"
    parameter_name = "when"
    field = "at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        if self.value() not in SPANS:
            raise IncorrectLookupParameters
        begins = clock.now() - timedelta(hours=SPANS[str(self.value())][1])
        return queryset.filter(**{f"{self.field}__gte": begins})


class ChosenFilter(admin.SimpleListFilter):
    """Always offers the value that the address names: Django ignores a filter that has no choices."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        chosen = self.value()
        if chosen and chosen not in {name for name, _ in self.lookup_choices}:
            self.lookup_choices.append((chosen, chosen))


class ActionFilter(admin.ChoicesFieldListFilter):
    """Filters by action, and uses the index of rare rows unless rows of tickets are among those asked for."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted: list[str] = self.used_parameters.get(self.lookup_kwarg, [])  # type: ignore[assignment]  # a list in 5.0
        if wanted and not set(wanted) & COMMON_ACTIONS:
            queryset = queryset.filter(IS_RARE)
        found = super().queryset(request, queryset)
        assert found is not None  # noqa: S101 - only a filter of our own may return None
        return found


class ReasonFilter(admin.SimpleListFilter):
    """Refusals by the reason that the caller got; in the row, details follow it after a colon."""

    title = "refused because of"
    parameter_name = "refused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(reason, reason) for reason, (status, _) in REASONS.items() if status in REFUSING_STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        has_reason = Q(reason=self.value()) | Q(reason__startswith=f"{self.value()}:")
        return queryset.filter(has_reason, IS_RARE, action="refused")


class ActorFilter(ChosenFilter):
    """Rows of actions of one person, of any person, or of commands."""

    title = "who did it"
    parameter_name = "actor"
    ANY_ACTOR, COMMANDS = "*", "manage.py"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        staff = User.objects.filter(is_staff=True).order_by("username").values_list("username", flat=True)
        names = [(name, name) for name in staff[:PEOPLE_LIMIT]]
        return [(self.ANY_ACTOR, "Any person or command"), (self.COMMANDS, "Commands"), *names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case None:
                return queryset
            case self.ANY_ACTOR:
                return queryset.filter(actor__gt="")
            case self.COMMANDS:
                return queryset.filter(actor__startswith=self.COMMANDS, actor__gt="")
            case name:
                return queryset.filter(actor=name, actor__gt="")
