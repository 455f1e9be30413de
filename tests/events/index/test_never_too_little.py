"""What the index finds for a query contains every event that the predicate passes, whatever the range and direction."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from events.index import Store
from events.index.searching import StoredIndex
from events.index.vocabulary import as_held, terms_in
from events.log.records import Record, encode
from events.query import AllOf, AnyOf, BadQuery, Query, RecordView, Term, narrowed, parse, terms_of
from tests.events.index.samples import record
from tests.events.query.strategies import FIELDS, NAMES, PAYLOADS, QUERIES

IDS = st.sampled_from(["req-9F3a", "req", "REQ-9f3b", "a:b.c_d", "10", "-"])
EVENTS = st.lists(st.tuples(PAYLOADS, FIELDS, IDS), min_size=1, max_size=30)
# Also such as hold characters that no index takes as they are.
ODD_QUERIES = st.one_of(
    st.sampled_from(
        [
            'module:"a b"*',
            "correlation:req*",
            'correlation:"-"',
            'correlation:"-"*',
            "id:REQ-9f3b",
            'type:"it\'s \\\\ here"',
            "module:(a,b,c,d,e,gateway)",
        ]
    ),
    st.builds("correlation:{} ({})".format, NAMES, QUERIES),
)
A_FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def parsed(text: str) -> Query:
    try:
        return parse(text)
    except BadQuery:
        # Too deep, or a word that is none.
        assume(False)  # noqa: FBT003 - hypothesis's signature
        raise


def fill(store: Store, records: list[Record]) -> None:
    store.claim("test")
    store.begin("test", "epoch", after=0)
    store.write("test", [(row.seq, terms_in(row)) for row in records], low=1, high=len(records))


@A_FEW
@given(EVENTS, st.lists(QUERIES | ODD_QUERIES, min_size=1, max_size=5), st.data())
def test_the_index_finds_every_event_that_passes(
    store: Store, events: list[tuple[dict[str, Any], dict[str, str], str]], queries: list[str], data: st.DataObject
) -> None:
    records = [
        record(seq, payload=json.dumps(payload), correlation_id=some_id, event_id=f"{some_id}{seq}", **fields)
        for seq, (payload, fields, some_id) in enumerate(events, start=1)
    ]
    fill(store, records)
    low = data.draw(st.integers(1, len(records)))
    high = data.draw(st.integers(low, len(records)))
    limit, forwards = data.draw(st.integers(1, 30)), data.draw(st.booleans())
    for text in queries:
        query = parsed(text)
        passing = [row.seq for row in records if query.matches(RecordView(encode(row).body))]
        found = StoredIndex(store).seqs(
            narrowed(query.root), low=low, high=high, limit=limit, seconds=10, forwards=forwards
        )
        assert found == sorted(set(found), reverse=not forwards)
        assert len(found) <= limit
        assert all(low <= seq <= high for seq in found)
        # What is cut off by the limit lies behind the last that was found.
        reached = [seq for seq in range(low, high + 1) if len(found) < limit or _is_before(seq, found[-1], forwards)]
        assert {seq for seq in passing if seq in reached} <= set(found)


def _is_before(seq: int, last: int, forwards: bool) -> bool:  # noqa: FBT001 - private
    return seq <= last if forwards else seq >= last


@A_FEW
@given(PAYLOADS, FIELDS, IDS)
def test_terms_read_without_parsing_are_none_too_few(
    payload: dict[str, Any], fields: dict[str, str], some_id: str
) -> None:
    plain = {name: value.encode("ascii", "ignore").decode() for name, value in fields.items()}
    text = json.dumps(payload, ensure_ascii=False).encode("ascii", "ignore").decode()
    assume("\\" not in text)
    try:
        json.loads(text, object_pairs_hook=_unique)
    except ValueError:
        assume(False)  # noqa: FBT003 - hypothesis's signature
    row = record(1, payload=text, correlation_id=some_id, **plain)
    wanted = {as_held(term) for term in terms_of(RecordView(encode(row).body)) if not term.startswith(("i:", "c:"))}
    assert wanted <= set(terms_in(row))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assume(len(dict(pairs)) == len(pairs))
    return dict(pairs)


def test_a_condition_with_hundreds_of_values_can_be_asked(store: Store) -> None:
    fill(store, [record(seq, module=f"m{seq}") for seq in range(1, 20)])
    condition = AnyOf(tuple(Term(f"m:m{number}") for number in range(3, 500)))
    found = StoredIndex(store).seqs(condition, low=1, high=19, limit=100, seconds=10)
    assert found == list(range(19, 2, -1))


def test_an_event_with_too_many_terms_is_found_by_every_search(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # One letter of eighteen: 64 KiB of text become a megabyte of words.
    monkeypatch.setattr("events.index.vocabulary.TERMS_LIMIT_BYTES", 2_000)
    words = " ".join(f"w{number}" for number in range(500))
    fill(store, [record(1, payload=json.dumps({"text": words})), record(2)])
    for condition in (Term("w7"), Term("absent"), AllOf((Term("m:x"), Term("w", prefix=True)))):
        assert StoredIndex(store).seqs(condition, low=1, high=2, limit=10, seconds=10) == [1]


def test_the_largest_event_can_be_held(store: Store) -> None:
    words = " ".join(f"{number:x}" for number in range(13_000))
    fill(store, [record(1, payload=json.dumps({"text": words}))])
    assert StoredIndex(store).seqs(Term("32c7"), low=1, high=1, limit=10, seconds=10) == [1]
