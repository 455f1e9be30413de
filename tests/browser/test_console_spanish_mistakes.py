"""What is wrong with a query or a field is said in the language of the page, with what was typed in it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.accounts import Account
from tests.browser.console_page import ConsolePage, enter
from tests.client import API, Client, Json
from tests.events.query.mistakes import MISTAKES
from tests.stacks import Stack

Open = Callable[[str], ConsolePage]
TOO_MUCH = ["x" * 1001, "(" * 60 + "a", " ".join(["a"] * 200)]
TRANSLATE = """
    async (queries) => {
        const { BadQuery, parse } = await import("/static/events/query.js");
        const { translated } = await import("/static/operator_api/mistakes.js");
        return queries.map((query) => {
            try {
                parse(query);
            } catch (bad) {
                if (bad instanceof BadQuery) return [bad.message, translated(bad.message)];
                throw bad;
            }
            return null;
        });
    }
"""
EVERY = {"kind": "every"}
WRONG_WATCHES: tuple[Json, ...] = (
    {"name": "", "condition": 1, "group_by": "colour", "cooldown_sec": 1, "notify": 1, "shared": 1, "muted_until": "x"},
    {"name": "a\n", "query": 1, "condition": {"kind": "never"}, "colour": 1, "notify": [str(n) for n in range(11)]},
    {"name": "a" * 101, "condition": {"kind": "count"}, "quiet": {"from": "x", "to": "y", "zone": "UTC"}},
    {"name": "a", "condition": {"kind": "new_value", "field": "module", "days": 1}, "group_by": "module", "quiet": 1},
    {"name": "a", "condition": EVERY, "quiet": {"from": "22:00", "to": "22:00", "zone": "UTC"}},
    {"name": "a", "condition": EVERY, "quiet": {"from": "22:00", "to": "07:00", "zone": "Nowhere"}},
    {"name": "a", "condition": EVERY, "quiet": {"color": 1}},
    {"name": "a", "condition": EVERY, "notify": ["no-such-target"]},
)
WRONG_WINDOWS: tuple[Json, ...] = ({"mode": "ajar", "ttl_sec": 0}, {"services": ["none"]}, {"services": ["a"] * 101})
# Words of English sentences that are none of the language of queries.
ENGLISH = re.compile(r"\b(?:the|stands?|there|here|behind|missing|needed|closes?|closed)\b", re.IGNORECASE)


@pytest.fixture
def open_in(new_page: Callable[..., Page], stack: Stack, viewer: Account) -> Open:
    def make(language: str) -> ConsolePage:
        console = ConsolePage(new_page(locale=language), stack.a.url)
        enter(console.page.context, stack.a.url, viewer)
        console.page.goto(f"{stack.a.url}/operator/")
        expect(console.page.locator(".status")).to_have_attribute("data-state", "live")
        return console

    return make


def test_every_sentence_about_a_mistake_has_its_spanish_words(open_in: Open) -> None:
    queries = [query for query, _, _ in MISTAKES] + TOO_MUCH
    answers = open_in("es-ES").page.evaluate(TRANSLATE, queries)
    assert None not in answers
    assert [pair for pair in answers if pair[0] == pair[1] or ENGLISH.search(pair[1])] == []
    # Each kind of mistake has words of its own.
    assert len({translated for _, translated in answers}) > 20


def test_what_was_typed_stands_in_the_sentence(open_in: Open) -> None:
    console = open_in("es-ES")
    line = console.page.get_by_role("combobox", name="Consulta")
    line.fill("host:a")
    line.press("Enter")
    mistake = console.page.locator("[data-slot=query-mistake]")
    expect(mistake).to_contain_text("No hay campo host; hay severity, type, module, correlation, id y payload.RUTA.")
    line.fill("payload.a>=(1)")
    line.press("Enter")
    expect(mistake).to_contain_text("Detrás de >= va un solo valor.")
    assert console.problems == []


def test_in_english_the_sentences_are_those_of_the_language_of_queries(open_in: Open) -> None:
    answers = open_in("en-GB").page.evaluate(TRANSLATE, [query for query, _, _ in MISTAKES])
    assert [pair for pair in answers if pair[0] != pair[1]] == []


def test_what_is_wrong_with_fields_has_its_spanish_words(open_in: Open, principal: Client) -> None:
    sentences = {problem for body in WRONG_WATCHES for problem in problems_of(principal, f"{API}/watches", body)}
    sentences |= {problem for body in WRONG_WINDOWS for problem in problems_of(principal, f"{API}/window/open", body)}
    sentences |= set(problems_of(principal, f"{API}/chat", {"message": 1, "metadata": 1, "session_id": "ñ"}))
    translate = """
        async (sentences) => {
            const { ApiError } = await import("/static/operator_api/requests.js");
            const refusals = sentences.map((each) => ({ reason: "validation_error", errors: { field: [each] } }));
            return refusals.map((body) => new ApiError({ status: 422, body }).sentence.split("field: ")[1]);
        }
    """
    shown = open_in("es-ES").page.evaluate(translate, sorted(sentences))
    assert [pair for pair in zip(sorted(sentences), shown, strict=True) if pair[0] == pair[1]] == []
    # Each kind has words of its own, and they say what can be taken.
    assert len(set(shown)) == len(sentences) > 15
    assert "un número entero de 10 a 604800" in shown


def problems_of(principal: Client, path: str, body: Json) -> list[str]:
    answer = principal.post(path, json=body)
    assert answer.status_code == 422, answer.text
    return [problem for problems in answer.json()["errors"].values() for problem in problems]


def test_a_sentence_that_the_page_does_not_know_is_shown_as_it_is(open_in: Open) -> None:
    translate = """async (sentence) => (await import("/static/operator_api/mistakes.js")).translated(sentence)"""
    assert open_in("es-ES").page.evaluate(translate, "A new kind (of) mistake.") == "A new kind (of) mistake."
