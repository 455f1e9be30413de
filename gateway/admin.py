"""Admin pages of access: issue and revoke tokens, read the audit."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from gateway import tokens
from gateway.models import AccessToken, TokenAudit
from gateway.scopes import OPERATOR_SCOPES, SCOPES_OF_KIND, SERVICE_SCOPES

ALL_SCOPES = sorted(OPERATOR_SCOPES | SERVICE_SCOPES)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Rows that the program writes: to look at, to filter, never to change."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class AccessTokenForm(forms.ModelForm):  # type: ignore[type-arg]  # as above
    """Scopes as boxes to tick, modules as a comma list."""

    scopes = forms.MultipleChoiceField(
        choices=[(name, name) for name in ALL_SCOPES], widget=forms.CheckboxSelectMultiple
    )
    modules = forms.CharField(
        required=False, help_text="Principals: the modules it may see, separated by commas; empty means all."
    )

    class Meta:
        model = AccessToken
        fields = ("kind", "name", "scopes", "modules", "module", "user", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["modules"] = ", ".join(self.instance.modules)

    def clean_modules(self) -> list[str]:
        return sorted({name for item in self.cleaned_data["modules"].split(",") if (name := item.strip())})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind = cleaned.get("kind") or self.instance.kind
        strangers = set(cleaned.get("scopes", ())) - SCOPES_OF_KIND.get(kind, frozenset())
        if strangers:
            self.add_error("scopes", f"A {kind} token cannot have {', '.join(sorted(strangers))}.")
        if kind == AccessToken.Kind.PRINCIPAL and cleaned.get("module"):
            self.add_error("module", "Only service tokens publish for a module.")
        if kind == AccessToken.Kind.SERVICE and cleaned.get("modules"):
            self.add_error("modules", "Only principals are limited to modules they may see.")
        return cleaned


@admin.register(AccessToken)
class AccessTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # as above
    """Issue (the text is on the answering page, once), revoke, delete; each leaves an audit row."""

    form = AccessTokenForm
    list_display = ("public_id", "kind", "name", "state", "created_at", "expires_at", "source")
    list_filter = ("kind", "source", "revoked_at")
    search_fields = ("=public_id", "name")
    readonly_fields = ("public_id", "source", "created_at", "revoked_at", "revoked_because")
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: AccessToken | None = None) -> Any:
        return ("kind", *self.readonly_fields) if obj else ()

    @admin.display(description="state")
    def state(self, token: AccessToken) -> str:
        return token.state

    @admin.action(description="Revoke the selected tokens", permissions=("change",))
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[AccessToken]) -> None:
        # Named again by id: the page's queryset may be sliced or ordered in ways that update() does not take.
        chosen = AccessToken.objects.filter(pk__in=[token.pk for token in queryset])
        for token in chosen.filter(revoked_at=None):
            self._record(request, TokenAudit.Action.TOKEN_REVOKED, token, "revoked")
        count = chosen.revoke(because=f"admin: {request.user}")
        self.message_user(request, f"{count} tokens are revoked; their streams end within two seconds.")

    def save_model(self, request: HttpRequest, obj: AccessToken, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        if not change:
            text = tokens.mint(obj.kind)
            obj.public_id, obj.digest = tokens.new_public_id(obj.kind[0]), tokens.digest(text)
            # Only for the answer to this very request; nothing keeps the request.
            request.issued_text = text  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)
        action = TokenAudit.Action.TOKEN_CHANGED if change else TokenAudit.Action.TOKEN_ISSUED
        self._record(request, action, obj, "changed" if change else "issued")

    def response_add(
        self, request: HttpRequest, obj: AccessToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the text in this answer: a message or a redirect would have to store it somewhere."""
        context = {
            **self.admin_site.each_context(request),
            "title": "The token is issued",
            "opts": self.opts,
            "token": obj,
            "text": request.issued_text,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/gateway/accesstoken/issued.html", context)

    def delete_model(self, request: HttpRequest, obj: AccessToken) -> None:
        self._record(request, TokenAudit.Action.TOKEN_REVOKED, obj, "deleted")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[AccessToken]) -> None:
        for token in queryset:
            self._record(request, TokenAudit.Action.TOKEN_REVOKED, token, "deleted")
        super().delete_queryset(request, queryset)

    def _record(self, request: HttpRequest, action: str, token: AccessToken, done: str) -> None:
        row = TokenAudit.of_token(action, token, reason=f"{done} in admin by {request.user}")
        row.correlation_id = getattr(request, "correlation_id", "")
        row.save()


@admin.register(TokenAudit)
class TokenAuditAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "ticket_id", "principal_id", "principal_name", "reason", "count", "address")
    list_filter = ("action", "at")
    search_fields = ("=ticket_id", "=principal_id", "=correlation_id", "=address", "=stream_id")
    search_help_text = "A public id, an address, a stream id or a correlation id, in full."
    date_hierarchy = "at"
