"""Pages of the admin that follow one ticket, or one principal, through audit and streams."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from events.admin import ticket_history
from gateway.admin.audit_rows import LIFE_PERMISSIONS
from gateway.models import AccessToken


@require_safe
@permission_required(LIFE_PERMISSIONS, raise_exception=True)
def ticket_page(request: HttpRequest, ticket_id: str) -> HttpResponse:
    try:
        life = ticket_history.in_time(lambda: ticket_history.of_ticket(ticket_id))
    except ticket_history.Unreadable:
        return _page(request, "admin/events/unreadable_ticket.html", f"Ticket {ticket_id}", ticket_id=ticket_id)
    if life is None:
        raise Http404
    return _page(request, "admin/events/ticket_history.html", f"Ticket {ticket_id}", life=life)


@require_safe
@permission_required(LIFE_PERMISSIONS, raise_exception=True)
def principal_page(request: HttpRequest, public_id: str) -> HttpResponse:
    token = AccessToken.objects.select_related("user").filter(public_id=public_id).first()
    context = {"token": token, "show_life": True, "life": ticket_history.of_principal_in_time(public_id)}
    return _page(request, "admin/events/principal_history.html", f"Principal {public_id}", **context)


def _page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})
