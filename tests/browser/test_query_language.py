"""Queries in the browser mean what they mean on the server: events.query has the answers."""

import sys
import unicodedata
from typing import Any

import pytest
from playwright.sync_api import Page

from events.query.words import words
from tests.browser.scripted import ScriptedServer
from tests.events.query.cases import Case, table
from tests.events.query.texts import PIECES, SIGNS

SHOWN_LIMIT = 20
ANSWERS = """
    async ({ bodies, questions }) => {
        const exact = await import("/static/events/exact.js");
        const { BadQuery, parse } = await import("/static/events/query.js");
        const events = bodies.map(exact.parse);
        return questions.map(([text, chosen]) => {
            try {
                const query = parse(text);
                return chosen.map((index) => query.matches(events[index]));
            } catch (bad) {
                if (!(bad instanceof BadQuery)) throw bad;
                return [bad.position, bad.length, bad.message];
            }
        });
    }
"""
WORDS = """
    async (texts) => {
        const { words } = await import("/static/events/query-words.js");
        return texts.map((text) => words(text).join(" "));
    }
"""
RANGES = """
    async (cases) => {
        const { rangeOf } = await import("/static/events/query.js");
        return cases.map(([text, position, length]) => text.slice(...rangeOf(text, { position, length })));
    }
"""
# Ahom's medial ra was a mark that takes no room until Unicode 15, and is one that does since then.
CHANGED = {0x1171E}


@pytest.fixture
def page(page: Page, script: ScriptedServer) -> Page:
    page.goto(script.url)
    return page


def differences(cases: list[Case], answers: list[Any]) -> list[tuple[str, Any, Any]]:
    pairs = zip(cases, answers, strict=True)
    return [(case.query, case.answer, answer) for case, answer in pairs if case.answer != answer][:SHOWN_LIMIT]


def test_thousands_of_queries_mean_the_same_as_on_the_server(page: Page) -> None:
    bodies, cases = table().bodies, table().cases
    questions = [(case.query, case.chosen) for case in cases]
    assert differences(cases, page.evaluate(ANSWERS, {"bodies": bodies, "questions": questions})) == []


def test_the_table_has_enough_of_each_kind() -> None:
    cases = table().cases
    read = [case for case in cases if not case.is_mistake]
    passed = [answer for case in read for answer in case.answer]
    assert len(read) > 3_000
    assert len(cases) - len(read) > 1_500
    assert 0.3 < sum(map(bool, passed)) / len(passed) < 0.7
    # Queries that tell events apart, and mistakes of every kind.
    assert sum(len(set(case.answer)) == 2 for case in read) > 1_500
    assert len({str(case.answer[-1])[:18] for case in cases if case.is_mistake}) >= 25


def test_every_letter_of_unicode_that_python_knows_is_the_same_word(page: Page) -> None:
    # Private letters have no meaning to differ in, and half of a pair is no letter.
    codes = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co"))
    texts = [f"A{chr(code)}b {chr(code)}" for code in codes if code not in CHANGED]
    assert len(texts) > 140_000
    texts += [f"{one}{other}" for one in PIECES for other in SIGNS]
    found = [" ".join(words(text)) for text in texts]
    shown = page.evaluate(WORDS, texts)
    assert [(text, one, other) for text, one, other in zip(texts, found, shown, strict=True) if one != other][:9] == []


@pytest.mark.parametrize("text", ["\U0001fa77", "\U0001faff", "\U000323af", "\U0002ffff"])
def test_emoji_and_ideographs_of_a_newer_unicode_are_words_in_both(page: Page, text: str) -> None:
    assert words(f"a{text}b") == ["a", text, "b"]
    assert page.evaluate(WORDS, [f"a{text}b"]) == [f"a {text} b"]


def test_a_place_in_code_points_becomes_a_place_in_the_text(page: Page) -> None:
    cases = [
        ("ab c", 1, 2),
        ("👩🏽\u200d💻 (x", 5, 1),
        ("𠮷野家", 1, 1),
        ("a👍", 2, 0),
        ("👍", 0, 1),
        ("é\u0301x", 2, 1),
    ]
    expected = [text[position : position + length] for text, position, length in cases]
    assert page.evaluate(RANGES, cases) == expected
