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


@pytest.mark.parametrize(
    ("query", "wrong", "sentence"),
    [
        ("", "", "is empty"),
        ("   ", "", "is empty"),
        ("a (b", "(", "not closed"),
        ("a) b", ")", "closes nothing"),
        ("()", ")", "term is missing"),
        ("a OR", "", "term is missing"),
        ("OR a", "OR", "term is missing"),
        ("a AND AND b", "AND", "term is missing"),
        ("a OR OR b", "OR", "term is missing"),
        ("a OR\u00a0OR b", "OR", "term is missing"),
        ("-(NOT)", ")", "term is missing"),
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
        ("http://x", "http", "no field http;"),
        ("http://x", "http", "put all of it in quotes"),
        ("at 12:30:05", "12", "no field 12;"),
        ("\x1b[31m:x", "[31m", "no such field"),
        (f"{'n' * 41}:x", "n" * 41, "no such field"),
        ("Severity:error", "Severity", "no field Severity"),
        ("payload:x", "payload", "payload.<path>"),
        ("module>a", ">", "no order"),
        ("module:", "", "value is missing"),
        ("module: a", " ", "without a space"),
        ("module:\na", "\n", "without a space"),
        ("module:\u3000a", "\u3000", "without a space"),
        ("module:a,b", ",", "in parentheses"),
        ('type:"a","b"', ",", "in parentheses"),
        ("severity:warn,error", ",", "in parentheses"),
        ("payload.a:1,5", ",", "in parentheses"),
        ("payload.a>1,5", ",", "in parentheses"),
        ("payload.a>(1,5)", "(", "one value"),
        ("severity>=(warn,error)", "(", "one value"),
        ("module:(a OR b)", "OR"[:1], "separated by commas"),
        ("module:(a b)", "b", "separated by commas"),
        ("module:(a,b", "(", "not closed"),
        ("module:(a,)", ")", "value is missing"),
        ("type:*.x", "*", "at the end"),
        ("severity:loud", "loud", "no such severity"),
        ("severity:", "", "value is missing"),
        ("severity>=warn*", "warn*", "no such severity"),
        ("severity:x*", "x*", "no such severity"),
        ('severity:""', '""', "no such severity"),
        ('-"👍🏽 é" severity:"löud"', '"löud"', "no such severity"),
        ("payload.a", "payload.a", "Behind a path"),
        ("payload.a=5", "payload.a", "Behind a path"),
        ("payload.a!=5", "payload.a", "Behind a path"),
        ("payload.", "", "key is missing"),
        ("payload.:x", ":", "key is missing"),
        ("payload.a..b:x", ".", "key is missing"),
        ("payload.a/b:x", "/", "without quotes"),
        ('payload.a"b":x', '"', "without quotes"),
        ('payload."a:x', '"a:x', "not closed"),
        ("payload.a>=x", "x", "a number"),
        *(
            (f"payload.a>={text}", text, "a number")
            for text in ("nan", "Infinity", "007", ".5", "5.", "+5", "1_0", "0x1")
        ),
        *((f"payload.a>={text}", text, "a number") for text in ("1*", "٣", "1e", "--1", "true")),
        ("payload.a>=", "", "value is missing"),
        (">5", ">", "behind a field"),
        (":", ":", "behind a field"),
    ],
)
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


# The kinds of text that could make a parser go back and forth.
HARD = [
    *(
        "(",
        ")",
        "-",
        '"',
        '"a',
        "\\",
        '"\\"',
        "a ",
        "a",
        " ",
        "* ",
        "a* ",
        ":",
        "a:",
        "<",
        "OR ",
        "a OR ",
        "NOT ",
        "( ",
        "日",
    ),
    *(
        "module:(a,",
        "module:(",
        "payload.",
        "payload.a",
        'payload."a".',
        "payload.a:1 ",
        "-(",
        "AND ",
        "\u200f",
        "é\u0301",
    ),
]


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
