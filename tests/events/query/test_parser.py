"""Mistakes in a query: each is told with its place and with what would be right."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.query.parser import LENGTH_LIMIT_CHARACTERS, LIMIT_LEVELS, LIMIT_TERMS, BadQuery, parse


@pytest.mark.parametrize(
    ("query", "wrong", "sentence"),
    [
        ("", "", "is empty"),
        ("   ", "", "is empty"),
        ("a (b", "(", "not closed"),
        ("a) b", ")", "closes nothing"),
        ("()", ")", "term is missing"),
        ("a OR", "", "term is missing"),
        ("OR a", "O", "term is missing"),
        ("a AND AND b", "A", "term is missing"),
        ("a OR OR b", "O", "term is missing"),
        ("- a", "-", "directly before"),
        ("a -", "-", "directly before"),
        ("a NOT", "", "term is missing"),
        ('"open', '"open', "not closed"),
        ('"a\\n"', '"a\\n"', "not closed"),
        ("...", "...", "no word"),
        ('"--"', '"--"', "no word"),
        ("*", "*", "no word"),
        ("c*n", "*", "at the end"),
        ("*ion", "*", "at the end"),
        ("host:a", "host", "no field host"),
        ("http://x", "http", "put it in quotes"),
        ("module>a", ">", "no order"),
        ("module:", "", "value is missing"),
        ("module: a", " ", "without a space"),
        ("module:(a b)", "b", "separated by commas"),
        ("module:(a,b", "(", "not closed"),
        ("module:(a,)", ")", "value is missing"),
        ("type:*.x", "*", "at the end"),
        ("severity:loud", "loud", "no such severity"),
        ("severity>=warn*", "warn*", "no such severity"),
        ("payload.a", "payload.a", "Behind a path"),
        ("payload.:x", ":", "key is missing"),
        ("payload.a>=x", "x", "a number"),
        ("payload.a>=nan", "nan", "a number"),
        ("payload.a>=", "", "value is missing"),
        (">5", ">", "behind a field"),
        (":", ":", "behind a field"),
    ],
)
def test_a_mistake_is_told_with_its_place(query: str, wrong: str, sentence: str) -> None:
    with pytest.raises(BadQuery) as raised:
        parse(query)
    told = raised.value
    assert query[told.position : told.position + max(told.length, len(wrong))][: len(wrong)] == wrong
    assert sentence in told.sentence
    assert 0 <= told.position <= len(query)


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
    parse("(" * (LIMIT_LEVELS - 1) + "a" + ")" * (LIMIT_LEVELS - 1))
    for deep in ("(", "-", "NOT "):
        with pytest.raises(BadQuery, match="levels"):
            parse(deep * LIMIT_LEVELS + "a" + ")" * (LIMIT_LEVELS if deep == "(" else 0))


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
        assert 0 <= bad.position <= len(text)
        assert 0 <= bad.position + bad.length <= len(text) + 1
        assert re.fullmatch(r"[A-Z].*[.*]", bad.sentence)
