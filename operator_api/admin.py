"""Admin pages of windows, chat and saved views, which are read-only, and of modules with their probes' addresses."""

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from gateway.admin import AuditedAdmin, ReadOnlyAdmin
from gateway.admin.audited import to_the_second
from operator_api.models import ChatMessage, Module, SavedView, Window
from operator_api.modules import BUILT_IN


@admin.register(Window)
class WindowAdmin(ReadOnlyAdmin):
    list_display = ("id", "opened", "until", "closed", "ending", "opened_by", "closed_by", "reason")
    list_filter = ("ending",)
    search_fields = ("=opened_by", "=closed_by", "reason")
    exclude = ("last_change",)

    @admin.display(description="opened (UTC)", ordering="created_at")
    def opened(self, window: Window) -> str:
        return to_the_second(window.created_at)

    @admin.display(description="deadline (UTC)", ordering="deadline")
    def until(self, window: Window) -> str:
        return to_the_second(window.deadline)

    @admin.display(description="closed (UTC)", ordering="closed_at")
    def closed(self, window: Window) -> str:
        return to_the_second(window.closed_at)


@admin.register(ChatMessage)
class ChatMessageAdmin(ReadOnlyAdmin):
    """The list shows no texts: a message must be opened to be read."""

    list_display = ("message_id", "written", "role", "principal_name", "session_id", "correlation_id")
    list_filter = ("role",)
    search_fields = ("=principal_id", "=principal_name", "=session_id", "=correlation_id")
    search_help_text = "A public id, a name, a session or a correlation id, in full."
    exclude = ("idempotency_key", "fingerprint")

    @admin.display(description="written (UTC)", ordering="created_at")
    def written(self, message: ChatMessage) -> str:
        return to_the_second(message.created_at)


@admin.register(SavedView)
class SavedViewAdmin(ReadOnlyAdmin):
    """People change their views in the console. Here, those of people who have left can be deleted."""

    list_display = ("name", "owner_name", "owner_id", "shared", "query", "changed")
    list_filter = ("shared",)
    search_fields = ("=owner_id", "=owner_name", "name", "query")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("operator_api.delete_savedview")

    @admin.display(description="changed (UTC)", ordering="updated_at")
    def changed(self, view: SavedView) -> str:
        return to_the_second(view.updated_at)


@admin.register(Module)
class ModuleAdmin(AuditedAdmin):
    list_display = ("name", "category", "probe_url", "seen", "probed", "probe_problem")
    readonly_fields = ("seen", "probed", "probe_problem")

    def get_readonly_fields(self, request: HttpRequest, obj: Module | None = None) -> tuple[str, ...]:
        """Name and category of a module are fixed when it is added."""
        return self.readonly_fields if obj is None else ("name", "category", *self.readonly_fields)

    def has_delete_permission(self, request: HttpRequest, obj: Module | None = None) -> bool:
        """Built-in modules cannot be deleted, because existing front ends show them."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.name not in BUILT_IN)

    def save_model(self, request: HttpRequest, obj: Module, form: "ModelForm[Module]", change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Saves only the form's fields, because `last_seen` is updated all the time. A new address is probed at
        once.
        """
        fields = set(form.changed_data)
        if "probe_url" in fields:
            fields.update(obj.forget_probe())
        obj.save(update_fields=fields if change else None)

    @admin.display(description="last published (UTC)", ordering="last_seen")
    def seen(self, module: Module) -> str:
        return to_the_second(module.last_seen)

    @admin.display(description="last asked (UTC)", ordering="probed_at")
    def probed(self, module: Module) -> str:
        return to_the_second(module.probed_at)
