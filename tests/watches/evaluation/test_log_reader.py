"""Evaluation on the log: what fires is one event, with its state, its row and its notices, or nothing of all that."""

from datetime import timedelta

import pytest

from events import log
from events.log import epochs
from events.models import Event
from gateway.filters import EVERYTHING
from gateway.models import AccessToken
from tests.events.samples import grow_older
from tests.watches.samples import (
    begin_at,
    create,
    evaluate,
    happen,
    happen_at,
    in_past,
    owner,
    seqs_of,
    taking_over,
    target,
    types_written,
    written,
)
from watches.conditions import evaluator
from watches.evaluation import log_reader
from watches.evaluation.recording import Moved
from watches.models import Firing, Notice, StateRow, Watch, WatchReader

pytestmark = pytest.mark.usefixtures("ledger")


def test_a_watch_fires_with_an_event_that_says_by_which_events() -> None:
    watch = create(
        owner(), name="disk", query="disk", condition={"kind": "count", "at_least": 2, "within_sec": 60}, shared=True
    )
    happen("one", summary="disk full")
    happen("other", summary="all is well")
    happen("two", summary="disk full again")
    evaluate()
    (fired,) = written()
    assert types_written() == ["watch.fired"]
    assert (fired["watch_id"], fired["count"]) == (watch.pk, 2)
    first, last = Event.objects.get(event_id="one").seq, Event.objects.get(event_id="two").seq
    assert seqs_of([fired["first"], fired["last"]]) == [first, last]
    firing = Firing.objects.get()
    assert str(firing.pk) == fired["firing_id"]
    event = log.find_at(log.Cursor.parse(firing.cursor), EVERYTHING)
    assert event is not None
    assert event.event_type == "watch.fired"


def test_what_happened_before_a_watch_was_made_does_not_count() -> None:
    happen("early")
    create(owner())
    evaluate()
    assert written() == []
    happen("late")
    evaluate()
    assert [fired["count"] for fired in written()] == [1]


@pytest.mark.parametrize("shared", [False, True])
def test_the_event_of_a_watch_does_not_say_what_it_is_about(*, shared: bool) -> None:
    """Readers who may not see the watched module may see the module under which this event stands."""
    create(owner(), name="secret name", query="secretword", group_by="module", shared=shared)
    happen("one", summary="secretword", module="secretmodule")
    evaluate()
    event = Event.objects.get(event_type="watch.fired")
    assert "secret" not in event.payload + event.summary
    assert Firing.objects.get().group == "secretmodule"


def test_each_group_has_a_state_of_its_own() -> None:
    create(owner(), condition={"kind": "count", "at_least": 2, "within_sec": 60}, group_by="module", shared=True)
    happen("a1", module="a")
    happen("b1", module="b")
    happen("a2", module="a")
    evaluate()
    assert [fired["group"] for fired in written()] == ["a"]


def test_a_watch_does_not_count_what_watches_write() -> None:
    create(owner(), query="type:watch.*")
    create(owner())
    happen("one")
    for _ in range(3):
        evaluate()
    assert types_written() == ["watch.fired"]


def test_events_that_the_owner_may_not_see_do_not_count() -> None:
    create(owner("hermes"))
    happen("one", module="madre")
    evaluate()
    assert written() == []
    happen("two", module="hermes")
    evaluate()
    assert len(written()) == 1


def test_an_absence_fires_when_the_time_has_come_though_no_event_has() -> None:
    watch = create(owner(), condition={"kind": "absence", "for_sec": 60})
    reader = evaluate()
    assert written() == []
    begin_at(watch, in_past(2))
    evaluate()
    assert types_written() == ["watch.fired"]
    happen("back")
    evaluate()
    assert types_written() == ["watch.fired", "watch.resolved"]
    happen("again")
    with pytest.raises(Moved):
        reader.step()


def test_a_silence_that_is_over_fires_too_when_it_is_read_late() -> None:
    watch = create(owner(), condition={"kind": "absence", "for_sec": 60})
    begin_at(watch, in_past(10))
    happen_at(in_past(5), "one")
    happen_at(in_past(4.5), "two")
    evaluate()
    assert types_written() == ["watch.fired", "watch.resolved", "watch.fired"]
    assert [firing.resolved_at is None for firing in Firing.objects.order_by("fired_at")] == [False, True]


def test_a_count_that_is_over_is_resolved_though_no_event_has_come() -> None:
    watch = create(owner(), condition={"kind": "count", "at_least": 1, "within_sec": 60})
    begin_at(watch, in_past(10))
    happen_at(in_past(5), "one")
    evaluate()
    assert types_written() == ["watch.fired", "watch.resolved"]
    firing = Firing.objects.get()
    assert firing.resolved_at == firing.fired_at + timedelta(seconds=60)


def test_a_new_value_is_one_that_was_not_seen_in_the_days_before_the_watch_began() -> None:
    happen("old", module="ancient")
    grow_older(log.head().last_seq, timedelta(days=9))
    happen("known", module="known")
    create(owner(), condition={"kind": "new_value", "field": "module", "days": 7}, shared=True)
    happen("again", module="known")
    happen("new", module="fresh")
    happen("back", module="ancient")
    evaluate()
    assert [fired["values"] for fired in written()] == [["fresh"]]
    # The other one came while the watch cooled down.
    assert StateRow.objects.get(key="g").state["values"] == ["ancient"]


def test_a_new_value_in_the_payload_is_found() -> None:
    create(owner(), condition={"kind": "new_value", "field": "payload.user", "days": 1}, shared=True)
    happen("one", payload={"user": "eve"})
    happen("two", payload={"user": ["eve", "mallory"]})
    evaluate()
    assert [fired["values"] for fired in written()] == [["eve"]]
    assert StateRow.objects.get(key="g").state["values"] == ["mallory"]


def test_a_watch_that_learns_misses_nothing_that_comes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "PAGE_ROWS", 3)
    for number in range(10):
        happen(f"before-{number}", module=f"m{number}")
    create(owner(), condition={"kind": "new_value", "field": "module", "days": 1}, shared=True)
    other = create(owner())
    reader = taking_over()
    for number in range(12):
        happen(f"meanwhile-{number}", module=f"m{number}")
        reader.step()
    evaluate(reader)
    fired = [one for one in written() if one["watch_id"] != other.pk]
    state = StateRow.objects.get(key="g", watch=Watch.objects.exclude(pk=other.pk).get()).state
    assert [value for one in fired for value in one["values"]] + state["values"] == ["m10", "m11"]


def test_a_watch_whose_owner_was_revoked_stops_and_says_so() -> None:
    by = owner()
    watch = create(by)
    watch.targets.add(target())
    reader = evaluate()
    AccessToken.objects.filter(public_id=by.principal_id).revoke(because="a test")
    evaluate(reader)
    happen("one")
    evaluate(reader)
    assert types_written() == ["watch.stopped"]
    watch.refresh_from_db()
    assert "revoked" in watch.stopped_because
    assert Notice.objects.get().content["last_state"] == "stopped"


def test_a_watch_whose_query_has_become_invalid_stops_and_the_others_go_on() -> None:
    watch, other = create(owner(), query="disk"), create(owner())
    Watch.objects.filter(pk=watch.pk).update(query="severity:(")
    happen("one")
    evaluate()
    assert types_written() == ["watch.stopped", "watch.fired"]
    assert [payload["watch_id"] for payload in written()] == [watch.pk, other.pk]


@pytest.mark.parametrize("wrong", [{"query": "severity:secretword"}, {"group_by": "secretword"}])
def test_that_a_watch_has_stopped_does_not_say_what_it_was_about(wrong: dict[str, str]) -> None:
    watch = create(owner())
    watch.targets.add(target())
    Watch.objects.filter(pk=watch.pk).update(**wrong)
    evaluate()
    event = Event.objects.get(event_type="watch.stopped")
    assert "secret" not in event.payload + event.summary
    # Those who may see the watch see why.
    watch.refresh_from_db()
    reason = Notice.objects.get().content["groups"][""]["reason"]
    assert reason == watch.stopped_because
    assert reason not in event.summary


def test_beyond_the_limit_groups_are_counted_together_and_the_watch_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluator, "GROUPS_LIMIT", 5)
    watch = create(
        owner(), condition={"kind": "count", "at_least": 2, "within_sec": 60}, group_by="correlation_id", shared=True
    )
    for number in range(1_000):
        if number % 100 == 0:
            happen(*(f"e{number + n}" for n in range(100)), correlation_id=f"c{number}")
    for number in range(8):
        happen(f"single-{number}", correlation_id=f"single-{number}")
    evaluate()
    assert {fired["group"] for fired in written()} == {"c0", "c100", "c200", "c300", "c400", evaluator.OTHER_GROUP}
    assert StateRow.objects.filter(watch=watch).count() == 6
    watch.refresh_from_db()
    full_at = watch.groups_full_at
    assert full_at is not None
    # Said when it happens, and not again with what happens later.
    happen("later", correlation_id="c0")
    evaluate()
    watch.refresh_from_db()
    assert watch.groups_full_at == full_at


def test_that_there_are_too_many_groups_is_said_also_while_nothing_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluator, "GROUPS_LIMIT", 2)
    watch = create(owner(), condition={"kind": "count", "at_least": 5, "within_sec": 60}, group_by="module")
    for name in "abcd":
        happen(name, module=name)
    evaluate()
    assert written() == []
    watch.refresh_from_db()
    assert watch.groups_full_at is not None


def test_a_clock_that_is_put_back_makes_nothing_fire_twice_or_never() -> None:
    watch = create(owner(), condition={"kind": "count", "at_least": 3, "within_sec": 60})
    begin_at(watch, in_past(60))
    happen_at(in_past(10), "one")
    happen_at(in_past(30), "two")
    happen_at(in_past(9.5), "three")
    evaluate()
    assert types_written() == ["watch.fired", "watch.resolved"]


def test_after_a_new_epoch_evaluation_goes_on_where_it_was() -> None:
    create(owner(), condition={"kind": "count", "at_least": 2, "within_sec": 600})
    happen("one")
    evaluate()
    epochs.start_new_epoch()
    happen("two")
    evaluate()
    assert [fired["count"] for fired in written()] == [2]
    assert WatchReader.objects.get().epoch == log.head().epoch


def test_a_reader_that_was_off_while_the_log_was_pruned_goes_on_with_what_is_left() -> None:
    create(owner(), condition={"kind": "count", "at_least": 1, "within_sec": 600})
    evaluate()
    for number in range(20):
        happen(f"e{number}")
    grow_older(log.head().last_seq - 5, timedelta(days=3))
    log.prune(keep_days=1, keep_rows=10**9, even_nearly_all=True)
    evaluate()
    (fired,) = written()
    assert seqs_of([fired["first"]]) == [log.head().oldest_seq]


def test_many_firings_of_one_page_are_several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "HAPPENINGS_LIMIT", 10)
    create(owner(), group_by="payload.user")
    for number in range(35):
        happen(f"e{number}", payload={"user": f"u{number}"})
    reader = log_reader.LogReader()
    firings = [reader.step().firings for _ in range(6)]
    assert [count for count in firings if count] == [10, 10, 10, 5]
    assert [fired["group"] for fired in written()] == [f"u{number}" for number in range(35)]
    reader.end()
