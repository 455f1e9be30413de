"""A rehearsal says what the watch does when it is made: the same conditions over the last days, within a budget."""

from datetime import timedelta

import pytest

from events.search import Budget
from gateway.filters import EVERYTHING, Selection
from tests.watches.database_time import DatabaseTime
from tests.watches.samples import create, evaluate, happen, owner, written
from watches.conditions.rules import DAY_SECONDS, Condition, Rule
from watches.evaluation import rehearsal
from watches.evaluation.rehearsal import rehearse

pytestmark = pytest.mark.usefixtures("ledger")

CONDITIONS = [
    {"kind": "count", "at_least": 2, "within_sec": 60},
    {"kind": "absence", "for_sec": 300},
    {"kind": "every"},
    {"kind": "new_value", "field": "module", "days": 1},
]


def budget() -> Budget:
    return Budget(seconds=30.0)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_would_have_fired_is_what_has_fired(condition: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    monkeypatch.setattr(rehearsal, "PAGE_ROWS", 7)
    by = owner()
    watch = create(by, query="disk", condition=condition, cooldown_sec=30)
    for number in range(40):
        time.pass_seconds([1, 20, 45, 400, 86_400 / 8][number % 5])
        happen(f"e{number}", summary="disk" if number % 3 else "other", module=f"m{number % 4}")
    evaluate()
    fired = written("watch.fired")
    assert len(fired) > 2
    found = rehearse(watch.rule, Selection(queries=frozenset({"disk"})), budget())
    assert found.complete
    if condition["kind"] != "absence":
        assert (found.would_fire, len(found.at)) == (len(fired), len(fired))
    else:
        # The days before the watch was made were silent as well.
        assert found.would_fire == len(fired) + 1


def test_what_is_older_than_seven_days_does_not_count_but_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    happen("old", module="a")
    time.pass_seconds(8 * DAY_SECONDS)
    happen("again", module="a")
    time.pass_seconds(20)
    happen("new", module="b")
    every = rehearse(Rule(Condition("every"), cooldown_seconds=10.0), EVERYTHING, budget())
    assert (every.would_fire, every.events) == (2, 2)
    new = rehearse(Rule(Condition("new_value", seconds=9 * DAY_SECONDS, field="module")), EVERYTHING, budget())
    assert new.would_fire == 1


def test_a_budget_that_is_used_up_gives_the_newest_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    monkeypatch.setattr(rehearsal, "PAGE_ROWS", 5)
    for number in range(20):
        time.pass_seconds(60)
        happen(f"e{number}")
    found = rehearse(Rule(Condition("every"), cooldown_seconds=10.0), EVERYTHING, Budget(rows=1, seconds=0.0))
    assert (found.would_fire, found.events, found.complete) == (5, 5, False)
    assert found.since >= (time.now - timedelta(minutes=5)).timestamp()
