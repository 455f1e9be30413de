"""Changes of watches by people: who may, what begins anew, what is in the audit, and how many there may be."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.http.errors import ApiError
from gateway.models import AccessToken, TokenAudit
from ledger.writer import writer
from tests.watches.samples import (
    body,
    create,
    delete,
    evaluate,
    happen,
    mute,
    operator,
    owner,
    revise,
    types_written,
    written,
)
from watches import definitions, store
from watches.models import Firing, StateRow, Watch
from watches.store import (
    Creation,
    Deletion,
    Muting,
    NoSuchWatch,
    NotTheOwner,
    Revision,
    TooManyWatches,
    UnknownTargets,
)

pytestmark = pytest.mark.usefixtures("ledger")


def test_a_watch_that_waits_for_something_else_begins_anew_and_what_had_fired_ends() -> None:
    by = owner()
    watch = create(by, condition={"kind": "count", "at_least": 1, "within_sec": 600})
    happen("one")
    evaluate()
    revise(watch, by, query="disk")
    happen("two")
    evaluate()
    assert types_written() == ["watch.fired", "watch.resolved"]
    assert written("watch.resolved")[0]["reason"] == "the watch was changed"
    assert StateRow.objects.count() == 0
    assert Firing.objects.get().resolved_at is not None


def test_a_deleted_watch_ends_what_had_fired_and_leaves_its_events() -> None:
    by = owner()
    watch = create(by, condition={"kind": "count", "at_least": 1, "within_sec": 600})
    happen("one")
    reader = evaluate()
    delete(watch, by)
    happen("two")
    evaluate(reader)
    assert types_written() == ["watch.fired", "watch.resolved"]
    assert (Watch.objects.count(), Firing.objects.count(), StateRow.objects.count()) == (0, 0, 0)


def test_only_the_owner_and_administrators_change_a_watch_and_others_may_mute_it() -> None:
    watch = create(owner(), shared=True)
    other = operator()
    assert isinstance(revise(watch, other, name="mine now"), NotTheOwner)
    assert isinstance(delete(watch, other), NotTheOwner)
    until = datetime.now(UTC) + timedelta(hours=1)
    muted = mute(watch, other, until)
    assert isinstance(muted, Watch)
    assert muted.muted_until == until
    administrator = store.WatchActor("p-admin", "admin", is_administrator=True)
    assert isinstance(revise(watch, administrator, name="another"), Watch)
    assert Watch.objects.get().owner_id == watch.owner_id
    assert isinstance(delete(watch, administrator), type(None))


def test_an_administrator_who_changes_a_watch_that_has_stopped_becomes_its_owner() -> None:
    by = owner()
    watch = create(by)
    AccessToken.objects.filter(public_id=by.principal_id).revoke(because="a test")
    evaluate()
    heir = operator("heir")
    administrator = store.WatchActor(heir.principal_id, heir.name, is_administrator=True)
    revise(watch, administrator)
    happen("one")
    evaluate()
    assert types_written() == ["watch.stopped", "watch.fired"]
    assert Watch.objects.get().owner_id == heir.principal_id


def test_each_change_is_in_the_audit_with_who_made_it() -> None:
    by = owner()
    watch = create(by, name="disk")
    revise(watch, by, query="disk")
    mute(watch, by, None)
    delete(watch, by)
    rows = TokenAudit.objects.filter(action="admin_changed").order_by("at")
    assert [(row.actor, row.principal_id) for row in rows] == [("olga", by.principal_id)] * 4
    assert [row.reason.split(" watch")[0] for row in rows] == ["added", "changed", "unmuted", "deleted"]


def test_there_may_be_so_many_watches_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    by, other = owner(), operator()
    monkeypatch.setattr(store, "WATCHES_LIMIT", 3)
    monkeypatch.setattr(store, "WATCHES_LIMIT_EACH", 2)
    definition = definitions.read(body())
    made = store.create_many([Creation(definition, owner) for owner in (by, by, by, other, other)])
    assert [isinstance(one, TooManyWatches) for one in made] == [False, False, True, False, True]


def test_who_takes_over_a_watch_that_has_stopped_has_not_more_than_the_limit_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by = owner()
    watch = create(by)
    AccessToken.objects.filter(public_id=by.principal_id).revoke(because="a test")
    evaluate()
    heir = operator("heir")
    create(heir)
    monkeypatch.setattr(store, "WATCHES_LIMIT_EACH", 1)
    administrator = store.WatchActor(heir.principal_id, heir.name, is_administrator=True)
    assert isinstance(revise(watch, administrator), TooManyWatches)
    watch.refresh_from_db()
    assert (watch.owner_id, watch.stopped_because != "") == (by.principal_id, True)


def test_a_target_that_does_not_exist_and_a_watch_that_does_not_are_named() -> None:
    by = owner()
    (refused,) = store.create_many([Creation(definitions.read(body(notify=["nowhere"])), by)])
    assert isinstance(refused, UnknownTargets)
    assert refused.names == ["nowhere"]
    watch = create(by)
    delete(watch, by)
    assert isinstance(mute(watch, by, None), NoSuchWatch)


def test_changes_of_different_fields_are_all_kept_and_each_is_checked_with_the_others() -> None:
    by = owner()
    watch = create(by, condition={"kind": "new_value", "field": "module", "days": 1})
    until = datetime.now(UTC) + timedelta(hours=1)
    mute(watch, by, until)
    results = store.revise_many(
        [Revision(watch.pk, {"name": "renamed"}, by), Revision(watch.pk, {"cooldown_sec": 60}, by)]
    )
    assert all(isinstance(result, Watch) for result in results)
    watch.refresh_from_db()
    assert (watch.name, watch.cooldown_seconds, watch.muted_until) == ("renamed", 60, until)
    wrong = revise(watch, by, group_by="module")
    assert isinstance(wrong, ApiError)
    assert list(wrong.errors or ()) == ["group_by"]


def test_a_watch_that_is_not_shared_any_more_is_not_muted_by_another() -> None:
    watch, other = create(owner(), shared=False), operator()
    assert isinstance(mute(watch, other, datetime.now(UTC) + timedelta(hours=1)), NoSuchWatch)
    watch.refresh_from_db()
    assert watch.muted_until is None


def test_a_change_that_is_written_twice_has_the_result_of_the_first_time() -> None:
    """The writer tries again on a new connection when that of a commit is lost, and may have committed before."""
    by = owner()
    creation = Creation(definitions.read(body(condition={"kind": "count", "at_least": 1, "within_sec": 600})), by)
    (made,), (again,) = store.create_many([creation]), store.create_many([creation])
    assert isinstance(made, Watch)
    assert made == again
    happen("one")
    evaluate()
    for write, unit in (
        (store.revise_many, Revision(made.pk, {"query": "disk"}, by)),
        (store.mute_many, Muting(made.pk, None, by)),
    ):
        results = [write([unit])[0] for _ in range(2)]
        assert results == [made, made]
    deletion = Deletion(made.pk, by)
    assert [store.delete_many([deletion])[0] for _ in range(2)] == [None, None]
    assert types_written() == ["watch.fired", "watch.resolved"]
    assert TokenAudit.objects.filter(action="admin_changed").count() == 4


def test_a_watch_that_was_made_by_a_commit_whose_answer_was_lost_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, lost = BaseDatabaseWrapper.commit, list[int]()

    def lose_first(self: BaseDatabaseWrapper) -> None:
        real(self)
        if threading.current_thread().name == "ledger-writer" and not lost:
            lost.append(1)
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(BaseDatabaseWrapper, "commit", lose_first)
    by = owner()
    creation = Creation(definitions.read(body()), by)
    made = async_to_sync(writer.commit)(store.create_many, creation)
    assert lost
    assert [watch.pk for watch in Watch.objects.all()] == [made.pk]
