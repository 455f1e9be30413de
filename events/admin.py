"""Admin pages of the log and its readers: to look at, never to change."""

import json

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.models import Event, StreamSession
from gateway.admin import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("seq", "created_at", "severity", "module", "event_type", "summary")
    list_filter = ("severity", "module", "created_at")
    search_fields = ("=event_id", "=correlation_id", "=event_type", "=module", "summary")
    search_help_text = "An event id, correlation id, type or module in full, or a part of the summary."
    exclude = ("payload",)
    readonly_fields = ("readable_payload",)
    list_per_page = 50

    @admin.display(description="payload")
    def readable_payload(self, event: Event) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(json.loads(event.payload), indent=2, ensure_ascii=False))


@admin.register(StreamSession)
class StreamSessionAdmin(ReadOnlyAdmin):
    list_display = (
        "opened_at",
        "closed_at",
        "principal_id",
        "principal_name",
        "ticket_id",
        "address",
        "events_sent",
        "bytes_sent",
        "end_reason",
    )
    list_filter = ("end_reason", "opened_at", ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("=id", "=principal_id", "=ticket_id", "=address", "=correlation_id")
    search_help_text = "A stream id, a public id, an address or a correlation id, in full."
    date_hierarchy = "opened_at"
