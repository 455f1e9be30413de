"""What an index narrows by never leaves out an event that passes."""

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from events.query.parser import BadQuery, parse
from events.query.terms import AllOf, AnyOf, Condition, Term, narrowed, terms_of
from tests.events.query.samples import view

WORDS = st.sampled_from(["refused", "Über", "a", "ab", "日本", "10", "1e1", "x-y", "👍", "null"])
NAMES = st.sampled_from(["gateway", "gate", "spawner", "http.access"])
SCALARS = WORDS | st.integers(-2, 12) | st.sampled_from([0.5, 10.0, True, None])
PAYLOADS = st.dictionaries(
    st.sampled_from(["a", "b", "odd key", "Ö"]),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("a"), inner), max_leaves=6
    ),
    max_size=4,
)
VALUES = st.builds(
    lambda text, star: json.dumps(text, ensure_ascii=False) + star, WORDS | NAMES, st.sampled_from(["", "*"])
)
NUMBERS = st.sampled_from(["10", "1e1", "10.0", "0", "-1", "0.5"])
PATHS = st.sampled_from(["a", "b.a", "a.a", '"odd key"', '"Ö"'])
TERMS = st.one_of(
    st.builds("{}{}".format, WORDS, st.sampled_from(["", "*"])),
    st.builds(lambda one, other: f'"{one} {other}"', WORDS, WORDS),
    st.builds("{}:{}".format, st.sampled_from(["module", "type", "id", "correlation"]), VALUES),
    st.builds("severity{}{}".format, st.sampled_from([":", ">=", "<"]), st.sampled_from(["info", "warn", "error"])),
    st.builds("payload.{}{}{}".format, PATHS, st.sampled_from([":", ">=", "<"]), NUMBERS),
    st.builds("payload.{}:{}".format, PATHS, VALUES | st.just("*")),
)
QUERIES = st.recursive(
    TERMS,
    lambda inner: (
        st.builds("-({})".format, inner)
        | st.builds("({} {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
    ),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {"module": NAMES, "event_type": NAMES, "severity": st.sampled_from(["info", "warn", "error"]), "summary": WORDS}
)


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


def test_zero_is_found_whatever_its_sign() -> None:
    record = view('{"a": -0.0}')
    for text in ("payload.a:0e5", "payload.a:-0e1", "payload.a:0.0"):
        query = parse(text)
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
    assert condition("a OR -b") is None
    assert condition("payload.http.status:500") == AllOf(
        (Term("http"), Term("status"), AnyOf((Term("500"), Term("n:500.0"))))
    )
    assert condition("payload.http.status>=500") == AllOf((Term("http"), Term("status")))
