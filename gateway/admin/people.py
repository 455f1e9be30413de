"""Admin pages of people and roles: Django's own, with audit rows, and without a way to give rights that one lacks."""

from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse

from gateway.admin import granting
from gateway.admin.audited import AuditedAdmin, acting_in, to_the_second
from gateway.admin.own_links import check_form
from gateway.identity.console_sessions import principal_id
from gateway.models import REASON_LENGTH, TokenAudit

admin.site.unregister(User)
admin.site.unregister(Group)
_change_own_password = admin.site.password_change


def password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's page to change one's own password, with an audit row."""
    with transaction.atomic(), acting_in(request):
        response = _change_own_password(request, extra_context)
        # Anything else shows the form again.
        if request.method == "POST" and response.status_code == HTTPStatus.FOUND:
            user = request.user
            assert user.pk is not None  # noqa: S101 - is signed in
            reason = f"changed user {user.get_username()}. Changed own password."
            TokenAudit(
                action=TokenAudit.Action.ADMIN_CHANGED,
                principal_id=principal_id(user.pk),
                principal_name=user.get_username(),
                reason=reason[:REASON_LENGTH],
            ).save()
    return response


admin.site.password_change = password_change  # type: ignore[assignment, method-assign]  # the site asks itself for its pages


@admin.register(User)
class PersonAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """A role is a group. Only "staff" gives access to the admin."""

    list_display = ("username", "roles", "is_active", "is_staff", "is_superuser", "signed_in")

    @admin.display(description="last sign-in (UTC)", ordering="last_login")
    def signed_in(self, user: User) -> str:
        return to_the_second(user.last_login)

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_manage(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_manage(request, obj)

    @staticmethod
    def _may_manage(request: HttpRequest, user: User | None) -> bool:
        return user is None or granting.may_manage_user(request.user, user)  # type: ignore[arg-type]  # is signed in

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = ("last_login", "date_joined")
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        assert request is not None  # noqa: S101 - Django always gives it
        if db_field.name == "groups":
            kwargs["queryset"] = granting.grantable_groups(request.user)  # type: ignore[arg-type]  # as above
        if db_field.name == "user_permissions":
            kwargs["queryset"] = granting.grantable_permissions(request.user)  # type: ignore[arg-type]  # as above
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        check_form(request)
        with acting_in(request):
            return super().user_change_password(request, id, form_url)


@admin.register(Group)
class RoleAdmin(AuditedAdmin, GroupAdmin):
    """The four roles cannot be renamed or deleted: the API derives rights from their names."""

    # Django's own column shows the same, and its link to sort by it does nothing.
    list_display = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        return ("name",) if obj is not None and obj.name in granting.ROLES else ()

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or granting.may_grant_group(request.user, obj))  # type: ignore[arg-type]  # as above

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        if obj is None:
            return allowed
        return allowed and obj.name not in granting.ROLES and granting.may_grant_group(request.user, obj)  # type: ignore[arg-type]  # as above

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        assert request is not None  # noqa: S101 - Django always gives it
        kwargs["queryset"] = granting.grantable_permissions(request.user)  # type: ignore[arg-type]  # as above
        return super().formfield_for_manytomany(db_field, request, **kwargs)
