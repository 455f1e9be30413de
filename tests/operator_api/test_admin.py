"""Windows, chat and modules in the admin: who finds what, and what can be changed there."""

import importlib
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.models import TokenAudit
from operator_api import probes
from operator_api.models import ChatMessage, Module, Window
from tests.gateway.admin.people import browser_of, staff
from tests.operator_api.samples import message, opened, stored

pytestmark = pytest.mark.usefixtures("ledger")

ROLES = importlib.import_module("operator_api.migrations.0003_roles")
LISTS = {
    "/admin/operator_api/window/": {"operator", "auditor", "administrator"},
    "/admin/operator_api/module/": {"operator", "auditor", "administrator"},
    "/admin/operator_api/chatmessage/": {"auditor", "administrator"},
}


def somebody(role: str) -> User:
    """Of this role, with what the migration grants to it; a test that empties all tables takes that away."""
    with connection.schema_editor() as editor:
        ROLES.grant(apps, editor)
    return staff(role)


def module_form(**values: Any) -> dict[str, Any]:
    return {"port": "", "probe_url": "", **values}


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor", "administrator"])
def test_w09_each_role_finds_what_it_may_see(role: str) -> None:
    browser = browser_of(somebody(role))
    statuses = {address: browser.get(address).status_code for address in LISTS}
    assert statuses == {address: 200 if role in roles else 403 for address, roles in LISTS.items()}


def test_what_was_said_can_be_read_and_not_changed() -> None:
    opened()
    row = stored(message("<img src=x onerror=alert(1)>"))
    browser = browser_of(somebody("administrator"))
    page = browser.get(f"/admin/operator_api/chatmessage/{row.pk}/change/").content.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page
    assert "onerror" not in browser.get("/admin/operator_api/chatmessage/").content.decode()
    for address in (f"/admin/operator_api/chatmessage/{row.pk}/change/", "/admin/operator_api/chatmessage/add/"):
        assert browser.post(address, {"content": "another"}).status_code == 403
    assert browser.post(f"/admin/operator_api/chatmessage/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ChatMessage.objects.get().content == row.content


def test_windows_are_not_changed_there() -> None:
    window_id = opened()["window_id"]
    browser = browser_of(somebody("administrator"))
    assert browser.get(f"/admin/operator_api/window/{window_id}/change/").status_code == 200
    assert browser.post(f"/admin/operator_api/window/{window_id}/change/", {"services": "[]"}).status_code == 403
    assert browser.post(f"/admin/operator_api/window/{window_id}/delete/", {"post": "yes"}).status_code == 403
    assert Window.objects.get().closed_at is None


def set_address(browser: Client, url: str) -> int:
    return browser.post("/admin/operator_api/module/hermes/change/", module_form(probe_url=url, name="x")).status_code


def test_an_administrator_sets_the_address_at_which_a_module_is_asked_and_that_is_on_record() -> None:
    browser = browser_of(somebody("administrator"))
    assert set_address(browser, "http://hermes:8003/health") == 302
    module = Module.objects.get(name="hermes")
    assert (module.probe_url, module.category) == ("http://hermes:8003/health", "optional")
    assert TokenAudit.objects.filter(action="admin_changed", reason__startswith="changed module hermes").count() == 1


def test_a_new_address_is_asked_at_once_and_what_came_of_the_old_one_is_forgotten() -> None:
    now = timezone.now()
    asked = {"probed_at": now, "probe_problem": "answered 500", "probe_due_at": now + timedelta(seconds=15)}
    Module.objects.filter(name="hermes").update(probe_url="http://old:1/", **asked)
    browser = browser_of(somebody("administrator"))
    browser.post("/admin/operator_api/module/hermes/change/", module_form(probe_url="http://old:1/", port="8003"))
    module = Module.objects.get(name="hermes")
    assert (module.port, module.probed_at, module.probe_problem) == (8003, now, "answered 500")
    assert not probes.any_due()
    set_address(browser, "http://new:1/")
    module = Module.objects.get(name="hermes")
    assert (module.probed_at, module.probe_problem) == (None, "")
    assert probes.any_due()


def test_a_form_that_is_saved_takes_back_no_sign_of_life() -> None:
    browser = browser_of(somebody("administrator"))
    with CaptureQueriesContext(connection) as queries:
        assert set_address(browser, "http://hermes:8003/health") == 302
    (written,) = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "operator_api_module"')]
    assert "probe_url" in written
    assert "last_seen" not in written


@pytest.mark.parametrize("url", ["ftp://hermes/", "file:///etc/passwd", "http://me:secret@hermes/", "javascript:1"])
def test_an_address_that_must_not_be_asked_is_refused(url: str) -> None:
    # 200 is the form again, with what is wrong.
    assert set_address(browser_of(somebody("administrator")), url) == 200
    assert Module.objects.get(name="hermes").probe_url == ""


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_others_set_no_address(role: str) -> None:
    assert set_address(browser_of(somebody(role)), "http://hermes:8003/") == 403


def test_a_module_may_be_added_and_taken_away_but_not_one_that_front_ends_know() -> None:
    browser = browser_of(somebody("administrator"))
    added = browser.post("/admin/operator_api/module/add/", module_form(name="shub", category="optional"))
    assert added.status_code == 302
    assert browser.post("/admin/operator_api/module/add/", module_form(name="a b", category="core")).status_code == 200
    for name, status in (("shub", 302), ("madre", 403)):
        assert browser.post(f"/admin/operator_api/module/{name}/delete/", {"post": "yes"}).status_code == status
    assert set(Module.objects.filter(name__in=["shub", "madre", "a b"]).values_list("name", flat=True)) == {"madre"}
