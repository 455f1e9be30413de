"""The list of what fired: with the times of its events, with the watch as it is now, and of whom."""

from typing import cast

import pytest

from events.log import begin_new_epoch, timestamp
from events.models import Event
from gateway.filters import BadFilter
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
    found: list[dict[str, object]] = firings.fired(Watch.objects.all(), viewer_of(actor), limit=limit)["firings"]
    return found


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


def test_pages_hold_each_firing_once_also_those_of_one_moment_and_when_some_are_purged_or_added() -> None:
    by = owner()
    watch = create(by)
    for number in range(7):
        # Three at each moment.
        Firing.objects.create(watch=watch, fired_at=f"2026-01-0{number // 3 + 1}T00:00:00Z", count=number, cursor="e-1")
    ordered = [str(pk) for pk in Firing.objects.order_by("-fired_at", "-pk").values_list("pk", flat=True)]
    pages, before = [], None
    while True:
        page = firings.fired(Watch.objects.all(), viewer_of(by), limit=2, before=before)
        pages += [firing["firing_id"] for firing in page["firings"]]
        if page["next"] is None:
            break
        before = firings.Place.parse(page["next"])
        # What fires meanwhile is on no later page, and the place holds without its firing.
        Firing.objects.create(watch=watch, fired_at="2026-02-01T00:00:00Z", count=0, cursor="e-1")
        Firing.objects.filter(pk=pages[-1]).delete()
    assert pages == ordered


@pytest.mark.parametrize(
    "text", ["x", "1-2", f"{'9' * 18}-{'a' * 32}", f"-1-{'a' * 32}", f"1-{'A' * 32}", f"١-{'a' * 32}"]
)
def test_a_place_that_no_answer_had_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        firings.Place.parse(text)


def test_the_latest_place_that_can_be_written_is_one() -> None:
    assert firings.Place.parse(f"{'9' * 17}-{'a' * 32}").fired_at.year < 9999
