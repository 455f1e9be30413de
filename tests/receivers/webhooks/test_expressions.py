"""JMESPath with a bound: what administrators write is checked when it is saved, and no body makes it dear."""

import time
import tracemalloc
from typing import Any

import pytest

from receivers.webhooks.expressions import (
    LENGTH_LIMIT_CHARACTERS,
    BadExpression,
    TooMuchWork,
    Work,
    compiled,
)

MANY: dict[str, Any] = {"items": [{"a": f"{n:06}" + "x" * 60, "n": n, "in": [n] * 5} for n in range(10_000)]}
DEEP: Any = 1
for _ in range(30):
    DEEP = [DEEP, DEEP]


def result(text: str, document: Any) -> Any:
    return Work().result(compiled(text), document)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("body.action", "opened"),
        ("join(', ', body.labels[*].name)", "a, b"),
        ("sort_by(body.labels, &n)[0].name", "b"),
        ("body.labels[?n > `1`].name | [0]", "a"),
        ("body.labels[?contains(name, 'b')] | length(@)", 1),
        ("body.labels[].name | [-1]", "b"),
        ("{x: body.action, y: body.none}", {"x": "opened", "y": None}),
        ("body.labels[0:1] == body.labels[:1]", True),
        ("body.none || 'else'", "else"),
    ],
)
def test_it_is_the_language_of_jmespath(text: str, expected: object) -> None:
    body = {"action": "opened", "labels": [{"name": "a", "n": 2}, {"name": "b", "n": 1}]}
    assert result(text, {"body": body}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "body.",
        "body[",
        "no_function(body)",
        "@" * 3,
        "a" * (LENGTH_LIMIT_CHARACTERS + 1),
        "!" * 900 + "a",
        "a[" * 300 + "]" * 300,
        "[" * 40 + "a" + "]" * 40,
        "length(",
    ],
)
def test_what_is_no_expression_or_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        compiled(text)


@pytest.mark.parametrize("text", ["length(n)", "sum(t)", "sort_by(l, &t)", "join(n, l)", "abs(t)"])
def test_a_value_of_another_type_is_named_without_a_word_of_the_body(text: str) -> None:
    with pytest.raises(BadExpression) as wrong:
        result(text, {"n": 1, "t": "geheim", "l": [{"t": 1}, {"t": "geheim"}]})
    assert "geheim" not in str(wrong.value)


@pytest.mark.parametrize(
    "text",
    [
        # What an expression can make of one reference: 2 to the power of its length.
        "[@,@]" + "|[@,@]" * 20,
        "[@,@]" + "|[@,@][]" * 8,
        "to_string([@,@]" + "|[@,@]" * 20 + ")",
        "[@,@]" + "|[@,@]" * 20 + " == [@]",
        "items[*].a | [@,@]" + "|[@,@][]" * 10 + "| join('', @[])",
        "join('" + "x" * 800 + "', items[*].a)",
        "items[*].[a,a,a,a,a,a,a,a,a,a,a,a]",
        "sort_by(items, &join('', [a,a,a,a,a,a,a,a,a,a]))[0]",
        "items[*].in[*].[@,@,@]",
        "items[?contains(in, `1`)].in[] | contains(@, `2`)",
        "map(&length(to_string(@)), items)",
        "reverse(sort(items[*].a)) | [@,@,@,@] | [].[@,@]",
    ],
)
def test_n17_what_would_take_long_is_broken_off(text: str) -> None:
    node, began = compiled(text), time.process_time()
    with pytest.raises(TooMuchWork):
        Work().result(node, MANY)
    assert time.process_time() - began < 0.5


def test_n17_a_value_that_is_referred_to_many_times_is_counted_each_time() -> None:
    """Thirty lists of two are a thousand million values when they are written."""
    for text in ("@", "to_string(@)", "@ == @", "[@][] | length(@)"):
        with pytest.raises(TooMuchWork):
            result(text, DEEP)


def test_long_texts_are_read_at_the_speed_of_memory() -> None:
    """A body of one text of a megabyte is no reason to refuse what looks for a word in it."""
    assert result("contains(@, 'x')", "a" * 1_000_000) is False
    with pytest.raises(TooMuchWork):
        result("[@,@,@,@] | [@,@,@,@][] | [@,@][] | join('', @)", "a" * 1_000_000)


def test_n17_all_expressions_of_a_request_share_what_they_may_do() -> None:
    work, node = Work(limit_steps=60_000), compiled("items[*].a")
    assert len(work.result(node, MANY)) == 10_000
    with pytest.raises(TooMuchWork):
        work.result(node, MANY)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        # A gigabyte of glue.
        ("join(glue, parts)", {"glue": "x" * 100_000, "parts": ["a"] * 10_000}),
        # Fifteen million references in one step.
        ("[" + ",".join("@" * 300) + "][] | type(@)", list(range(50_000))),
    ],
    ids=["join", "flatten"],
)
def test_n17_what_would_take_memory_is_broken_off_before_it_is_there(text: str, document: object) -> None:
    node = compiled(text)
    tracemalloc.start()
    try:
        with pytest.raises(TooMuchWork):
            Work().result(node, document)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20_000_000
