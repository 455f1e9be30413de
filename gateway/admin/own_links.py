"""Query parameters of the admin: only those that the admin's own links use. Anything else is 400.

Django's lists accept any look-up of any field in their URL (`?summary__regex=...`, `?created_at__year=99999`). With the
right to view a list, that is enough to guess columns that are not shown, and to keep the database busy for good.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_FACETS_VAR, IS_POPUP_VAR, TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict

# Longer than any name, id or address that a list shows; to find a summary, its first words are enough.
SEARCH_LIMIT_CHARACTERS = 200
# Each word is one more condition for each column that is searched.
SEARCH_LIMIT_WORDS = 10
# Of one value of a URL: a name of 150 characters fits, and so do the filters of a list, which a form's URL repeats.
VALUE_LIMIT_CHARACTERS = 4_000
# The parameter by which a form knows the list that its reader comes from.
LIST_VAR = "_changelist_filters"
FORM_VARS = frozenset({LIST_VAR, IS_POPUP_VAR, TO_FIELD_VAR})
_PAGE = re.compile(r"[1-9][0-9]{0,5}")
_COLUMN = re.compile(r"-?(?P<place>0|[1-9][0-9]?)")


class OwnLinksList(ChangeList):
    """A list that compares the parameters of its filters with the links that these filters offer."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Runs before any query for rows of the list. Raises BadRequest."""
        self._check_order(self.params.get(ORDER_VAR, ""))
        found = super().get_filters(request)
        specs, _, strange, *_ = found
        if strange:
            raise BadRequest("a look-up that no link makes")
        for spec in specs:
            self._check_filter(spec)
        offered = {name for spec in specs for name in spec.expected_parameters()}
        if set(self.get_filters_params()) - offered:
            raise BadRequest("a filter that offers nothing")
        return found

    def _check_filter(self, spec: Any) -> None:
        wanted = {name: self.params[name] for name in spec.expected_parameters() if name in self.params}
        links = [QueryDict(choice["query_string"].removeprefix("?")) for choice in spec.choices(self) if wanted]
        for name, value in wanted.items():
            if not any(link.getlist(name) == [value] for link in links):
                raise BadRequest("a value that the filter does not offer")

    def _check_order(self, text: str) -> None:
        """Columns by position, each once, as in "2.-1"; empty is the list's own order. Raises BadRequest."""
        places = []
        for part in text.split(".") if text else ():
            column = _COLUMN.fullmatch(part)
            place = int(column["place"]) if column else -1
            if not 0 <= place < len(self.list_display) or place in places or not self._is_sortable(place):
                raise BadRequest("an order that no link makes")
            places.append(place)

    def _is_sortable(self, place: int) -> bool:
        name = self.list_display[place]
        allowed = self.sortable_by is None or name in self.sortable_by
        return allowed and self.get_ordering_field(name) is not None


class OwnLinksAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Pages that accept only parameters that their own links have."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OwnLinksList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Raises BadRequest where Django would redirect to the list without its filters."""
        self._check_list(_single_values(request))
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise BadRequest from None

    def _check_list(self, query: Mapping[str, str]) -> None:
        """Checks the parameters that belong to no filter; those of filters are known only when these exist."""
        if set(query) & (FORM_VARS | {IS_FACETS_VAR, ERROR_FLAG}):
            raise BadRequest("a parameter that no list has")
        if query.get(ALL_VAR, "") or (PAGE_VAR in query and not _PAGE.fullmatch(query[PAGE_VAR])):
            raise BadRequest("a page that no link leads to")
        if SEARCH_VAR in query:
            text = query[SEARCH_VAR]
            if not self.search_fields or len(text) > SEARCH_LIMIT_CHARACTERS or len(text.split()) > SEARCH_LIMIT_WORDS:
                raise BadRequest("a search that is not there, or too long")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Always true: OwnLinksList checks more strictly, once the filters exist."""
        return True

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        """Raises ValidationError (400) for a key that no row can have."""
        key = self.opts.pk
        for text in request.POST.getlist(ACTION_CHECKBOX_NAME):
            key.run_validators(key.to_python(text))
        return super().response_action(request, queryset, *args)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_form(request)
        return super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_form(request)
        return super().delete_view(request, *args, **kwargs)

    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        query = _single_values(request)
        if set(query) - {PAGE_VAR, LIST_VAR} or not _PAGE.fullmatch(query.get(PAGE_VAR, "1")):
            raise BadRequest("a parameter that no history has")
        return super().history_view(request, *args, **kwargs)


def check_form(request: HttpRequest) -> None:
    """Refuses URLs with values for a form: a link could fill it in for its reader. Raises BadRequest."""
    query = _single_values(request)
    if set(query) - FORM_VARS or query.get(IS_POPUP_VAR, "1") != "1":
        raise BadRequest("a parameter that no form has")


def _single_values(request: HttpRequest) -> dict[str, str]:
    """The query with one value for each name. Raises BadRequest for a repeated parameter and for one that is too
    long.
    """
    query = dict(request.GET.lists())
    if any(len(values) > 1 or len(values[0]) > VALUE_LIMIT_CHARACTERS for values in query.values()):
        raise BadRequest("a parameter twice, or too long")
    return {name: values[0] for name, values in query.items()}


def no_autocomplete(request: HttpRequest) -> HttpResponse:
    """Replaces Django's endpoint for autocompletion: no form here uses it."""
    raise BadRequest("no field completes what is typed")


admin.site.autocomplete_view = no_autocomplete  # type: ignore[method-assign]  # the site asks itself for its pages
