"""What each role finds in the admin, and that nobody gets more there than he has."""

import importlib
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client

from gateway.models import AccessToken, TokenAudit
from tests.gateway.admin.people import browser_of, staff
from tests.gateway.samples import create_user, issue

pytestmark = pytest.mark.usefixtures("ledger")

LISTS = {
    "/admin/gateway/accesstoken/": {"auditor", "administrator"},
    "/admin/gateway/tokenaudit/": {"auditor", "administrator"},
    "/admin/events/event/": {"auditor", "administrator"},
    "/admin/events/node/": {"auditor", "administrator"},
    "/admin/events/streamsession/": {"operator", "auditor", "administrator"},
    "/admin/operator_api/window/": {"operator", "auditor", "administrator"},
    "/admin/auth/user/": {"administrator"},
    "/admin/auth/group/": {"administrator"},
    "/admin/figures": {"auditor", "administrator"},
    "/admin/principals/p-1": {"auditor", "administrator"},
    "/admin/tickets/t-1": {"auditor", "administrator"},
}


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor", "administrator"])
def test_w09_staff_finds_what_the_role_allows_and_403_everywhere_else(role: str) -> None:
    TokenAudit(action="ticket_issued", ticket_id="t-1").save()
    client = browser_of(staff(role))
    assert client.get("/admin/").status_code == 200
    statuses = {address: client.get(address).status_code for address in LISTS}
    assert statuses == {address: 200 if role in roles else 403 for address, roles in LISTS.items()}


@pytest.mark.parametrize("address", ["/admin/", *LISTS])
def test_w09_a_user_who_is_not_staff_never_gets_in(address: str) -> None:
    user = staff("administrator")
    user.is_staff = False
    user.save()
    answer = browser_of(user).get(address)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")


def test_w09_an_auditor_changes_nothing() -> None:
    token, _ = issue()
    client = browser_of(staff("auditor"))
    values = {"action": "revoke", "index": "0", "_selected_action": str(token.pk), "name": "mine"}
    client.post("/admin/gateway/accesstoken/", values)
    assert client.post(f"/admin/gateway/accesstoken/{token.pk}/change/", values).status_code == 403
    assert client.post("/admin/gateway/accesstoken/add/", values).status_code == 403
    assert client.post(f"/admin/gateway/accesstoken/{token.pk}/delete/", {"post": "yes"}).status_code == 403
    token.refresh_from_db()
    assert (token.state, token.name) == ("valid", "test principal")


def change(client: Client, user: User, **values: Any) -> int:
    """Posts the page of a user as it is, with these values."""
    form = {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on" if user.is_staff else "",
        "groups": [group.pk for group in user.groups.all()],
        "user_permissions": [permission.pk for permission in user.user_permissions.all()],
        **values,
    }
    return client.post(f"/admin/auth/user/{user.pk}/change/", form).status_code


def test_w09_an_administrator_cannot_make_anybody_a_superuser() -> None:
    administrator, other = staff("administrator"), create_user()
    client = browser_of(administrator)
    for user in (administrator, other):
        assert change(client, user, is_superuser="on", first_name="Changed") == 302
        user.refresh_from_db()
        assert (user.is_superuser, user.first_name) == (False, "Changed")


def test_w09_an_administrator_gives_no_permission_that_he_does_not_hold() -> None:
    administrator = staff("administrator")
    client = browser_of(administrator)
    beyond = Permission.objects.get(codename="change_group")
    assert change(client, administrator, user_permissions=[beyond.pk]) == 200
    powers = Group.objects.create(name="powers")
    powers.permissions.add(beyond)
    assert change(client, administrator, groups=[powers.pk]) == 200
    administrator.refresh_from_db()
    assert not administrator.has_perm("auth.change_group")


def test_w09_who_manages_people_gives_no_role_with_more_rights_than_his_own() -> None:
    # Both halves of a role count. He may do in the admin all that an operator may, and has not an operator's scopes.
    manager = staff("viewer", permissions=["view_user", "change_user", "view_streamsession", "view_window"])
    client = browser_of(manager)
    assert change(client, staff("operator"), email="mine@example.org") == 403
    for name in ("operator", "auditor", "administrator"):
        assert change(client, manager, groups=[Group.objects.get(name=name).pk]) == 200
    assert change(client, manager, groups=[]) == 302
    assert list(manager.groups.all()) == []


@pytest.mark.parametrize("active", [True, False])
def test_w09_the_account_of_somebody_with_more_rights_cannot_be_taken_over(active: bool) -> None:  # noqa: FBT001 - a parameter of the test
    client = browser_of(staff("viewer", permissions=["view_user", "change_user", "delete_user"]))
    for target in (staff("administrator"), staff(superuser=True)):
        target.is_active = active
        target.save()
        before = target.password
        values = {"password1": "correct horse 42", "password2": "correct horse 42", "usable_password": "true"}
        assert client.post(f"/admin/auth/user/{target.pk}/password/", values).status_code == 403
        assert change(client, target, email="mine@example.org") == 403
        assert client.post(f"/admin/auth/user/{target.pk}/delete/", {"post": "yes"}).status_code == 403
        chosen = {"action": "delete_selected", "post": "yes", "_selected_action": str(target.pk)}
        client.post("/admin/auth/user/", chosen)
        target.refresh_from_db()
        assert (target.password, target.email) == (before, "")


def test_w09_a_superuser_can_do_all_that() -> None:
    boss, other = staff(superuser=True), create_user()
    beyond = Permission.objects.get(codename="change_group")
    assert change(browser_of(boss), other, is_superuser="on", user_permissions=[beyond.pk]) == 302
    other.refresh_from_db()
    assert other.is_superuser
    assert list(other.user_permissions.all()) == [beyond]


def test_the_four_roles_keep_their_names_and_stay() -> None:
    role = Group.objects.get(name="viewer")
    client = browser_of(staff(superuser=True))
    client.post(f"/admin/auth/group/{role.pk}/change/", {"name": "administrators"})
    assert client.post(f"/admin/auth/group/{role.pk}/delete/", {"post": "yes"}).status_code == 403
    role.refresh_from_db()
    assert role.name == "viewer"


def test_w09_who_changes_groups_gives_them_only_what_he_holds() -> None:
    manager = staff("viewer", permissions=["view_group", "add_group", "change_group"])
    client = browser_of(manager)
    beyond = Permission.objects.get(codename="add_user")
    assert client.post("/admin/auth/group/add/", {"name": "new", "permissions": [beyond.pk]}).status_code == 200
    assert not Group.objects.filter(name="new").exists()
    powerful = Group.objects.get(name="administrator")
    assert client.post(f"/admin/auth/group/{powerful.pk}/change/", {"permissions": []}).status_code == 403


def test_w09_who_issues_tokens_gives_them_only_scopes_that_he_has() -> None:
    issuer = staff("viewer", permissions=["view_accesstoken", "add_accesstoken"])
    client = browser_of(issuer)
    values = {"kind": "principal", "name": "more than mine", "scopes": ["events:read", "audit:read"]}
    answer = client.post("/admin/gateway/accesstoken/add/", values)
    assert "You cannot give what you do not have: audit:read." in answer.content.decode()
    client.post("/admin/gateway/accesstoken/add/", {"kind": "service", "name": "s", "scopes": ["events:publish"]})
    assert not AccessToken.objects.exists()
    client.post("/admin/gateway/accesstoken/add/", {**values, "name": "mine", "scopes": ["events:read"]})
    assert [token.name for token in AccessToken.objects.all()] == ["mine"]


def grant_roles() -> None:
    """What the migration does."""
    with connection.schema_editor() as editor:
        importlib.import_module("gateway.migrations.0004_roles").grant(apps, editor)


def test_the_roles_are_granted_as_often_as_one_likes() -> None:
    before = {group.name: set(group.permissions.values_list("pk", flat=True)) for group in Group.objects.all()}
    count = Permission.objects.count()
    grant_roles()
    after = {group.name: set(group.permissions.values_list("pk", flat=True)) for group in Group.objects.all()}
    assert (after, Permission.objects.count()) == (before, count)
    assert before["viewer"] == set()
    assert before["operator"] < before["auditor"] < before["administrator"]
