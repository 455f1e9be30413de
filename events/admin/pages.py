"""Admin pages of the log and its readers: events, processes, streams (which can be ended), a token's last doings."""

from typing import Any

import orjson
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events import log
from events.admin import ticket_history
from events.admin.open_streams import disconnect, live_nodes, open_streams
from events.admin.stream_filters import CreatedFilter, EndFilter, NodeFilter, OpenedFilter, PrincipalFilter, StateFilter
from events.admin.ticket_history import duration_text, selection_text
from events.log.tables import Event
from events.models import Node, StreamSession
from gateway.admin import AccessTokenAdmin, ReadOnlyAdmin
from gateway.admin.audit_rows import LIFE_PERMISSIONS, principal_link, ticket_link, with_links
from gateway.admin.audited import to_the_second
from gateway.admin.csv_export import ExportAdmin
from gateway.admin.searching import SearchingAdmin, is_uuid
from gateway.models import AccessToken
from vx11_client import exact_json

# Streams ended at a time: all in one transaction, which holds up every change of rights meanwhile. The page that asks
# first names each in its form, and a form has at most 1000 fields (DATA_UPLOAD_MAX_NUMBER_FIELDS).
DISCONNECT_LIMIT_STREAMS = 500


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("seq", "created", "severity", "module", "event_type", "summary")
    list_filter = ("severity", CreatedFilter)
    search_fields = ("=event_id", "=correlation_id", "=event_type", "=module", "summary")
    search_help_text = "An event id, correlation id, type or module in full, or a part of the summary."
    exclude = ("payload",)
    readonly_fields = ("readable_payload",)
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Event]:
        """What the log still holds: rows of pruned events may wait for their deletion."""
        rows: models.QuerySet[Event] = super().get_queryset(request)
        return rows.filter(seq__gte=log.head().oldest_seq)

    @admin.display(description="created (UTC)", ordering="created_at")
    def created(self, event: Event) -> str:
        return to_the_second(event.created_at)

    @admin.display(description="payload")
    def readable_payload(self, event: Event) -> SafeString:
        text = exact_json.dumps(exact_json.loads(event.payload), option=orjson.OPT_INDENT_2).decode()
        return format_html("<pre>{}</pre>", text)


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ("name", "started", "seen", "draining", "streams", "slow_readers", "held_bytes")

    @admin.display(description="started (UTC)", ordering="started_at")
    def started(self, node: Node) -> str:
        return to_the_second(node.started_at)

    @admin.display(description="last sign of life (UTC)", ordering="seen_at")
    def seen(self, node: Node) -> str:
        return to_the_second(node.seen_at)


@admin.register(StreamSession)
class StreamSessionAdmin(ReadOnlyAdmin, ExportAdmin, SearchingAdmin):
    list_display = (
        "opened",
        "lasted",
        "state",
        "principal",
        "ticket",
        "address",
        "events_sent",
    )
    list_filter = (StateFilter, OpenedFilter, NodeFilter, PrincipalFilter, EndFilter)
    search_fields = ("ticket_id",)
    search_help_text = "A stream id, a public id, an address, a correlation id or a name, in full."
    at_field, stream_field = "opened_at", "id"
    recent_ids_fields, names_fields = ("correlation_id",), ("principal_name",)
    actions = ("disconnect",)
    list_per_page = 50
    change_form_template = "admin/events/streamsession/change_form.html"
    fields = (
        "opened",
        "closed",
        "lasted",
        "state",
        "principal",
        "ticket",
        "address",
        "may_see",
        "cursor",
        "events_sent",
        "bytes_sent",
        "process",
        "correlation_id",
        "id",
    )
    readonly_fields = ("opened", "closed", "lasted", "state", "principal", "ticket", "may_see", "process")
    export_fields = (
        "opened_at",
        "closed_at",
        "end_reason",
        "principal_id",
        "principal_name",
        "ticket_id",
        "address",
        "selection",
        "cursor",
        "events_sent",
        "bytes_sent",
        "correlation_id",
        "node",
        "id",
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[StreamSession]:
        alive = models.Exists(live_nodes().filter(pk=models.OuterRef("node")))
        rows: models.QuerySet[StreamSession] = super().get_queryset(request)
        return with_links(rows.annotate(node_lives=alive), request)

    def has_disconnect_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.disconnect_stream")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        still_open = open_streams().filter(pk=object_id).exists() if is_uuid(object_id) else False
        context = {"can_disconnect": still_open and self.has_disconnect_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    @admin.action(description="Disconnect the selected streams", permissions=("disconnect",))
    def disconnect(self, request: HttpRequest, queryset: models.QuerySet[StreamSession]) -> HttpResponse | None:
        """Asks for confirmation, and explains how to keep a client from coming back."""
        chosen = open_streams().filter(pk__in=queryset.order_by().values("pk"))
        streams = list(chosen[:DISCONNECT_LIMIT_STREAMS])
        if not streams:
            self.message_user(request, "None of these streams is open any more.", messages.WARNING)
            return None
        if request.POST.get("confirmed") == "yes":
            count = disconnect(streams)
            ending = "1 stream ends" if count == 1 else f"{count} streams end"
            self.message_user(request, f"{ending} within two seconds.")
            return None
        ids = {stream.principal_id for stream in streams}
        context = {
            **self.admin_site.each_context(request),
            "title": "Disconnect",
            "opts": self.opts,
            "streams": streams,
            "others": chosen.count() - len(streams),
            "has_links": request.user.has_perms(LIFE_PERMISSIONS),
            "tokens": AccessToken.objects.filter(public_id__in=ids).order_by("name"),
            "users": sorted(public_id for public_id in ids if public_id.startswith("u-")),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/events/streamsession/disconnect.html", context)

    @admin.display(description="opened (UTC)", ordering="opened_at")
    def opened(self, stream: StreamSession) -> str:
        return to_the_second(stream.opened_at)

    @admin.display(description="closed (UTC)", ordering="closed_at")
    def closed(self, stream: StreamSession) -> str:
        return to_the_second(stream.closed_at)

    @admin.display(description="lasted")
    def lasted(self, stream: StreamSession) -> str:
        return duration_text(stream)

    @admin.display(description="state")
    def state(self, stream: StreamSession) -> str:
        if stream.closed_at is not None:
            return stream.end_reason or "closed"
        return "open" if stream.node_lives else "lost with its process"  # type: ignore[attr-defined]  # see get_queryset

    @admin.display(description="principal", ordering="principal_id")
    def principal(self, stream: StreamSession) -> str:
        return principal_link(stream.principal_id, stream.principal_name, linked=stream.has_links)  # type: ignore[attr-defined]  # as above

    @admin.display(description="ticket", ordering="ticket_id")
    def ticket(self, stream: StreamSession) -> str:
        return ticket_link(stream.ticket_id, linked=stream.has_links) or "none: token in a header"  # type: ignore[attr-defined]  # as above

    @admin.display(description="may see")
    def may_see(self, stream: StreamSession) -> str:
        return selection_text(stream)

    @admin.display(description="process")
    def process(self, stream: StreamSession) -> str:
        node = Node.objects.filter(pk=stream.node).first()
        return node.name if node else f"gone ({stream.node})"


admin.site.unregister(AccessToken)


@admin.register(AccessToken)
class ReadingTokenAdmin(AccessTokenAdmin):
    """A token's page, with what it did lately: streams are known here and not yet where tokens are."""

    change_form_template = "admin/gateway/accesstoken/change_form.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        token = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if token is not None and request.user.has_perms(LIFE_PERMISSIONS):
            context |= {"show_life": True, "life": ticket_history.of_principal_in_time(token.public_id)}
        if token is not None:
            context["can_revoke"] = token.revoked_at is None and self.has_change_permission(request, token)
        return super().change_view(request, object_id, form_url, context)
