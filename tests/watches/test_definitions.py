"""What a watch may be: each wrong field is named, with all others; unknown ones too."""

from typing import Any

import pytest

from gateway.http.errors import ApiError
from tests.watches.samples import body
from watches import definitions
from watches.conditions.rules import Condition

COUNT = {"kind": "count", "at_least": 3, "within_sec": 60}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": "a\x1b[31mb"}, "name"),
    ({"name": "a\r\nBcc: x"}, "name"),
    ({"query": "a\nb"}, "query"),
    ({"muted_until": "0001-01-01T00:00:00+14:00"}, "muted_until"),
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"query": "severity:("}, "query"),
    ({"query": 7}, "query"),
    ({"condition": None}, "condition"),
    ({"condition": {"kind": "sometimes"}}, "condition"),
    ({"condition": {}}, "condition"),
    ({"condition": {**COUNT, "at_least": 0}}, "condition.at_least"),
    ({"condition": {**COUNT, "at_least": 1_001}}, "condition.at_least"),
    ({"condition": {**COUNT, "within_sec": True}}, "condition.within_sec"),
    ({"condition": {"kind": "count", "at_least": 3}}, "condition.within_sec"),
    ({"condition": {**COUNT, "for_sec": 3}}, "condition.for_sec"),
    ({"condition": {"kind": "absence", "for_sec": 9}}, "condition.for_sec"),
    ({"condition": {"kind": "new_value", "field": "nofield", "days": 7}}, "condition.field"),
    ({"condition": {"kind": "new_value", "days": 7}}, "condition.field"),
    ({"condition": {"kind": "new_value", "field": "module", "days": 91}}, "condition.days"),
    ({"condition": {"kind": "new_value", "field": "module", "days": 7}, "group_by": "module"}, "group_by"),
    ({"group_by": "payload..x"}, "group_by"),
    ({"cooldown_sec": 9}, "cooldown_sec"),
    ({"notify": "mail"}, "notify"),
    ({"notify": [f"t{number}" for number in range(11)]}, "notify"),
    ({"shared": "yes"}, "shared"),
    ({"muted_until": "soon"}, "muted_until"),
    ({"muted_until": "9999-01-01T00:00:00Z"}, "muted_until"),
    ({"quiet": {"from": "22:00"}}, "quiet"),
    ({"muted_until": ""}, "muted_until"),
    ({"quiet": {}}, "quiet"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("fields", "named"), WRONG)
def test_a_wrong_field_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ApiError) as refused:
        definitions.read(body(**fields))
    assert refused.value.reason == "validation_error"
    assert list(refused.value.errors or {}) == [named]


def test_all_wrong_fields_are_named_together() -> None:
    with pytest.raises(ApiError) as refused:
        definitions.read({"query": "(", "condition": {"kind": "count"}, "shared": 1, "colour": "red"})
    named = {"colour", "name", "query", "condition.at_least", "condition.within_sec", "shared"}
    assert set(refused.value.errors or {}) == named


@pytest.mark.parametrize(
    "condition",
    [
        COUNT,
        {"kind": "absence", "for_sec": 300},
        {"kind": "new_value", "field": "payload.user", "days": 7},
        {"kind": "every"},
    ],
)
def test_what_is_shown_of_a_watch_is_taken_again(condition: dict[str, Any]) -> None:
    quiet = {"from": "22:00", "to": "07:00", "zone": "Europe/Madrid"}
    given = body(condition=condition, query=" disk ", quiet=quiet, notify=["a", "b", "a"], shared=True)
    definition = definitions.read(given)
    assert definition.as_json() == {
        **given,
        "query": "disk",
        "notify": ["a", "b"],
        "group_by": None,
        "muted_until": None,
    }
    assert definitions.read(definition.as_json()) == definition


def test_without_them_fields_have_their_defaults() -> None:
    definition = definitions.read({"name": "a", "condition": {"kind": "every"}})
    assert (definition.query, definition.cooldown_seconds, definition.shared) == ("", 300, False)
    assert definition.condition == Condition("every")
