"""Pages of the admin that follow one ticket, or one principal, through audit and streams."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from events import lives

# Both tables are read for these pages, so both may be seen by who sees them.
PERMISSIONS = ("gateway.view_tokenaudit", "events.view_streamsession")


@require_safe
@permission_required(PERMISSIONS, raise_exception=True)
def ticket_life(request: HttpRequest, ticket_id: str) -> HttpResponse:
    life = lives.of_ticket(ticket_id)
    if life is None:
        raise Http404
    return _page(request, "admin/events/ticket_life.html", f"Ticket {ticket_id}", life=life)


@require_safe
@permission_required(PERMISSIONS, raise_exception=True)
def principal_life(request: HttpRequest, public_id: str) -> HttpResponse:
    life = lives.of_principal(public_id)
    return _page(request, "admin/events/principal_life.html", f"Principal {public_id}", life=life)


def _page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})
