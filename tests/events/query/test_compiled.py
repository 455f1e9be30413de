"""Queries that are known by their texts."""

import pytest

from events.query import all_match, check, compiled
from gateway.filters import BadFilter
from tests.events.query.samples import view


def test_a_text_is_read_once() -> None:
    assert compiled("severity>=warn") is compiled("severity>=warn")


def test_a_mistake_is_a_problem_of_q_with_its_place_and_sentence() -> None:
    check("severity>=warn")
    with pytest.raises(BadFilter) as raised:
        check("👍 module:a,b")
    message = "Several values stand behind a colon, in parentheses: module:(a,b)."
    assert raised.value.errors == {"q": [{"position": 10, "length": 1, "message": message}]}


@pytest.mark.parametrize(
    ("texts", "passes"), [([], True), (["refused"], True), (["refused", "module:x"], False), (["x", "refused"], False)]
)
def test_an_event_passes_several_queries_if_it_passes_each(texts: list[str], *, passes: bool) -> None:
    assert all_match(texts, view()) is passes
