"""What is read again when watches or rights change: what has changed, and not all watches."""

from typing import Any

import pytest

from events import log
from gateway.models import AccessToken, RightsVersion
from tests.watches.samples import create, delete, evaluate, happen, mute, owner, revise, written
from watches.conditions.evaluator import Run
from watches.evaluation import loading
from watches.evaluation.log_reader import LogReader
from watches.models import Watch

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of watches whose state is read."""
    read: list[int] = []

    def run(armed: Any, rows: Any) -> Run:
        read.append(armed.id)
        return Run(armed, rows)

    monkeypatch.setattr(loading, "Run", run)
    return read


def reader_of(count: int) -> tuple[LogReader, list[Watch], Any]:
    by = owner()
    watches = [create(by, query=f"word{number}", name=f"w{number}") for number in range(count)]
    return evaluate(), watches, by


def test_when_one_watch_is_changed_the_others_are_not_read_again(loads: list[int]) -> None:
    reader, watches, by = reader_of(20)
    assert len(loads) == 20
    loads.clear()
    revise(watches[3], by, query="another")
    mute(watches[4], by, None)
    new = create(by, query="new")
    delete(watches[5], by)
    happen("one", summary="another new word5 word3 word6")
    evaluate(reader)
    assert sorted(loads) == [watches[3].pk, watches[4].pk, new.pk]
    fired = [one["watch_id"] for one in written("watch.fired")]
    assert sorted(fired) == [watches[3].pk, watches[6].pk, new.pk]


def test_what_was_counted_before_another_watch_was_changed_still_counts(loads: list[int]) -> None:
    by = owner()
    count = {"kind": "count", "at_least": 2, "within_sec": 600}
    counting, other = create(by, query="disk", condition=count), create(by, query="other")
    happen("one", summary="disk")
    reader = evaluate()
    loads.clear()
    revise(other, by, name="renamed")
    # Also of a watch that goes on with what it had: only its name is another.
    revise(counting, by, name="renamed")
    happen("two", summary="disk")
    evaluate(reader)
    assert [one["count"] for one in written()] == [2]
    assert sorted(loads) == [counting.pk, other.pk]


def test_the_others_are_not_read_again_when_one_has_learned(loads: list[int]) -> None:
    reader, _, by = reader_of(5)
    loads.clear()
    happen("known", module="known")
    evaluate(reader)
    watch = create(by, condition={"kind": "new_value", "field": "module", "days": 1})
    happen("again", module="known")
    evaluate(reader)
    happen("new", module="fresh")
    evaluate(reader)
    assert loads == [watch.pk]
    assert [one["values"] for one in written()] == [["fresh"]]


def test_when_a_right_changes_those_are_read_again_that_see_something_else(loads: list[int]) -> None:
    reader, watches, _ = reader_of(3)
    limited = owner("hermes")
    watch = create(limited)
    evaluate(reader)
    loads.clear()
    AccessToken.objects.filter(public_id=limited.principal_id).update(modules=["madre"])
    RightsVersion.bump()
    happen("one", module="madre")
    evaluate(reader)
    assert loads == [watch.pk]
    assert [one["watch_id"] for one in written()] == [watch.pk]
    assert log.head().last_seq == 2
    assert len(watches) == 3


def test_of_a_watch_that_has_stopped_the_others_are_not_read_again_and_it_starts_where_it_is_changed(
    loads: list[int],
) -> None:
    reader, watches, by = reader_of(3)
    reader.end()
    Watch.objects.filter(pk=watches[1].pk).update(query="severity:(")
    loads.clear()
    other = evaluate()
    assert sorted(loads) == [watches[0].pk, watches[2].pk]
    loads.clear()
    revise(watches[1], by, query="again")
    happen("one", summary="again word0")
    evaluate(other)
    assert loads == [watches[1].pk]
    assert sorted(one["watch_id"] for one in written("watch.fired")) == [watches[0].pk, watches[1].pk]
