"""Admin pages of deliveries: targets with a test button, notices that can be sent again, and webhooks."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from events import log
from events import query as language
from events.log import BadCursor, Cursor
from gateway import standard_webhooks
from gateway.admin import AuditedAdmin, ReadOnlyAdmin
from gateway.admin.audited import to_the_second
from gateway.filters import BadFilter
from gateway.identity.console_sessions import principal_id
from ledger import clock
from watches import outbox
from watches.admin.ownership import OwnedAdmin
from watches.delivery import addresses, queue, secrets, webhooks
from watches.delivery.addresses import BadAddress
from watches.models import Notice, Subscription, Target

_KEEP = "Stored encrypted and shown masked. Empty: as it is."


class TargetForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    new_address = forms.CharField(
        required=False,
        max_length=addresses.ADDRESS_LIMIT_CHARACTERS,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "size": 80}),
        help_text=f"As Apprise writes it, or alertmanager://host:9093. {_KEEP}",
    )

    def clean_new_address(self) -> str:
        address: str = self.cleaned_data["new_address"].strip()
        if not address and not self.instance.address:
            raise forms.ValidationError("A target needs an address.")
        try:
            if address:
                addresses.check(address)
        except BadAddress as wrong:
            raise forms.ValidationError(str(wrong)) from None
        return address


@admin.register(Target)
class TargetAdmin(AuditedAdmin):
    form = TargetForm
    list_display = ("name", "masked", "failing", "failures", "next_try")
    search_fields = ("name",)
    fields = ("name", "new_address", "masked", "failing", "next_try")
    readonly_fields = ("masked", "failing", "next_try")
    actions = ("send_test",)

    def save_model(self, request: HttpRequest, obj: Target, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """What the form changes, and nothing that deliveries change meanwhile."""
        fields = {"name"} & set(form.changed_data)
        if address := form.cleaned_data.get("new_address"):
            obj.address, obj.masked = secrets.encrypt(address), addresses.masked(address)
            obj.failures, obj.failing_since, obj.next_try_at = 0, None, None
            fields |= {"address", "masked", "failures", "failing_since", "next_try_at"}
        obj.save(update_fields=fields if change else None)

    @admin.action(description="Send a test notice", permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Target]) -> None:
        for target in queryset:
            outbox.add_test(target, now=clock.ask())
            self._audit("sent a test to", target)
        messages.info(request, "Tests are on their way; the list of notices says what came of them.")

    @admin.display(description="failing since (UTC)", ordering="failing_since")
    def failing(self, target: Target) -> str:
        return to_the_second(target.failing_since)

    @admin.display(description="next try (UTC)", ordering="next_try_at")
    def next_try(self, target: Target) -> str:
        return to_the_second(target.next_try_at)


@admin.register(Notice)
class NoticeAdmin(OwnedAdmin, ReadOnlyAdmin):
    # Its content says what the watch is about.
    owned_by_way_of = "watch__"
    list_display = ("id", "created", "state", "target", "watch", "attempts", "due", "sent", "problem")
    list_filter = ("state",)
    search_fields = ("=id", "=target__name", "=watch__name")
    list_select_related = ("target", "watch")
    actions = ("send_again",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("watches.change_notice")

    @admin.action(description="Send dead ones again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        for notice in queryset.filter(state=Notice.State.DEAD):
            self._audit("sent again", notice)
        count = queue.send_again(Notice.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        messages.info(request, f"{count} notices are sent again; those that are not dead are left as they are.")

    @admin.display(description="written (UTC)", ordering="created_at")
    def created(self, notice: Notice) -> str:
        return to_the_second(notice.created_at)

    @admin.display(description="due (UTC)", ordering="due_at")
    def due(self, notice: Notice) -> str:
        return to_the_second(notice.due_at)

    @admin.display(description="sent (UTC)", ordering="sent_at")
    def sent(self, notice: Notice) -> str:
        return to_the_second(notice.sent_at)


class SubscriptionForm(forms.ModelForm):  # type: ignore[type-arg]  # as above
    new_address = forms.CharField(
        required=False,
        max_length=addresses.ADDRESS_LIMIT_CHARACTERS,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "size": 80}),
        help_text=f"https://host/path. {_KEEP}",
    )
    new_secret = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "size": 60}),
        help_text=f"whsec_..., as the receiver has it. A first one is made here and shown once. {_KEEP}",
    )
    go_on_from = forms.CharField(
        required=False,
        max_length=40,
        help_text="newest, oldest, or a cursor. Empty: where it is. Setting it starts a dead webhook again.",
    )

    def clean(self) -> dict[str, Any]:
        # In the transaction that adds it: two that are added at once are not one too many.
        if self.instance.pk is None:
            try:
                webhooks.refuse_more()
            except webhooks.TooManyWebhooks as full:
                raise forms.ValidationError(str(full)) from None
        return super().clean() or self.cleaned_data

    def clean_query(self) -> str:
        text: str = self.cleaned_data["query"].strip()
        try:
            if text:
                language.check(text)
        except BadFilter as mistake:
            raise forms.ValidationError(str(mistake.errors["q"][0]["message"])) from None
        return text

    def clean_new_address(self) -> str:
        address: str = self.cleaned_data["new_address"].strip()
        if not address and not self.instance.address:
            raise forms.ValidationError("A webhook needs an address.")
        if address and not addresses.is_http(address):
            raise forms.ValidationError("https://host/path, without a name and password")
        return address

    def clean_new_secret(self) -> str:
        secret: str = self.cleaned_data["new_secret"].strip()
        try:
            if secret:
                standard_webhooks.key_of(secret)
        except standard_webhooks.BadSecret as wrong:
            raise forms.ValidationError(str(wrong)) from None
        return secret

    def clean_go_on_from(self) -> Cursor | None:
        text = self.cleaned_data["go_on_from"].strip()
        head = log.head()
        if text in ("", "newest", "oldest"):
            return {"": None, "newest": head.newest, "oldest": head.oldest}[text]
        try:
            return Cursor.parse(text)
        except BadCursor:
            raise forms.ValidationError("newest, oldest, or a cursor of this log") from None


@admin.register(Subscription)
class SubscriptionAdmin(OwnedAdmin):
    can_be_shared = False
    form = SubscriptionForm
    list_display = ("name", "masked", "query", "state", "cursor", "delivered", "failures", "problem")
    list_filter = ("state",)
    search_fields = ("name",)
    fields = (
        *("name", "query", "new_address", "new_secret", "go_on_from", "masked", "owner_name", "state", "cursor"),
        *("delivered", "failures", "problem"),
    )
    readonly_fields = ("masked", "owner_name", "state", "cursor", "delivered", "failures", "problem")

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """What the form changes, and nothing that deliveries change meanwhile. Who saves it is its owner."""
        given, begin = form.cleaned_data, form.cleaned_data["go_on_from"]
        assert request.user.pk is not None  # noqa: S101 - the admin admits no others
        obj.owner_id, obj.owner_name = principal_id(request.user.pk), request.user.get_username()
        fields = {"name", "query"} & set(form.changed_data)
        if given["new_address"]:
            obj.address, obj.masked = secrets.encrypt(given["new_address"]), addresses.masked(given["new_address"])
            fields |= {"address", "masked"}
        if secret := given["new_secret"] or ("" if obj.secret else standard_webhooks.new_secret()):
            obj.secret = secrets.encrypt(secret)
            fields.add("secret")
        if not given["new_secret"] and secret:
            # Only for the response to this request; the request object is not kept.
            request.issued_secret = secret  # type: ignore[attr-defined]
        if not change:
            obj.epoch, obj.seq = begin or log.head().newest
            obj.created_at = clock.ask()
            obj.save()
            return
        if fields:
            # An attempt under way was made by what is changed here: what comes of it does not count.
            obj.claimed_until = None
            fields.add("claimed_until")
        obj.save(update_fields={*fields, "owner_id", "owner_name"})
        if begin is not None:
            webhooks.start_again(obj, begin)

    def response_add(
        self, request: HttpRequest, obj: Subscription, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show a secret that was made in this response: a message or a redirect would have to store it somewhere."""
        secret = getattr(request, "issued_secret", "")
        if not secret:
            return super().response_add(request, obj, post_url_continue)
        context = {
            **self.admin_site.each_context(request),
            "title": "The webhook is added",
            "opts": self.opts,
            "webhook": obj,
            "text": secret,
        }
        return TemplateResponse(request, "admin/watches/subscription/issued.html", context)

    @admin.display(description="cursor")
    def cursor(self, subscription: Subscription) -> str:
        return str(webhooks.cursor_of(subscription)) if subscription.epoch else "-"

    @admin.display(description="taken last (UTC)", ordering="delivered_at")
    def delivered(self, subscription: Subscription) -> str:
        return to_the_second(subscription.delivered_at)
