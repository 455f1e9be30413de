"""What an index narrows by never leaves out an event that passes."""

from typing import Any

import pytest
from hypothesis import assume, given, settings

from events.query import BadQuery, parse
from events.query.terms import AllOf, AnyOf, Condition, Term, narrowed, terms_of
from tests.events.query.samples import view
from tests.events.query.strategies import FIELDS, PAYLOADS, QUERIES


def fulfilled(condition: Condition, terms: set[str]) -> bool:
    match condition:
        case None:
            return True
        case Term(text, prefix):
            return any(term.startswith(text) for term in terms) if prefix else text in terms
        case AllOf(conditions):
            return all(fulfilled(each, terms) for each in conditions)
        case AnyOf(conditions):
            return any(fulfilled(each, terms) for each in conditions)


@settings(deadline=None)
@given(QUERIES, PAYLOADS, FIELDS)
def test_what_passes_fulfils_the_condition(text: str, payload: dict[str, Any], fields: dict[str, str]) -> None:
    try:
        query = parse(text)
    except BadQuery:
        # Too deep, or a word that is none.
        assume(False)  # noqa: FBT003 - hypothesis's signature
    record = view(payload, **fields)
    if query.matches(record):
        assert fulfilled(narrowed(query.root), set(terms_of(record)))


@pytest.mark.parametrize("zero", ["0", "0.0", "-0", "0e5", "-0.0"])
@pytest.mark.parametrize("written", ["0", "0.0", "-0", "0e5", "-0.0"])
def test_zero_is_found_however_it_is_written(zero: str, written: str) -> None:
    query, record = parse(f"payload.a:{zero}"), view(f'{{"a":{written}}}')
    assert query.matches(record)
    assert fulfilled(narrowed(query.root), set(terms_of(record)))


def test_a_condition_is_as_narrow_as_the_query_allows() -> None:
    def condition(text: str) -> Condition:
        return narrowed(parse(text).root)

    assert condition("refused") == Term("refused")
    assert condition('"connection ref"*') == AllOf((Term("connection"), Term("ref", prefix=True)))
    assert condition("module:(b,a*)") == AnyOf((Term("m:b"), Term("m:a", prefix=True)))
    assert condition("severity>=error") == AnyOf((Term("s:critical"), Term("s:error")))
    assert condition("a -b") == Term("a")
    assert condition("a OR b") == AnyOf((Term("a"), Term("b")))
    assert condition("a OR -b") is None
    assert condition("payload.http.status:500") == AllOf(
        (Term("http"), Term("status"), AnyOf((Term("500"), Term("n:500.0"))))
    )


def test_a_comparison_asks_for_no_more_than_a_twelfth_too_much_at_its_path() -> None:
    larger = narrowed(parse("payload.http.status>=500").root)
    for payload, found in (
        ({"http": {"status": 500}}, True),
        ({"http": {"status": [1, 9_000]}}, True),
        ({"http": [{"status": 10**30}]}, True),
        ({"http": {"status": 495}}, False),
        ({"http": {"status": -500}}, False),
        ({"status": 500}, False),
        ({"http": {"status": "500"}}, False),
    ):
        assert fulfilled(larger, set(terms_of(view(payload)))) is found
