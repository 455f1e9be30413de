"""Watches in the admin: who finds what, and that one which is deleted there ends as by the API."""

import importlib

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection

from gateway.models import TokenAudit
from tests.gateway.admin.people import browser_of, staff
from tests.watches.samples import create, evaluate, happen, owner, types_written
from watches.models import Firing, Watch

pytestmark = pytest.mark.usefixtures("ledger")

ROLES = importlib.import_module("watches.migrations.0002_reader_and_roles")
LISTS = {
    "/admin/watches/watch/": {"operator", "auditor", "administrator"},
    "/admin/watches/firing/": {"operator", "auditor", "administrator"},
}


def person(role: str) -> User:
    """Of this role, with what the migration grants to it."""
    with connection.schema_editor() as editor:
        ROLES.grant(apps, editor)
    return staff(role)


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor", "administrator"])
def test_each_role_finds_what_it_may_see(role: str) -> None:
    watch = create(owner())
    happen("one")
    evaluate()
    browser = browser_of(person(role))
    pages = {
        **LISTS,
        f"/admin/watches/watch/{watch.pk}/change/": LISTS["/admin/watches/watch/"],
        f"/admin/watches/firing/{Firing.objects.get().pk}/change/": LISTS["/admin/watches/firing/"],
    }
    statuses = {address: browser.get(address).status_code for address in pages}
    assert statuses == {address: 200 if role in roles else 403 for address, roles in pages.items()}


def test_a_watch_that_is_deleted_there_ends_what_had_fired_and_is_in_the_audit() -> None:
    watch = create(owner(), condition={"kind": "count", "at_least": 1, "within_sec": 600})
    happen("one")
    evaluate()
    browser = browser_of(person("administrator"))
    assert browser.post(f"/admin/watches/watch/{watch.pk}/delete/", {"post": "yes"}).status_code == 302
    assert types_written() == ["watch.fired", "watch.resolved"]
    assert Watch.objects.count() == 0
    assert TokenAudit.objects.filter(reason__startswith="deleted watch").count() == 1


def test_several_are_deleted_together() -> None:
    watches = [create(owner()) for _ in range(2)]
    browser = browser_of(person("administrator"))
    chosen = {"action": "delete_selected", "_selected_action": [str(watch.pk) for watch in watches], "post": "yes"}
    assert browser.post("/admin/watches/watch/", chosen).status_code == 302
    assert Watch.objects.count() == 0


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_others_delete_none_and_nothing_is_changed_there(role: str) -> None:
    watch = create(owner())
    browser = browser_of(person(role))
    assert browser.post(f"/admin/watches/watch/{watch.pk}/delete/", {"post": "yes"}).status_code == 403
    browser.post(f"/admin/watches/watch/{watch.pk}/change/", {"name": "another"})
    assert Watch.objects.get().name == "a watch"
