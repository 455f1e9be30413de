"""Many watches over one sequence of events: which query is compared with which event, and when things are due."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log import Entry
from events.query import RecordView
from gateway.filters import Selection
from watches.conditions import evaluator, machines
from watches.conditions.dispatch import Dispatch
from watches.conditions.evaluator import Armed, Evaluator, Run
from watches.conditions.rules import ABSENCE, COUNT, EVERY, NEW_VALUE, Condition, Fired, Rule

QUERIES = [
    "disk",
    "disk full",
    '"disk full"',
    "disk OR module:b",
    "-disk",
    "ful*",
    "severity>=warn",
    "severity:info disk",
    "payload.user:eve",
    "payload.n>3",
    "payload.n:5",
    "module:(a,b) -type:x",
]


def entry(seq: int = 1, at: float = 1_000.0, **fields: object) -> Entry:
    whole = {
        "type": "event",
        "event_id": f"e{seq}",
        "seq": seq,
        "event_type": "x",
        "summary": "",
        "module": "a",
        "severity": "info",
        "correlation_id": "c",
        "payload": {},
        "created_at": "2026-01-01T00:00:00.000000Z",
        "occurred_at": None,
        **fields,
    }
    severity, module, event_type = (str(whole[name]) for name in ("severity", "module", "event_type"))
    return Entry(seq, severity, module, event_type, "c", orjson.dumps(whole), at)


events = st.builds(
    entry,
    summary=st.sampled_from(["", "disk", "disk full", "full disk", "fuller", "Disk\nFULL"]),
    module=st.sampled_from(["a", "b", "c"]),
    event_type=st.sampled_from(["x", "y"]),
    severity=st.sampled_from(["info", "warn", "critical"]),
    payload=st.sampled_from([{}, {"user": "eve"}, {"user": ["eve", "bob"]}, {"n": 5}, {"n": 5.0}, {"n": 3}]),
)


@given(events)
def test_of_all_queries_those_that_an_event_passes_are_found(event: Entry) -> None:
    selections = [Selection(queries=frozenset({text})) for text in QUERIES] + [Selection(modules=frozenset({"a"}))]
    found = list(Dispatch((one, one) for one in selections).passing(event, event.view()))
    assert set(found) == {one for one in selections if event.passes(one)}
    assert len(found) == len(set(found))


def test_an_event_is_compared_with_the_queries_of_its_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch = Dispatch(
        (Selection(queries=frozenset({f"word{number} severity>=info"})), number) for number in range(1_000)
    )
    compared = []
    real = Entry.passes

    def count(self: Entry, selection: Selection, view: RecordView | None = None) -> bool:
        compared.append(selection)
        return real(self, selection, view)

    monkeypatch.setattr(Entry, "passes", count)
    event = entry(summary="word7 word8")
    assert sorted(dispatch.passing(event, event.view())) == [7, 8]
    assert len(compared) == 2


def test_a_query_is_found_by_what_the_fewest_events_have() -> None:
    texts = [f"payload.http.status>=500 severity>=info module:m{number}" for number in range(1_000)]
    dispatch = Dispatch((Selection(queries=frozenset({text})), text) for text in texts)
    event = entry(module="m7", payload={"http": {"status": 500}})
    assert list(dispatch._candidates(event.view())) == [Selection(queries=frozenset({texts[7]}))]
    assert list(dispatch.passing(event, event.view())) == [texts[7]]


@pytest.mark.parametrize(
    "text",
    [
        'severity>=warn "connection refused" word{number}',
        "type:login module:m{number}",
        "type:login payload.host:h{number}",
        "timeout node{number} OR deadline node{number}",
        "severity:critical payload.http.path:/api/orders/{number}",
        "module:m user{number} severity:info",
    ],
)
def test_queries_that_have_much_in_common_are_found_by_what_they_have_not(text: str) -> None:
    dispatch = Dispatch((Selection(queries=frozenset({text.format(number=n)})), n) for n in range(100, 400))
    words = "connection refused timeout deadline user host http path api orders"
    event = entry(summary=words, module="m", event_type="login", severity="critical")
    assert len(list(dispatch._candidates(event.view()))) <= 30


def test_what_is_due_between_two_events_happens_in_the_order_of_time() -> None:
    runs = [
        Run(Armed(number, Rule(Condition(ABSENCE, seconds=seconds)), Selection(modules=frozenset({"z"})), 0, 0.0), {})
        for number, seconds in enumerate([50.0, 10.0, 30.0])
    ]
    machine = Evaluator(runs, now=0.0)
    assert machine.due == 10.0
    machine.advance(40.0)
    assert [(one.watch_id, one.outcome.at) for one in machine.take()] == [(1, 10.0), (2, 30.0)]
    assert machine.due == 50.0


def test_many_events_of_one_group_leave_little_to_look_at() -> None:
    armed = Armed(1, Rule(Condition(ABSENCE, seconds=1_000.0)), Selection(), 0, 0.0)
    machine = Evaluator([Run(armed, {})], now=0.0)
    for seq in range(1, 5_000):
        machine.feed(entry(seq, float(seq) / 10))
    assert len(machine._queue) < 10


def test_with_a_large_count_fewer_groups_are_told_apart() -> None:
    armed = Armed(1, Rule(Condition(COUNT, at_least=1_000, seconds=60.0), "module"), Selection(), 0, 0.0)
    run = Run(armed, {})
    assert run.groups_limit * 1_000 <= evaluator.REMEMBERED_LIMIT


def test_beyond_the_limit_the_value_that_was_not_seen_for_the_longest_time_is_new_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluator, "VALUES_LIMIT", 2)
    rule = Rule(Condition(NEW_VALUE, seconds=86_400.0, field="module"), cooldown_seconds=10.0)
    machine = Evaluator([Run(Armed(1, rule, Selection(), 0, 0.0), {})])
    for seq, module in enumerate(["a", "b", "a", "c", "a", "b"], start=1):
        machine.feed(entry(seq, 1_000.0 + 100 * seq, module=module))
    assert [one.outcome.values for one in machine.take() if isinstance(one.outcome, Fired)] == [
        ("a",),
        ("b",),
        ("c",),
        ("b",),
    ]
    assert {key for key, row in machine.take_rows()[1].items() if row} == {"g", "va", "vb"}


def _counting(groups: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many groups it is asked whether they are idle."""
    asked = [0]
    real = machines.Count.is_idle

    def count(self: machines.Count, now: float) -> bool:
        asked[0] += 1
        return real(self, now)

    monkeypatch.setattr(machines.Count, "is_idle", count)
    monkeypatch.setattr(evaluator, "GROUPS_LIMIT", groups)
    return asked


def test_a_watch_with_all_its_groups_does_not_look_at_all_of_them_for_each_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = _counting(200, monkeypatch)
    rule = Rule(Condition(COUNT, at_least=2, seconds=600.0), "module")
    machine = Evaluator([Run(Armed(1, rule, Selection(), 0, 0.0), {})])
    for seq in range(1, 2_001):
        machine.feed(entry(seq, 1_000.0 + seq / 10, module=f"m{seq}"))
    assert machine.runs[1].overflowed
    assert len(machine.runs[1].machines) == 201
    assert asked[0] < 2_000


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 40)), max_size=120), st.sampled_from([COUNT, EVERY]))
def test_the_groups_that_are_forgotten_are_those_that_are_idle(happened: list[tuple[int, int]], kind: str) -> None:
    """The same as looking at all groups: also when it is stored and read back in between."""
    rule = Rule(Condition(kind, at_least=2, seconds=50.0), "module", cooldown_seconds=30.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluator, "GROUPS_LIMIT", 3)
        armed = Armed(1, rule, Selection(), 0, 0.0)
        one, rows, at = Evaluator([Run(armed, {})]), dict[str, Any](), 1_000.0
        for seq, (module, later) in enumerate(happened, start=1):
            at += later
            before = dict(one.runs[1].machines)
            one.advance(at)
            busy = {group for group, machine in before.items() if not machine.is_idle(at)}
            is_new = f"m{module}" not in before
            one.feed(entry(seq, at, module=f"m{module}"))
            if is_new and len(before) >= 3:
                assert set(one.runs[1].machines) == busy | {f"m{module}" if len(busy) < 3 else evaluator.OTHER_GROUP}
            for key, row in one.take_rows().get(1, {}).items():
                rows[key] = row
            if seq % 7 == 0:
                stored = {key: row for key, row in rows.items() if row is not None}
                one = Evaluator([Run(armed, stored)], now=at)


def test_a_watch_that_is_taken_away_does_nothing_any_more_and_another_with_its_id_begins_anew() -> None:
    def run(number: int, seconds: float) -> Run:
        return Run(Armed(number, Rule(Condition(ABSENCE, seconds=seconds)), Selection(), 0, 0.0), {})

    machine = Evaluator([run(1, 10.0), run(2, 20.0)], now=0.0)
    machine.remove(1)
    machine.remove(3)
    machine.advance(15.0)
    assert machine.take() == []
    machine.add(run(1, 30.0))
    machine.advance(40.0)
    assert [(one.watch_id, one.outcome.at) for one in machine.take()] == [(2, 20.0), (1, 30.0)]


@given(events, st.sets(st.sampled_from(QUERIES)))
def test_queries_that_were_removed_are_compared_no_more(event: Entry, removed: set[str]) -> None:
    selections = {text: Selection(queries=frozenset({text})) for text in QUERIES}
    dispatch = Dispatch((one, text) for text, one in selections.items())
    for text in removed:
        dispatch.remove(selections[text], text)
    expected = {text for text, one in selections.items() if event.passes(one)} - removed
    assert set(dispatch.passing(event, event.view())) == expected
    for text in set(QUERIES) - removed:
        dispatch.remove(selections[text], text)
    assert (dispatch._by_selection, dict(dispatch._by_term), dispatch._always) == ({}, {}, [])
