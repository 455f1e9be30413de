"""Conditions, one by one: when they fire and when that ends; and by random events, against a reading of all of them."""

from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.watches.conditions import reading_of_the_log as reading
from watches.conditions.machines import Count, Every, Machine, machine_for
from watches.conditions.rules import ABSENCE, COUNT, EVERY, Condition, Fired, Outcome, Place, Resolved, Rule

BEGINS_AT = 1_000.0
# Whole and half seconds, so that events, ends of windows and ends of cool-downs often are at the same time.
steps = st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0, 13.0])
restarts = st.lists(st.booleans(), max_size=40)


def plain(outcomes: Sequence[Outcome]) -> list[reading.Happened]:
    return [("fired" if isinstance(one, Fired) else "resolved", one.at, one.events) for one in outcomes]


def stored_and_read(machine: Machine, rule: Rule) -> Machine:
    return machine_for(rule, begins_at=BEGINS_AT).read(orjson.loads(orjson.dumps(machine.as_json())))


def run(rule: Rule, times: Sequence[float], until: float, restarted: Sequence[bool] = ()) -> list[Outcome]:
    """All that happens; before some of the events the machine is stored and read back, or asked what is due."""
    machine = machine_for(rule, begins_at=BEGINS_AT)
    outcomes: list[Outcome] = []
    before = BEGINS_AT
    for number, at in enumerate(times):
        if number < len(restarted):
            # A look between two events, at which nothing may happen that would not have happened anyway.
            outcomes += machine.advance((before + at) / 2)
            machine = stored_and_read(machine, rule) if restarted[number] else machine
        outcomes += machine.advance(at)
        outcomes += machine.match(Place(number + 1, at))
        before = at
    return outcomes + machine.advance(until)


def times_of(gaps: Sequence[float]) -> list[float]:
    times, at = [], BEGINS_AT
    for gap in gaps:
        at += gap
        times.append(at)
    return times


@given(
    st.lists(steps, max_size=30),
    st.integers(1, 4),
    st.sampled_from([1.0, 3.0, 10.0]),
    st.sampled_from([1.0, 5.0, 20.0]),
    steps,
    restarts,
)
def test_a_count_fires_as_a_reading_of_all_events_says(
    gaps: list[float], at_least: int, seconds: float, cooldown: float, after: float, restarted: list[bool]
) -> None:
    rule = Rule(Condition(COUNT, at_least=at_least, seconds=seconds), cooldown_seconds=cooldown)
    times = times_of(gaps)
    until = (times[-1] if times else BEGINS_AT) + after
    wanted = reading.count(times, at_least=at_least, seconds=seconds, cooldown=cooldown, until=until)
    assert plain(run(rule, times, until, restarted)) == wanted


@given(
    st.lists(steps, max_size=30), st.sampled_from([1.0, 3.0, 10.0]), st.sampled_from([1.0, 5.0, 20.0]), steps, restarts
)
def test_an_absence_fires_as_a_reading_of_all_events_says(
    gaps: list[float], seconds: float, cooldown: float, after: float, restarted: list[bool]
) -> None:
    rule = Rule(Condition(ABSENCE, seconds=seconds), cooldown_seconds=cooldown)
    times = times_of(gaps)
    until = (times[-1] if times else BEGINS_AT) + after
    wanted = reading.absence(times, begins_at=BEGINS_AT, seconds=seconds, cooldown=cooldown, until=until)
    assert plain(run(rule, times, until, restarted)) == wanted


@given(st.lists(steps, max_size=30), st.sampled_from([1.0, 5.0, 20.0]), steps, restarts)
def test_every_event_is_in_one_firing_as_a_reading_of_all_events_says(
    gaps: list[float], cooldown: float, after: float, restarted: list[bool]
) -> None:
    rule = Rule(Condition(EVERY), cooldown_seconds=cooldown)
    times = times_of(gaps)
    until = (times[-1] if times else BEGINS_AT) + after
    assert plain(run(rule, times, until, restarted)) == reading.every(times, cooldown=cooldown, until=until)


def test_a_count_says_by_which_events_it_fired_and_how_many_came_until_it_ended() -> None:
    rule = Rule(Condition(COUNT, at_least=3, seconds=60.0))
    times = [1000.0, 1010.0, 1020.0, 1030.0]
    assert run(rule, times, 1100.0) == [
        Fired(1020.0, 3, Place(1, 1000.0), Place(3, 1020.0)),
        # Three lie within the last minute until the second is older than that.
        Resolved(1070.0, 4, Place(1, 1000.0), Place(4, 1030.0)),
    ]


def test_a_count_that_stays_true_fires_once_however_short_the_cool_down() -> None:
    rule = Rule(Condition(COUNT, at_least=1, seconds=600.0), cooldown_seconds=300.0)
    assert plain(run(rule, [1000.0], 5000.0)) == [("fired", 1000.0, 1), ("resolved", 1600.0, 1)]


def test_a_count_that_becomes_true_while_it_cools_down_fires_after_that_if_it_is_still_true() -> None:
    rule = Rule(Condition(COUNT, at_least=1, seconds=30.0), cooldown_seconds=100.0)
    assert plain(run(rule, [1000.0, 1090.0], 1105.0))[2:] == [("fired", 1100.0, 1)]
    assert plain(run(rule, [1000.0, 1060.0], 1105.0))[2:] == []


def test_what_nothing_is_stored_of_is_as_what_never_was() -> None:
    rule = Rule(Condition(COUNT, at_least=2, seconds=30.0), cooldown_seconds=10.0)
    machine = Count(rule)
    machine.match(Place(1, 1000.0))
    assert not machine.is_idle(1029.0)
    assert machine.is_idle(1030.0)
    every = Every(Rule(Condition(EVERY), cooldown_seconds=10.0))
    every.match(Place(1, 1000.0))
    assert not every.is_idle(1009.0)
    assert every.is_idle(1010.0)


@pytest.mark.parametrize("kind", ["count", "absence", "new_value", "every"])
def test_a_condition_is_read_back_as_it_is_shown(kind: str) -> None:
    condition = {
        "count": Condition(COUNT, at_least=3, seconds=60.0),
        "absence": Condition(ABSENCE, seconds=300.0),
        "new_value": Condition("new_value", seconds=7 * 86_400.0, field="module"),
        "every": Condition(EVERY),
    }[kind]
    assert Condition.from_json(orjson.loads(orjson.dumps(condition.as_json()))) == condition
