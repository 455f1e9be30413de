"""Watches in the admin: who finds what, and that one which is deleted there ends as by the API."""

import importlib

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection

from gateway.identity.console_sessions import principal_id
from gateway.models import TokenAudit
from ledger import clock
from tests.gateway.admin.people import browser_of, staff
from tests.watches.samples import create, evaluate, happen, owner, target, types_written
from watches import outbox
from watches.models import Firing, Subscription, Watch

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
    watch = create(owner(), shared=True)
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


def of_others(**fields: object) -> tuple[Watch, Firing]:
    """A watch that has fired, of an owner that is no person of these tests."""
    watch = create(owner(), name="geheim watch", query="secretword disk", **fields)
    happen("one", summary="secretword disk")
    evaluate()
    return watch, Firing.objects.get(watch=watch)


def pages_of(watch: Watch, firing: Firing) -> list[str]:
    each = [f"/admin/watches/watch/{watch.pk}/", f"/admin/watches/firing/{firing.pk}/"]
    return [f"{address}{page}/" for address in each for page in ("change", "history")]


@pytest.mark.parametrize("role", ["auditor", "administrator"])
def test_who_reads_the_audit_finds_all_watches(role: str) -> None:
    watch, firing = of_others()
    browser = browser_of(person(role))
    assert [browser.get(page).status_code for page in pages_of(watch, firing)] == [200] * 4
    assert all("geheim" in browser.get(address).content.decode() for address in LISTS)


def test_an_operator_finds_shared_and_own_watches_and_none_of_others() -> None:
    watch, firing = of_others()
    operator = person("operator")
    browser = browser_of(operator)
    searches = [f"{address}?q={text}" for address in LISTS for text in ("", "geheim", "secretword")]
    lists = [browser.get(address).content.decode() for address in [*LISTS, *searches]]
    assert all("geheim watch" not in page and "secretword disk" not in page for page in lists)
    assert all("0 watches" in page or "0 firings" in page for page in lists)
    # As for one that does not exist, the pages lead back to the start.
    answers = [browser.get(page, follow=True).content.decode() for page in pages_of(watch, firing)]
    assert all("secretword" not in page and "geheim" not in page for page in answers)
    Watch.objects.update(shared=True)
    assert all("geheim" in browser.get(address).content.decode() for address in LISTS)
    Watch.objects.update(shared=False, owner_id=principal_id(operator.pk))
    assert all("geheim" in browser.get(address).content.decode() for address in LISTS)
    assert [browser.get(page).status_code for page in pages_of(watch, firing)] == [200] * 4


def test_with_the_right_to_delete_and_without_the_audit_one_deletes_none_of_others() -> None:
    watch, _ = of_others()
    person("operator")
    browser = browser_of(staff("operator", permissions=["delete_watch"]))
    browser.post(f"/admin/watches/watch/{watch.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [str(watch.pk)], "post": "yes"}
    browser.post("/admin/watches/watch/", chosen)
    assert Watch.objects.count() == 1


def test_notices_and_webhooks_of_others_are_not_found_either() -> None:
    watch, _ = of_others()
    notice = outbox._notice(target().pk, watch, {"query": "secretword"}, clock.ask(), clock.ask())
    notice.save(force_insert=True)
    hook = Subscription.objects.create(
        name="hook", query="secretword", owner_id="p-other", epoch="e", seq=0, created_at=clock.ask()
    )
    person("operator")
    reader = browser_of(staff("operator", permissions=["view_notice", "view_subscription"]))
    auditor = browser_of(person("auditor"))
    for page in (f"/admin/watches/notice/{notice.pk}/change/", f"/admin/watches/subscription/{hook.pk}/change/"):
        assert "secretword" in auditor.get(page).content.decode()
        assert "secretword" not in reader.get(page, follow=True).content.decode()
    assert "secretword" not in reader.get("/admin/watches/subscription/").content.decode()
