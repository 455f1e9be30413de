"""How many queries one process compares each event with: by terms, shared by those that ask the same."""

import pytest

from events.query import parse
from events.stream import live_queries as module
from events.stream.live_queries import LiveQueries
from gateway.filters import EVERYTHING, Selection
from gateway.http.errors import ApiError


def asked(*texts: str) -> Selection:
    return Selection(queries=frozenset(texts))


@pytest.mark.parametrize(
    ("text", "terms"),
    [("a", 1), ('"a b c"', 1), ("-a (b OR c)", 3), ("module:(a,b,c*)", 3), ("payload.a:*", 1), ("severity>=warn", 1)],
)
def test_terms_are_what_a_query_looks_for(text: str, terms: int) -> None:
    assert parse(text).terms == terms


def test_the_same_query_takes_room_once_and_gives_it_back_with_its_last_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TERMS_LIMIT", 3)
    live = LiveQueries()
    for _ in range(5):
        live.hold(asked("a b"))
    live.hold(asked("c"))
    live.hold(EVERYTHING)
    with pytest.raises(ApiError) as full:
        live.hold(asked("d"))
    assert (full.value.reason, live.terms) == ("at_capacity", 3)
    # What others have costs nothing.
    live.hold(asked("a b", "c"))
    live.release(asked("a b", "c"))
    for _ in range(5):
        live.release(asked("a b"))
    assert live.terms == 1
    live.hold(asked("d", "e"))
    assert live.terms == 3


def test_what_is_refused_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TERMS_LIMIT", 3)
    live = LiveQueries()
    with pytest.raises(ApiError):
        live.hold(asked("a", "b c d"))
    live.hold(asked("a b c"))
    assert live.terms == 3
