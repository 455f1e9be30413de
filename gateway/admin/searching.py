"""Search terms: which column can hold a term, so that the query uses the index of that column alone."""

import ipaddress
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from gateway.admin.audited import AuditedAdmin
from gateway.admin.list_filters import SPANS, WhenFilter
from ledger import clock

# Columns without an index are searched no further back than this, unless the time filter says how far.
SEARCH_DAYS = 7

_PRINCIPAL = re.compile(r"(?:[ps]-[0-9a-f]{4,30}|u-\d{1,19})", re.ASCII)
_TICKET = re.compile(r"t-[0-9a-f]{4,30}", re.ASCII)


def is_public_id(term: str) -> bool:
    return bool(_PRINCIPAL.fullmatch(term) or _TICKET.fullmatch(term))


def is_uuid(term: str) -> bool:
    try:
        return str(uuid.UUID(term)) == term.lower()
    except ValueError:
        return False


def addresses(term: str) -> set[str]:
    """The term and, if it is an address, its canonical form."""
    try:
        return {term, str(ipaddress.ip_address(term))}
    except ValueError:
        return {term}


class SearchingAdmin(AuditedAdmin):
    """A long list that can be searched by an id, an address or a name, in full.

    An id is searched in its own column, and then in the columns of ids that callers chose, which may have any form.
    Only a term that none of these holds is searched in columns without an index, and only in the rows of the last days.
    """

    at_field: str
    stream_field: str
    # Columns with ids that callers chose, and columns with names.
    ids_fields: tuple[str, ...] = ()
    recent_ids_fields: tuple[str, ...] = ()
    names_fields: tuple[str, ...] = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        for found in self._indexed(term):
            if self.model._default_manager.filter(found).exists():
                return queryset.filter(found), False
        recent = self._recent(term)
        if not recent:
            return queryset.none(), False
        if request.GET.get(WhenFilter.parameter_name) not in SPANS:
            # The page and the export mention this limit.
            request.searched_days = SEARCH_DAYS  # type: ignore[attr-defined]
            recent &= Q(**{f"{self.at_field}__gte": clock.now() - timedelta(days=SEARCH_DAYS)})
        return queryset.filter(recent), False

    def _indexed(self, term: str) -> Iterator[Q]:
        if _TICKET.fullmatch(term):
            yield Q(ticket_id=term)
        elif _PRINCIPAL.fullmatch(term):
            yield Q(principal_id=term)
        elif is_uuid(term):
            yield self.of_stream(term.lower())
        for field in self.ids_fields:
            yield Q(**{field: term})

    def of_stream(self, stream_id: str) -> Q:
        return Q(**{self.stream_field: stream_id})

    def _recent(self, term: str) -> Q:
        fields = self.recent_ids_fields
        if not is_public_id(term) and not is_uuid(term):
            fields += self.names_fields
        found = Q()
        for field in fields:
            found |= Q(**{field: term})
        return found | Q(address__in=addresses(term)) if fields != self.recent_ids_fields else found
