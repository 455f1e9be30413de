"""Admin pages of webhooks: how each is signed, its expressions, and a preview of the event that a body would become."""

from collections.abc import Iterable
from typing import Any

import orjson
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from gateway.admin import AuditedAdmin
from gateway.admin.granting import grantable_scopes
from gateway.filters import is_module_name
from gateway.http.bodies import BODY_LIMIT_BYTES
from gateway.http.errors import ApiError
from receivers import known_webhooks
from receivers.intake import Sender
from receivers.models import MAPPED, WEBHOOKS_LIMIT, Webhook
from receivers.webhooks import requests, signatures
from receivers.webhooks.expressions import BadExpression, compiled

# Of a preview: lines of headers, and a body that fits into a form.
HEADERS_CHARACTERS_MAX = 4_000
SAMPLE_HEADERS = {signatures.GITHUB: "X-GitHub-Event: push\nX-GitHub-Delivery: 1"}
JSON_TYPE = "application/json"


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    new_secret = forms.CharField(
        required=False,
        max_length=signatures.SECRET_CHARACTERS_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "size": 60}),
        help_text="As the sender has it. Stored encrypted and never shown. Empty: as it is.",
    )

    def clean_own_module(self) -> str:
        name: str = self.cleaned_data["own_module"]
        if name and not is_module_name(name):
            raise forms.ValidationError("1 to 64 of A-Z a-z 0-9 . _ -")
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in MAPPED:
            try:
                if text := cleaned.get(name, "").strip():
                    compiled(text)
            except BadExpression as wrong:
                self.add_error(name, str(wrong))
        way, secret = cleaned.get("signature", ""), cleaned.get("new_secret", "").strip()
        try:
            if secret:
                signatures.check_secret(way, secret)
        except ValueError as wrong:
            self.add_error("new_secret", str(wrong))
        # A secret of another way may have another form.
        has_one = self.instance.secret and "signature" not in self.changed_data
        if way in signatures.SIGNED and not secret and not has_one:
            self.add_error("new_secret", "Without a secret nothing could be taken.")
        return cleaned | {"new_secret": secret}


class PreviewForm(forms.Form):
    content_type = forms.CharField(initial=JSON_TYPE, max_length=200)
    headers = forms.CharField(
        required=False,
        max_length=HEADERS_CHARACTERS_MAX,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 80}),
        help_text="Name: value, one on each line.",
    )
    body = forms.CharField(
        max_length=BODY_LIMIT_BYTES, strip=False, widget=forms.Textarea(attrs={"rows": 16, "cols": 80})
    )

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """As a request brings them."""
        pairs = (line.partition(":") for line in self.cleaned_data["headers"].splitlines())
        return [
            (name.strip().lower().encode(), value.strip().encode("latin-1", errors="replace"))
            for name, colon, value in pairs
            if colon
        ]


@admin.register(Webhook)
class WebhookAdmin(AuditedAdmin):
    form = WebhookForm
    list_display = ("name", "address", "signature", "enabled", "own_module")
    list_filter = ("signature", "enabled")
    search_fields = ("name",)
    fields = ("name", "address", "preview", "signature", "new_secret", "masked", "enabled", "own_module", *MAPPED)
    readonly_fields = ("address", "preview", "masked")

    def has_add_permission(self, request: HttpRequest) -> bool:
        has_room = Webhook.objects.count() < WEBHOOKS_LIMIT
        return has_room and super().has_add_permission(request) and _may_grant(request)

    def has_change_permission(self, request: HttpRequest, obj: Webhook | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_grant(request)

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        if secret := form.cleaned_data["new_secret"]:
            obj.secret = known_webhooks.encrypted(secret)
        elif obj.signature == signatures.TOKEN:
            obj.secret = ""
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        return [path("<int:pk>/preview/", view, name="receivers_webhook_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What event a body would become. Nothing is stored, and no signature is needed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = Webhook.objects.filter(pk=pk).first()
        if row is None:
            raise Http404
        form = PreviewForm(request.POST or None, initial={"headers": SAMPLE_HEADERS.get(row.signature, "")})
        shown = preview_of(row, form) if form.is_valid() else {}
        context = {
            **self.admin_site.each_context(request),
            "title": f"Preview of {row.name}",
            "opts": self.opts,
            "webhook": row,
            "form": form,
            **shown,
        }
        return TemplateResponse(request, "admin/receivers/webhook/preview.html", context)

    @admin.display(description="address")
    def address(self, row: Webhook) -> str:
        return f"/operator/api/ingest/webhook/{row.name}" if row.name else "-"

    @admin.display(description="preview")
    def preview(self, row: Webhook) -> str:
        # A form for a new one has no row yet.
        if not row.pk:
            return "-"
        address = reverse("admin:receivers_webhook_preview", args=[row.pk])
        return format_html('<a href="{}">{}</a>', address, "Which event would a body become?")

    @admin.display(description="secret")
    def masked(self, row: Webhook) -> str:
        return "***" if row.secret else "-"


def _may_grant(request: HttpRequest) -> bool:
    """Who makes an address through which others publish must be able to give the right to publish."""
    return "events:publish" in grantable_scopes(request.user)  # type: ignore[arg-type]  # is signed in


def preview_of(row: Webhook, form: PreviewForm) -> dict[str, Any]:
    """The event as JSON, or what is wrong, as the sender would be told."""
    hook = known_webhooks.hook_of(row)
    sender = Sender(known_webhooks.principal_of(hook), "preview")
    given, raw = form.cleaned_data, form.raw_headers()
    # Browsers send the lines of a text with carriage returns.
    body = given["body"].replace("\r\n", "\n").encode("utf-8", errors="surrogatepass")
    try:
        received = requests.read_delivery(body, given["content_type"], raw, hook, sender)
    except ApiError as refusal:
        return {"refusal": refusal.title, "status": refusal.status, "problems": list(_problems(refusal))}
    [event] = received.events
    fields = {
        "event_type": event.event_type,
        "summary": event.summary,
        "severity": event.severity,
        "module": event.module,
        "event_id": event.event_id,
        "occurred_at": event.occurred_at,
        "payload": orjson.Fragment(event.payload),
    }
    packed = orjson.dumps(fields, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)
    return {"event": orjson.dumps(orjson.loads(packed), option=orjson.OPT_INDENT_2).decode()}


def _problems(refusal: ApiError) -> Iterable[str]:
    for field, problems in (refusal.errors or {}).items():
        yield f"{field}: {', '.join(map(str, problems))}"
