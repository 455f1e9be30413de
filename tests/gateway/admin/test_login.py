"""Whoever comes to the admin's door, gets in or not, or changes the key, is on record."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gateway.identity.audit import Refusals
from gateway.models import TokenAudit
from ledger.writer import writer
from tests.gateway.admin.people import browser_of, rows, staff
from tests.gateway.samples import create_user

pytestmark = pytest.mark.usefixtures("ledger")

PASSWORD, OTHER = "correct horse 42", "another horse 43"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is gathered yet."""
    monkeypatch.setattr("gateway.admin.login.refusals", Refusals())


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(name: str, password: str, *, path: str = "/admin/login/") -> int:
    return Client().post(path, {"username": name, "password": password}).status_code


def test_who_changes_his_own_password_is_on_record_and_no_password_is() -> None:
    user = with_password(staff("auditor", name="ana"))
    client = browser_of(user)
    values = {"old_password": PASSWORD, "new_password1": OTHER, "new_password2": OTHER}
    assert client.post("/admin/password_change/", {**values, "old_password": "wrong"}).status_code == 200
    assert rows("admin_changed") == []
    assert client.post("/admin/password_change/", values).status_code == 302
    user.refresh_from_db()
    assert user.check_password(OTHER)
    (row,) = rows("admin_changed")
    assert (row.actor, row.principal_id, row.reason) == (
        *("ana", f"u-{user.pk}", "changed user ana. Changed own password."),
    )


def test_a_right_password_at_the_wrong_door_is_on_record() -> None:
    user = with_password(create_user("plain"))
    assert sign_in("plain", PASSWORD) == 200
    told = [(row.principal_id, row.principal_name, row.reason) for row in rows("sign_in_failed")]
    assert told == [(f"u-{user.pk}", "plain", "not staff")]
    with_password(staff("auditor", name="ana"))
    assert sign_in("ana", PASSWORD) == 302
    assert len(rows("sign_in_failed")) == 1


@pytest.mark.parametrize("path", ["/admin/login/", "/operator/login"])
def test_who_is_told_to_wait_before_the_next_try_is_on_record_once_and_not_once_a_try(
    path: str, settings: object
) -> None:
    settings.LOGIN_RATE = (2, 60)  # type: ignore[attr-defined]  # pytest-django's wrapper
    statuses = [sign_in("ana", "wrong", path=path) for _ in range(6)]
    assert statuses[2:] == [429] * 4
    writer.close()
    (row,) = TokenAudit.objects.filter(action="refused")
    assert (row.reason, row.address) == ("rate_limited: failed sign-ins", "127.0.0.1")
