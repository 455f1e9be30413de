"""Words are found in texts as they stand where that is possible, and that says the same as the words of the texts."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from events.log.records import Record, encode
from events.query import RecordView, parse
from events.query.phrases import LIMIT_WORDS, decider
from events.query.record_view import RecordView as View
from events.query.words import WORD_LIMIT_CHARACTERS
from tests.events.query.samples import DEFAULTS

LONG = "w" * WORD_LIMIT_CHARACTERS
PIECES = st.sampled_from(
    ["a", "b", "ab", "A", "10", "null", LONG, f"{LONG}w", "Ü", "日", ' "', "\n", ",", "-", ". ", "\\", " "]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
SCALARS = TEXTS | st.sampled_from([1, 10, -10, 1.5, True, None])
PAYLOADS = st.dictionaries(st.sampled_from(["a", "b a"]), SCALARS | st.lists(SCALARS, max_size=4), max_size=3)
WORDS = st.lists(st.sampled_from(["a", "b", "ab", "10", "5", "null", "true", LONG, "u", "日"]), min_size=1, max_size=3)


def views(payload: Any, summary: str) -> list[View]:
    """As a stream has it, and as the database gives it."""
    fields = {**DEFAULTS, "summary": summary}
    text = json.dumps(payload, ensure_ascii=False)
    record = Record(seq=1, payload=text, created_at=datetime.now(UTC), occurred_at=None, **fields)
    return [RecordView(encode(record).body), RecordView.of_row(record)]


@settings(deadline=None, max_examples=400)
@given(PAYLOADS, TEXTS, WORDS, st.sampled_from(["", "*"]))
@example({"a": [1, 10]}, "", ["1", "10"], "")
@example({"a": "1, 10"}, "", ["1", "10"], "")
@example({}, 'a "b" a', ["a", "b", "a"], "")
@example({}, "a\nb", ["a", "b"], "")
def test_what_is_decided_by_texts_is_what_words_say(payload: Any, summary: str, words: list[str], end: str) -> None:
    asked = parse(f'"{" ".join(words)}"{end}')
    for view in views(payload, summary):
        wanted = f" {' '.join(words)}" + ("" if end else " ") in view.words
        assert asked.matches(view) == wanted


@pytest.mark.parametrize(
    ("texts", "decided"),
    [
        ("connection refused", True),
        ("a connection: refused", True),
        ("connection, refused", None),
        ("connection\nrefused", False),
        ('"connection":"refused"', False),
        ("connection was refused", False),
        ("reconnection refused", False),
        ("connection refuseds", False),
    ],
)
def test_only_a_comma_leaves_it_to_the_words(texts: str, *, decided: bool | None) -> None:
    assert decider(["connection", "refused"], prefix=False)(texts) is decided


def test_a_long_phrase_is_left_to_the_words() -> None:
    assert decider(["a"] * (LIMIT_WORDS + 1), prefix=False)("a " * 20) is None
    assert decider(["a"] * LIMIT_WORDS, prefix=False)("a " * 20) is True


def test_a_word_that_may_have_been_cut_is_left_to_the_words() -> None:
    assert decider([LONG], prefix=False)(f"{LONG}w") is None
