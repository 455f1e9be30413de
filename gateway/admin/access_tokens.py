"""Admin pages of tokens: issue (the text is on the answering page, once), change, revoke, delete."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from gateway import tokens
from gateway.admin.audited import AuditedAdmin, to_the_second
from gateway.admin.granting import grantable_scopes
from gateway.filters import MODULE_RULE, is_module_name
from gateway.models import REASON_LENGTH, AccessToken, TokenAudit
from gateway.scopes import OPERATOR_SCOPES, SCOPES_OF_KIND, SERVICE_SCOPES
from ledger import clock

ALL_SCOPES = sorted(OPERATOR_SCOPES | SERVICE_SCOPES)


class AccessTokenForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """Scopes as boxes to tick, modules as a comma list."""

    # The scopes that the person who fills in the form may give.
    grantable: frozenset[str] = frozenset()

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
        """An empty field means all modules; a comma alone is refused, because it is more likely a mistake."""
        text = self.cleaned_data["modules"].strip()
        names = {item.strip() for item in text.split(",")} if text else set()
        for name in sorted(names):
            _check_module(name)
        return sorted(names)

    def clean_module(self) -> str:
        name: str = self.cleaned_data["module"]
        if name:
            _check_module(name)
        return name

    def clean_expires_at(self) -> datetime | None:
        """An existing token may be set to have expired; a new one must not, because that can only be a mistake."""
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and self.instance.pk is None and expires_at <= clock.now():
            raise forms.ValidationError("This time is over: the token would never be valid.")
        return expires_at

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind = cleaned.get("kind") or self.instance.kind
        wanted = set(cleaned.get("scopes", ()))
        if impossible := wanted - SCOPES_OF_KIND.get(kind, frozenset()):
            self.add_error("scopes", f"A {kind} token cannot have {', '.join(sorted(impossible))}.")
        elif beyond := wanted - self.grantable - set(self.instance.scopes):
            self.add_error("scopes", f"You cannot give what you do not have: {', '.join(sorted(beyond))}.")
        if kind == AccessToken.Kind.PRINCIPAL and cleaned.get("module"):
            self.add_error("module", "Only service tokens publish for a module.")
        if kind == AccessToken.Kind.SERVICE and cleaned.get("modules"):
            self.add_error("modules", "Only principals are limited to modules they may see.")
        return cleaned


def _check_module(name: str) -> None:
    if not is_module_name(name):
        raise forms.ValidationError(
            "%(name)s is no module; %(rule)s.", params={"name": repr(name), "rule": MODULE_RULE}
        )


@admin.register(AccessToken)
class AccessTokenAdmin(AuditedAdmin):
    """gateway.signals records every revocation and deletion; this page records what was issued or changed here."""

    audit_changes = False
    form = AccessTokenForm
    list_display = ("public_id", "kind", "name", "state", "created", "expires", "source")
    list_filter = ("kind", "source", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("=public_id", "name")
    readonly_fields = ("public_id", "state", "source", "created_at", "revoked_at", "revoked_because")
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: AccessToken | None = None) -> Any:
        return ("kind", *self.readonly_fields) if obj else ()

    def get_form(self, request: HttpRequest, obj: AccessToken | None = None, *args: Any, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, *args, **kwargs)
        return type("GrantingForm", (made,), {"grantable": grantable_scopes(request.user)})  # type: ignore[arg-type]  # is signed in

    @admin.display(description="created (UTC)", ordering="created_at")
    def created(self, token: AccessToken) -> str:
        return to_the_second(token.created_at)

    @admin.display(description="expires (UTC)", ordering="expires_at")
    def expires(self, token: AccessToken) -> str:
        return to_the_second(token.expires_at)

    @admin.display(description="state")
    def state(self, token: AccessToken) -> str:
        return token.state

    @admin.action(description="Revoke the selected tokens", permissions=("change",))
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[AccessToken]) -> None:
        # Selected again by id: the page's queryset may be sliced or ordered in ways that update() does not take.
        chosen = AccessToken.objects.filter(pk__in=[token.pk for token in queryset])
        count = chosen.revoke(because=f"admin: {request.user}"[:REASON_LENGTH])
        revoked = "1 token is revoked; its" if count == 1 else f"{count} tokens are revoked; their"
        self.message_user(request, f"{revoked} streams end within two seconds.")

    def save_model(self, request: HttpRequest, obj: AccessToken, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        if not change:
            text = tokens.mint(obj.kind)
            obj.public_id, obj.digest = tokens.new_public_id(obj.kind[0]), tokens.digest(text)
            # Only for the response to this request; the request object is not kept.
            request.issued_text = text  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)
        action = TokenAudit.Action.TOKEN_CHANGED if change else TokenAudit.Action.TOKEN_ISSUED
        reason = f"changed {', '.join(form.changed_data) or 'nothing'}" if change else "in the admin"
        TokenAudit.of_token(action, obj, reason=reason).save()

    def response_add(
        self, request: HttpRequest, obj: AccessToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the text in this response: a message or a redirect would have to store it somewhere."""
        context = {
            **self.admin_site.each_context(request),
            "title": "The token is issued",
            "opts": self.opts,
            "token": obj,
            "text": request.issued_text,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/gateway/accesstoken/issued.html", context)
