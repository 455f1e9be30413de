"""Selections: what a caller may see is only ever narrowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filters import EVERYTHING, SEVERITIES, VALUES_LIMIT, BadFilter, Selection, read_severities, read_values

names = st.sampled_from(["a", "b", "c", "d"])
allowed = st.one_of(st.none(), st.frozensets(names, max_size=3))
selections = st.builds(Selection, allowed, allowed, allowed, allowed)
events = st.fixed_dictionaries({"severity": names, "module": names, "event_type": names, "correlation_id": names})


@given(one=selections, other=selections, event=events)
def test_what_passes_both_passes_their_intersection_and_nothing_else_does(
    one: Selection, other: Selection, event: dict[str, str]
) -> None:
    assert (one & other).admits(**event) == (one.admits(**event) and other.admits(**event))


@given(one=selections, other=selections, third=selections)
def test_narrowing_can_be_done_in_any_order_and_twice(one: Selection, other: Selection, third: Selection) -> None:
    assert one & other == other & one
    assert (one & other) & third == one & (other & third)
    assert one & one == one
    assert one & EVERYTHING == one


@given(principal=selections, ticket=selections, asked=selections, event=events)
def test_no_narrowing_lets_through_what_the_principal_may_not_see(
    principal: Selection, ticket: Selection, asked: Selection, event: dict[str, str]
) -> None:
    if (principal & ticket & asked).admits(**event):
        assert principal.admits(**event)


@given(selection=selections)
def test_a_selection_survives_json(selection: Selection) -> None:
    assert Selection.from_json(selection.as_json()) == selection


@given(selection=selections)
def test_json_names_only_what_restricts(selection: Selection) -> None:
    assert (selection.as_json() == {}) == (selection == EVERYTHING)


def test_asking_by_name_for_a_module_outside_is_exceeding_and_asking_for_nothing_is_not() -> None:
    madre = Selection(modules=frozenset({"madre"}))
    assert Selection(modules=frozenset({"madre", "switch"})).exceeds(madre)
    assert not Selection(modules=frozenset({"madre"})).exceeds(madre)
    assert not EVERYTHING.exceeds(madre)
    assert not Selection(modules=frozenset({"switch"})).exceeds(EVERYTHING)
    assert Selection(modules=frozenset({"switch"})).exceeds(Selection(modules=frozenset()))


def test_values_may_repeat_or_stand_in_a_list() -> None:
    assert read_values("module", ["madre, switch", "hermes", ""]) == frozenset({"madre", "switch", "hermes"})


@pytest.mark.parametrize("raw", [[], [""], [",, ,"], ["  "]])
def test_an_empty_filter_restricts_nothing(raw: list[str]) -> None:
    assert read_values("module", raw) is None
    assert read_severities("severity", raw) is None


@pytest.mark.parametrize("value", ["x" * 65, "a\nb", "a\0", "\x7f", "a\u2028b"])
def test_a_value_that_no_event_can_have_is_refused(value: str) -> None:
    with pytest.raises(BadFilter) as raised:
        read_values("module", [value])
    assert list(raised.value.errors) == ["module"]


def test_r12_more_values_than_anybody_needs_are_refused() -> None:
    assert read_values("module", [f"m{number}" for number in range(VALUES_LIMIT)])
    with pytest.raises(BadFilter):
        read_values("module", [",".join(f"m{number}" for number in range(VALUES_LIMIT + 1))])


def test_severities_are_words_of_a_closed_list_in_any_case_and_warning_is_warn() -> None:
    assert read_severities("severity", ["Warning,ERROR", "info"]) == frozenset({"warn", "error", "info"})
    assert read_severities("severity", [",".join(SEVERITIES)]) == frozenset(SEVERITIES)
    with pytest.raises(BadFilter):
        read_severities("severity", ["warn,fatal"])
