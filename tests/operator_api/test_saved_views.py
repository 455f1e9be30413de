"""Saved views: whose they are, who sees them, what stands against a change, and what the audit says of it."""

import uuid
from typing import Any

import pytest
from django.db import transaction

from gateway.models import TokenAudit
from operator_api import saved_views
from operator_api.models import SavedView, StartView
from operator_api.saved_views import NameTaken, NoSuchView, NotAllowed, Removal, TooMany, ViewActor, ViewChange

pytestmark = pytest.mark.usefixtures("ledger")


def actor(name: str = "ana", *, may_share: bool = True) -> ViewActor:
    return ViewActor(f"u-{name}", name, may_share, "192.0.2.1", "c-1")


def change(wanted: ViewChange) -> Any:
    with transaction.atomic():
        return saved_views.change_many([wanted])[0]


def save(name: str, by: ViewActor | None = None, *, start: bool | None = None, **fields: Any) -> Any:
    wanted = ViewChange(uuid.uuid4(), {"name": name, **fields}, by or actor(), start, is_new=True)
    return change(wanted)


def edit(view_id: str, by: ViewActor | None = None, *, start: bool | None = None, **fields: Any) -> Any:
    return change(ViewChange(uuid.UUID(view_id), fields, by or actor(), start))


def remove(view_id: str, by: ViewActor | None = None, audit_id: uuid.UUID | None = None) -> Any:
    removal = Removal(uuid.UUID(view_id), by or actor(), audit_id or uuid.uuid4())
    with transaction.atomic():
        return saved_views.remove_many([removal])[0]


def names(by: str = "ana") -> list[str]:
    return [view["name"] for view in saved_views.visible_to(f"u-{by}")]


def test_own_views_come_first_and_others_see_only_those_that_are_shared() -> None:
    save("zeta")
    save("alpha", shared=True)
    save("beta", actor("ben"))
    assert names() == ["alpha", "zeta"]
    assert names("ben") == ["beta", "alpha"]
    shared = saved_views.visible_to("u-ben")[1]
    assert (shared["mine"], shared["owner"], shared["shared"]) == (False, "ana", True)
    assert saved_views.one_visible_to("u-ben", uuid.UUID(shared["id"])) == shared


def test_only_the_owner_changes_or_deletes_a_view() -> None:
    view = save("errors", shared=True)
    for by, refusal in ((actor("ben"), NotAllowed), (actor("ana", may_share=False), NotAllowed)):
        assert isinstance(edit(view["id"], by, query="timeout"), refusal)
    assert isinstance(remove(view["id"], actor("ben")), NotAllowed)
    hidden = save("mine", actor("ben"))
    assert isinstance(edit(hidden["id"], name="yours"), NoSuchView)
    assert isinstance(remove(hidden["id"]), NoSuchView)
    assert remove(view["id"]) is None
    assert names() == []


def test_sharing_needs_the_right_and_ending_it_does_not() -> None:
    assert isinstance(save("errors", actor(may_share=False), shared=True), NotAllowed)
    assert names() == []
    view = save("errors", shared=True)
    assert edit(view["id"], actor(may_share=False), shared=False)["shared"] is False


def test_a_name_stands_once_for_each_owner() -> None:
    first, second = save("errors"), save("warnings")
    assert isinstance(save("errors"), NameTaken)
    assert isinstance(edit(second["id"], name="errors"), NameTaken)
    assert edit(first["id"], name="errors", query="timeout")["query"] == "timeout"
    assert save("errors", actor("ben"))["name"] == "errors"


def test_the_limits_count_views_of_one_owner_and_shared_ones_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "OWN_LIMIT", 2)
    monkeypatch.setattr(saved_views, "SHARED_LIMIT", 1)
    views = [save("one", shared=True), save("two")]
    assert str(save("three")) == "There are at most 2 views of one owner."
    assert isinstance(save("theirs", actor("ben"), shared=True), TooMany)
    assert edit(views[0]["id"], query="timeout")["query"] == "timeout"
    edit(views[0]["id"], shared=False)
    assert save("theirs", actor("ben"), shared=True)["shared"]


def test_one_view_is_the_start_and_a_shared_one_can_be_that_of_others() -> None:
    shared = save("errors", shared=True, query="severity>=error", time_from="-1h", facets="payload.host")
    own = save("mine", actor("ben"), start=True)
    assert own["start"]
    assert edit(shared["id"], actor("ben", may_share=False), start=True)["start"]
    assert [view["start"] for view in saved_views.visible_to("u-ben")] == [False, True]
    assert saved_views.start_address_of("u-ben") == "q=severity%3E%3Derror&from=-1h&facets=payload.host"
    assert saved_views.start_address_of("u-ana") == ""
    edit(shared["id"], shared=False)
    assert saved_views.start_address_of("u-ben") == ""
    edit(own["id"], actor("ben"), start=True)
    edit(own["id"], actor("ben"), start=False)
    assert not StartView.objects.exists()


def test_every_change_is_in_the_audit_with_the_name_of_who_made_it() -> None:
    view = save("errors")
    edit(view["id"], name="all errors", shared=True)
    edit(view["id"], start=True)
    remove(view["id"])
    rows = TokenAudit.objects.filter(action="view_changed").order_by("at")
    assert [row.reason for row in rows] == [
        "saved view 'errors'",
        "changed shared view 'all errors' (was 'errors')",
        "deleted shared view 'all errors'",
    ]
    assert {(row.actor, row.principal_id, row.address, row.correlation_id) for row in rows} == {
        ("ana", "u-ana", "192.0.2.1", "c-1")
    }


def test_a_change_that_is_written_twice_has_the_result_of_the_first_time() -> None:
    wanted = ViewChange(uuid.uuid4(), {"name": "errors"}, actor(), is_new=True)
    first, second = change(wanted), change(wanted)
    assert first["id"] == second["id"]
    audit_id = uuid.uuid4()
    assert remove(first["id"], audit_id=audit_id) is None
    assert remove(first["id"], audit_id=audit_id) is None
    assert not SavedView.objects.exists()
    assert TokenAudit.objects.filter(action="view_changed").count() == 2
