"""Whatever is done to tokens and people, by whichever way, is on record once, with the name of who did it."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from gateway.admin import AuditedAdmin
from gateway.identity.actors import acting
from gateway.models import AccessToken, AuditIsFinal, TokenAudit
from tests.gateway.admin.people import browser_of, rows, staff
from tests.gateway.samples import create_user, issue

pytestmark = pytest.mark.usefixtures("ledger")

REVOKED, DELETED = TokenAudit.Action.TOKEN_REVOKED, TokenAudit.Action.TOKEN_DELETED


def save_revoked(token: AccessToken, **how: Any) -> None:
    token.revoked_at = timezone.now()
    token.save(**how)


def delete_user(token: AccessToken) -> None:
    assert token.user is not None
    token.user.delete()


REVOCATIONS: dict[str, Callable[[AccessToken], object]] = {
    "queryset update": lambda token: AccessToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now()),
    "queryset revoke": lambda token: AccessToken.objects.filter(pk=token.pk).revoke(because="leaked"),
    "bulk_update": lambda token: AccessToken.objects.bulk_update(
        [AccessToken(pk=token.pk, revoked_at=timezone.now())], ["revoked_at"]
    ),
    "save": save_revoked,
    "save of one field": functools.partial(save_revoked, update_fields=["revoked_at"]),
    "command": lambda token: call_command("revoke_token", token.public_id, verbosity=0),
}
DELETIONS: dict[str, Callable[[AccessToken], object]] = {
    "delete": lambda token: token.delete(),
    "queryset delete": lambda token: AccessToken.objects.filter(pk=token.pk).delete(),
    "with its user": delete_user,
    "with users of a queryset": lambda token: User.objects.filter(accesstoken=token).delete(),
}


@pytest.fixture
def token() -> AccessToken:
    token, _ = issue()
    token.user = create_user()
    token.save()
    return token


@pytest.mark.parametrize("way", REVOCATIONS)
def test_a20_a_revocation_is_one_audit_row_whichever_way_it_is_done(token: AccessToken, way: str) -> None:
    REVOCATIONS[way](token)
    assert [row.principal_id for row in rows(REVOKED)] == [token.public_id]
    AccessToken.objects.revoke(because="again")
    token.refresh_from_db()
    token.save()
    assert len(rows(REVOKED)) == 1


@pytest.mark.parametrize("way", DELETIONS)
def test_a20_a_deletion_is_one_audit_row_whichever_way_it_is_done(token: AccessToken, way: str) -> None:
    DELETIONS[way](token)
    assert [row.principal_id for row in rows(REVOKED, DELETED)] == [token.public_id]


def test_changes_that_revoke_nothing_are_not_recorded_as_revocations(token: AccessToken) -> None:
    AccessToken.objects.update(name="renamed")
    token.name = "again"
    token.save()
    AccessToken.objects.bulk_update([token], ["name"])
    assert rows(REVOKED, DELETED) == []


def test_the_actor_is_whoever_acts_and_a_command_names_itself(token: AccessToken) -> None:
    other, _ = issue()
    with acting("ana", address="192.0.2.1", correlation_id="c-1"):
        AccessToken.objects.filter(pk=other.pk).revoke(because="left")
    call_command("revoke_token", token.public_id, verbosity=0)
    told = [(row.actor, row.address, row.correlation_id, row.reason) for row in rows(REVOKED)]
    assert told == [("ana", "192.0.2.1", "c-1", "left"), ("manage.py revoke_token", "", "", "manage.py revoke_token")]


def test_a_token_that_is_revoked_in_the_admin_is_one_row_with_the_actor(token: AccessToken) -> None:
    manager = staff("administrator")
    values = {"action": "revoke", "index": "0", "_selected_action": str(token.pk)}
    assert browser_of(manager).post("/admin/gateway/accesstoken/", values).status_code == 302
    assert [(row.principal_id, row.actor) for row in rows(REVOKED)] == [(token.public_id, manager.username)]


def test_a_user_who_is_deleted_in_the_admin_takes_his_tokens_along_on_record(token: AccessToken) -> None:
    manager, user = staff("administrator"), token.user
    assert user is not None
    browser_of(manager).post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})
    assert not AccessToken.objects.filter(pk=token.pk).exists()
    assert [(row.actor, row.reason) for row in rows(DELETED)] == [(manager.username, f"with its user {user.username}")]
    assert [row.reason for row in rows("admin_changed")] == [f"deleted user {user.username}."]


def test_several_users_deleted_at_once_are_a_row_each() -> None:
    manager, users = staff("administrator"), [create_user() for _ in range(3)]
    values = {"action": "delete_selected", "post": "yes", "_selected_action": [str(user.pk) for user in users]}
    browser_of(manager).post("/admin/auth/user/", values)
    assert {row.reason for row in rows("admin_changed")} == {f"deleted user {user.username}." for user in users}
    assert {row.actor for row in rows("admin_changed")} == {manager.username}


def test_roles_that_are_added_changed_and_deleted_are_on_record_without_values() -> None:
    boss = browser_of(staff(superuser=True, name="boss"))
    boss.post("/admin/auth/group/add/", {"name": "night shift"})
    group = Group.objects.get(name="night shift")
    boss.post(f"/admin/auth/group/{group.pk}/change/", {"name": "day shift"})
    boss.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})
    assert [(row.reason, row.actor) for row in rows("admin_changed")] == [
        ("added group night shift.", "boss"),
        ("changed group day shift. Changed Name.", "boss"),
        ("deleted group day shift.", "boss"),
    ]


def test_a_password_set_in_the_admin_is_on_record_without_the_password() -> None:
    manager, user = staff("administrator"), create_user()
    values = {"password1": "correct horse 42", "password2": "correct horse 42", "usable_password": "true"}
    browser_of(manager).post(f"/admin/auth/user/{user.pk}/password/", values)
    user.refresh_from_db()
    assert user.check_password("correct horse 42")
    (row,) = rows("admin_changed")
    assert (row.actor, row.reason) == (manager.username, f"changed user {user.username}. Changed password.")


def test_every_page_of_the_admin_records_what_is_done_there() -> None:
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, AuditedAdmin)] == []


def test_signing_in_and_out_is_on_record() -> None:
    user = staff(name="ana")
    client = browser_of(user)
    client.post("/admin/logout/")
    done = rows("signed_in", "signed_out")
    assert [(row.action, row.actor, row.principal_id) for row in done] == [
        ("signed_in", "ana", f"u-{user.pk}"),
        ("signed_out", "ana", f"u-{user.pk}"),
    ]


def test_w09_a_failed_sign_in_names_the_user_but_never_what_else_was_typed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    user = staff(name="ana")
    request = RequestFactory().post("/admin/login/")
    for typed in ("ana", "my secret passphrase", ""):
        authenticate(request, username=typed, password="wrong")
    told = [(row.principal_id, row.principal_name, row.actor, row.reason) for row in rows("sign_in_failed")]
    assert told == [(f"u-{user.pk}", "ana", "", ""), ("", "", "", "unknown user"), ("", "", "", "unknown user")]
    assert "passphrase" not in caplog.text


def test_a_saved_row_is_a_log_line_that_nobody_can_break_in_two(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    TokenAudit(action="admin_changed", reason="added group x\n2026 INFO vx11.audit forged").save()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "vx11.audit"]
    assert line.startswith("admin_changed ")
    assert "\n" not in line


@pytest.mark.parametrize("way", ["change", "delete", "action", "add"])
def test_w09_an_audit_row_is_neither_changed_nor_deleted_in_the_admin_whatever_is_posted(way: str) -> None:
    row = TokenAudit(action="refused", reason="as it was")
    row.save()
    client: Client = browser_of(staff(superuser=True))
    before = TokenAudit.objects.count()
    page = "/admin/gateway/tokenaudit/"
    address = {"action": page, "add": f"{page}add/"}.get(way, f"{page}{row.pk}/{way}/")
    values = {"post": "yes", "reason": "forged", "action": "delete_selected", "_selected_action": str(row.pk)}
    answer = client.post(address, values)
    # A list without actions shows itself; everything else is refused.
    assert answer.status_code == (200 if way == "action" else 403)
    assert TokenAudit.objects.count() == before
    assert TokenAudit.objects.get(pk=row.pk).reason == "as it was"


def test_w09_an_audit_row_is_final_past_the_admin_too() -> None:
    TokenAudit(action="refused").save()
    with pytest.raises(AuditIsFinal):
        TokenAudit.objects.all().delete()
