"""Admin pages of watches and of what fired. Watches are made and changed by the API, where their owner is known."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gateway.admin import ReadOnlyAdmin
from gateway.admin.audited import to_the_second
from gateway.http.authentication import caller_of
from gateway.identity.console_sessions import principal_id
from watches import store
from watches.admin.ownership import OwnedAdmin
from watches.models import Firing, Watch
from watches.store import Deletion, WatchActor


@admin.register(Watch)
class WatchAdmin(OwnedAdmin, ReadOnlyAdmin):
    # The store writes the audit row, in the transaction of the change.
    audit_changes = False
    list_display = ("id", "name", "waits_for", "owner_name", "shared", "muted", "stopped", "full")
    list_filter = ("shared",)
    search_fields = ("=owner_id", "=owner_name", "name", "query")
    fields = (
        *("name", "query", "waits_for", "group_by", "cooldown_seconds", "targets", "owner_name", "owner_id", "shared"),
        *("muted", "quiet", "created_at", "begins_at", "revision", "stopped", "full"),
    )
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """For those whose role has it; others look."""
        return super(ReadOnlyAdmin, self).has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What it has fired goes with it, and is not deleted alone."""
        objects, counts, _needed, protected = super().get_deleted_objects(objs, request)
        return objects, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Watch) -> None:
        """By the store, which ends what had fired, and tells the process that evaluates."""
        store.delete_many([Deletion(obj.pk, _actor(request))])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Watch]) -> None:
        by = _actor(request)
        store.delete_many([Deletion(pk, by) for pk in queryset.values_list("pk", flat=True)])

    @admin.display(description="condition")
    def waits_for(self, watch: Watch) -> str:
        return watch.rule.condition.describe()

    @admin.display(description="muted until (UTC)", ordering="muted_until")
    def muted(self, watch: Watch) -> str:
        return to_the_second(watch.muted_until)

    @admin.display(description="stopped because", ordering="stopped_because")
    def stopped(self, watch: Watch) -> str:
        return watch.stopped_because or "-"

    @admin.display(description="too many groups (UTC)", ordering="groups_full_at")
    def full(self, watch: Watch) -> str:
        return to_the_second(watch.groups_full_at)


@admin.register(Firing)
class FiringAdmin(OwnedAdmin, ReadOnlyAdmin):
    owned_by_way_of = "watch__"
    list_display = ("fired", "resolved", "watch", "group", "count", "first", "last", "muted")
    list_filter = ("muted",)
    search_fields = ("=group", "=watch__name")
    list_select_related = ("watch",)

    @admin.display(description="fired (UTC)", ordering="fired_at")
    def fired(self, firing: Firing) -> str:
        return to_the_second(firing.fired_at)

    @admin.display(description="resolved (UTC)", ordering="resolved_at")
    def resolved(self, firing: Firing) -> str:
        return to_the_second(firing.resolved_at)


def _actor(request: HttpRequest) -> WatchActor:
    """The signed-in person, who has the permission of the page."""
    user, caller = request.user, caller_of(request)
    assert user.pk is not None  # noqa: S101 - the admin admits no others
    return WatchActor(
        principal_id(user.pk), user.get_username(), caller.address, caller.correlation_id, is_administrator=True
    )
