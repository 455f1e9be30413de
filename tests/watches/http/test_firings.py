"""The list of what fired: with the times of its events, with the watch as it is now, and of whom."""

from typing import cast

import pytest

from events.log import begin_new_epoch, timestamp
from events.models import Event
from gateway.identity.principals import Principal
from tests.watches.samples import create, evaluate, happen, operator, owner, revise
from watches.http import firings
from watches.models import Firing, Watch
from watches.store import WatchActor

pytestmark = pytest.mark.usefixtures("ledger")
TWO = {"kind": "count", "at_least": 2, "within_sec": 600}


def viewer_of(actor: WatchActor) -> Principal:
    return cast("Principal", type("Viewer", (), {"public_id": actor.principal_id}))


def listed(actor: WatchActor, *, limit: int = 50) -> list[dict[str, object]]:
    return firings.fired(Watch.objects.all(), viewer_of(actor), limit=limit)


def test_a_firing_has_the_times_of_its_events_and_its_watch_as_it_is_now() -> None:
    by = owner()
    watch = create(by, name="before", query="disk", group_by="module", condition=TWO)
    happen("one", "two", summary="disk full", module="hermes")
    evaluate()
    revise(watch, by, name="after")
    (firing,) = listed(by)
    first, last = (Event.objects.get(event_id=name).created_at for name in ("one", "two"))
    assert (firing["first_at"], firing["last_at"]) == (timestamp(first), timestamp(last))
    assert (firing["name"], firing["query"], firing["group_by"], firing["group"]) == (
        "after",
        "disk",
        "module",
        "hermes",
    )
    assert (firing["owner"], firing["mine"], firing["muted_until"]) == ("olga", True, None)
    assert listed(operator())[0]["mine"] is False


def test_events_that_are_pruned_or_of_another_log_have_no_time() -> None:
    by = owner()
    create(by, condition=TWO)
    happen("one", "two")
    evaluate()
    Event.objects.filter(event_id="one").delete()
    (firing,) = listed(by)
    assert (firing["first_at"], firing["last_at"] is None) == (None, False)
    begin_new_epoch()
    (firing,) = listed(by)
    assert (firing["first_at"], firing["last_at"]) == (None, None)


def test_a_firing_without_events_has_no_times_and_the_limit_takes_the_newest() -> None:
    by = owner()
    watch = create(by)
    for at in range(3):
        Firing.objects.create(watch=watch, fired_at=f"2026-01-0{at + 1}T00:00:00Z", count=at, cursor="e-1")
    assert [(firing["count"], firing["first"], firing["first_at"]) for firing in listed(by, limit=2)] == [
        (2, None, None),
        (1, None, None),
    ]


def test_what_concerns_a_person_are_own_and_shared_watches() -> None:
    by, other = owner(), operator()
    create(by, name="mine")
    create(other, name="private")
    create(other, name="for all", shared=True)
    assert [watch.name for watch in firings.concerning(Watch.objects.all(), viewer_of(by))] == ["mine", "for all"]
