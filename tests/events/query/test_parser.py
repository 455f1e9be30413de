"""Mistakes in a query: each is told with its place and with what would be right."""

import re
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.query.parser import LENGTH_LIMIT_CHARACTERS, LIMIT_LEVELS, LIMIT_TERMS, parse
from events.query.scanner import BadQuery
from tests.events.query.mistakes import HARD, MISTAKES


@pytest.mark.parametrize(("query", "wrong", "sentence"), MISTAKES)
def test_a_mistake_is_told_with_its_place(query: str, wrong: str, sentence: str) -> None:
    with pytest.raises(BadQuery) as raised:
        parse(query)
    mistake = raised.value
    assert query[mistake.position : mistake.position + mistake.length] == wrong
    assert sentence in mistake.sentence
    assert 0 <= mistake.position <= mistake.position + mistake.length <= len(query)


def test_what_is_missing_has_the_place_where_it_should_stand() -> None:
    for query, position in (("a OR ", 5), ("module:", 7), ("payload.", 8), ("  ", 0)):
        with pytest.raises(BadQuery) as raised:
            parse(query)
        assert (raised.value.position, raised.value.length) == (position, 0)


def test_a_query_is_bounded() -> None:
    parse("a" * LENGTH_LIMIT_CHARACTERS)
    with pytest.raises(BadQuery, match="characters") as long:
        parse("a" * (LENGTH_LIMIT_CHARACTERS + 1))
    assert (long.value.position, long.value.length) == (LENGTH_LIMIT_CHARACTERS, 1)
    parse(" ".join(["a"] * LIMIT_TERMS))
    with pytest.raises(BadQuery, match="terms"):
        parse(" ".join(["a"] * (LIMIT_TERMS + 1)))
    parse(f"module:({','.join('abcd' * (LIMIT_TERMS // 4))})")
    with pytest.raises(BadQuery, match="terms"):
        parse(f"b module:({','.join('abcd' * (LIMIT_TERMS // 4))})")
    for deep, length in (("(", 1), ("-", 1), ("NOT ", 3)):
        closed = ")" * LIMIT_LEVELS * (deep == "(")
        parse(deep * LIMIT_LEVELS + "a" + closed)
        with pytest.raises(BadQuery, match="levels") as levels:
            parse(deep * (LIMIT_LEVELS + 1) + "a" + closed)
        assert (levels.value.position, levels.value.length) == (LIMIT_LEVELS * len(deep), length)


PIECES = st.sampled_from(
    ["a", '"b c"', "(", ")", "-", "OR", "AND", "NOT", "*", ":", ",", "module", "payload.x", "severity", ">=", "5", '"']
)


def mistake_in(text: str) -> BadQuery | None:
    try:
        parse(text)
    except BadQuery as bad:
        return bad
    return None


@given(st.lists(PIECES | st.just(" "), max_size=40).map("".join))
def test_any_text_is_read_or_its_mistake_lies_within_it(text: str) -> None:
    bad = mistake_in(text)
    if bad is not None:
        assert 0 <= bad.position <= bad.position + bad.length <= len(text)
        assert re.fullmatch(r"[A-Z][ -~]*[.*]", bad.sentence)


@given(st.text(max_size=LENGTH_LIMIT_CHARACTERS + 1, alphabet=st.characters(exclude_categories=())))
def test_no_text_raises_anything_else(text: str) -> None:
    mistake_in(text)


def steps_of(text: str) -> int:
    """How many lines Python executes to read it. Patterns run within a line: each is taken from a place once."""
    steps = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps
        steps += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        mistake_in(text)
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize("piece", HARD)
def test_reading_takes_steps_in_proportion_to_the_text(piece: str) -> None:
    limit = LENGTH_LIMIT_CHARACTERS // len(piece)
    half, whole = (steps_of(piece * count) for count in (limit // 2, limit))
    assert whole <= 2.2 * half + 100
    assert whole <= 60 * LENGTH_LIMIT_CHARACTERS
