"""All pages of a search hold what the predicate finds in all rows: with the index whole, in part, and without it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from events import log, search
from events.index import IndexUnavailable, TooSlow
from events.log import Cursor, Entry, Page, reading
from events.query import BadQuery, Condition, compiled, parse, terms_of
from events.search import budget, spans
from events.search.narrowing import for_database, is_decided_by
from gateway.filters import EVERYTHING, Selection
from tests.events.query.strategies import FIELDS, PAYLOADS, QUERIES
from tests.events.query.test_terms import fulfilled
from tests.events.samples import append, append_events, grow_older, new_event, seqs, submission

pytestmark = pytest.mark.usefixtures("ledger")

EVENTS = st.lists(st.tuples(FIELDS, PAYLOADS), max_size=25)
MODULES = st.none() | st.sets(st.sampled_from(["gateway", "spawner"]), max_size=2).map(frozenset)


class ExactIndex:
    """Of the seqs from `low` to `high`, in memory. Every so often it is too slow, or away."""

    def __init__(self, low: int, high: int, faults: list[type[Exception] | None]) -> None:
        self._extent = (low, high)
        self._terms = {entry.seq: set(terms_of(entry.view())) for entry in everything() if low <= entry.seq <= high}
        self._faults = faults

    def extent(self) -> tuple[int, int]:
        return self._extent

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        assert self._extent[0] <= low <= high <= self._extent[1]
        if self._faults and (fault := self._faults.pop()):
            raise fault
        found = [seq for seq, terms in self._terms.items() if low <= seq <= high and fulfilled(condition, terms)]
        return sorted(found, reverse=not forwards)[:limit]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some questions go through many spans, and answer before they are done."""
    for name, value in (("SPAN_SEQS", 3), ("GROWTH", 2), ("CANDIDATES_LIMIT", 2)):
        monkeypatch.setattr(spans, name, value)
    monkeypatch.setattr(budget, "ROWS_LIMIT", 5)


def is_query(text: str) -> bool:
    try:
        parse(text)
    except BadQuery:
        return False
    return True


def log_of(events: list[Any]) -> None:
    """A log of these alone."""
    log.prune(keep_days=1, keep_rows=0, even_nearly_all=True)
    if events:
        first = log.head().last_seq
        new = [new_event(f"e{first + n}", payload=json.dumps(of), **fields) for n, (fields, of) in enumerate(events)]
        append(submission(*new))


def everything() -> list[Entry]:
    head = log.peek()
    return log.read_after(head.oldest, EVERYTHING).entries if head else []


def pages_back(selection: Selection, limit: int) -> list[Entry]:
    found: list[Entry] = []
    page = search.read_newest(selection, limit=limit)
    while True:
        assert len(page.entries) <= limit
        found = page.entries + found
        if not page.has_more:
            return found
        page = further(page, search.read_before(page.first_cursor, selection, limit=limit))


def further(before: Page, after: Page) -> Page:
    assert before.searched
    assert after.searched
    assert before.searched[0] == after.searched[1]
    return after


def pages_on(selection: Selection, limit: int, cursor: Cursor) -> list[Entry]:
    found: list[Entry] = []
    while True:
        page = search.read_after(cursor, selection, limit=limit)
        assert len(page.entries) <= limit
        found += page.entries
        if page.caught_up:
            return found
        assert page.cursor.seq > cursor.seq
        cursor = page.cursor


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    events=EVENTS,
    asked=QUERIES,
    modules=MODULES,
    limit=st.integers(1, 6),
    extent=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    faults=st.lists(st.sampled_from([None, TooSlow, IndexUnavailable]), max_size=6),
)
def test_pages_forwards_and_backwards_hold_what_the_predicate_lets_pass(
    events: list[Any],
    asked: str,
    modules: frozenset[str] | None,
    limit: int,
    extent: tuple[float, float],
    faults: list[type[Exception] | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assume(is_query(asked))
    log_of(events)
    head = log.head()
    selection = Selection(modules=modules, queries=frozenset({asked}))
    low, high = (head.oldest_seq + int(part * (head.last_seq - head.oldest_seq)) for part in sorted(extent))
    exact = ExactIndex(low, high, faults)
    monkeypatch.setattr(spans, "the_index", lambda: exact)

    wanted = [
        entry.seq
        for entry in everything()
        if (modules is None or entry.module in modules) and compiled(asked).matches(entry.view())
    ]
    assert seqs(pages_back(selection, limit)) == wanted
    assert seqs(pages_on(selection, limit, log.head().oldest)) == wanted
    counted = search.count(selection)
    assert counted is None or counted == len(wanted)


def test_a_window_of_time_holds_what_was_stored_in_it() -> None:
    append_events(9)
    now = timezone.now()
    for first, minutes in ((9, 0), (6, 10), (3, 20)):
        grow_older(first, timedelta(minutes=minutes))
    window = search.Window(now - timedelta(minutes=15), now - timedelta(minutes=5))
    newest = search.read_newest(EVERYTHING, limit=2, window=window)
    assert (seqs(newest.entries), newest.has_more, newest.complete) == ([5, 6], True, True)
    before = search.read_before(newest.first_cursor, EVERYTHING, limit=2, window=window)
    assert (seqs(before.entries), before.has_more) == ([4], False)
    after = search.read_after(log.head().oldest, EVERYTHING, limit=9, window=window)
    assert (seqs(after.entries), after.has_more, after.complete) == ([4, 5, 6], False, True)
    assert search.count(EVERYTHING, window=window) == 3
    since = datetime.fromtimestamp(int(now.timestamp()) - 900, UTC)
    counted = search.count_by_time(EVERYTHING, since=since, until=window.end, bucket_seconds=3600)
    assert (counted.counts, counted.complete) == ({(0, "info"): 3}, True)


def test_a_window_in_which_nothing_was_stored_is_an_empty_page_and_the_end() -> None:
    append_events(3)
    window = search.Window(timezone.now() + timedelta(hours=1))
    page = search.read_newest(EVERYTHING, limit=5, window=window)
    assert (page.entries, page.has_more, page.complete) == ([], False, True)


def test_what_a_query_demands_of_fields_is_said_to_the_database() -> None:
    asked = Selection(modules=frozenset({"a", "b"}), queries=frozenset({"module:(b,c) severity>=error refused"}))
    seen = for_database(asked)
    assert seen == asked & Selection(frozenset({"error", "critical"}), frozenset({"b"}))
    # Part of an alternative, or of what must not be, is demanded of nothing.
    for text in ("module:b OR refused", "-module:b", "module:b*"):
        assert for_database(Selection(queries=frozenset({text}))).modules is None


def test_a_selection_is_decided_by_fields_if_it_names_no_others_and_asks_for_nothing_else() -> None:
    source = ("severity", "module", "event_type")
    for text in ("module:(a,b) severity>=warn", "-type:http.*", "module:a OR NOT (severity:info type:b)"):
        asked = Selection(queries=frozenset({text}))
        assert is_decided_by(asked, source)
        assert not is_decided_by(asked, ("severity",))
    for text in ("refused", "correlation:c", "id:e1", "payload.a:*", "module:a OR refused", "-refused"):
        assert not is_decided_by(Selection(queries=frozenset({text})), source)
    assert not is_decided_by(Selection(correlation_ids=frozenset({"c"})), source)
    assert is_decided_by(
        Selection(severities=frozenset({"warn"}), queries=frozenset({"-severity:info"})), ("severity",)
    )
    assert not is_decided_by(Selection(modules=frozenset({"a"})), ("severity",))


def test_the_index_says_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long log, only the events that may pass, and those that are not indexed yet."""
    monkeypatch.setattr(spans, "CANDIDATES_LIMIT", 10)
    log_of([({"module": "rare" if n in (7, 30) else "gateway"}, {}) for n in range(40)])
    first = log.head().oldest_seq
    exact = ExactIndex(first, first + 37, [])
    monkeypatch.setattr(spans, "the_index", lambda: exact)
    read: list[int] = []
    passes = reading._passes

    def noted(row: Any, *of: Any) -> bool:
        read.append(row.seq - first)
        return passes(row, *of)

    monkeypatch.setattr(reading, "_passes", noted)
    asked = Selection(queries=frozenset({"rare"}))
    assert [entry.seq - first for entry in pages_back(asked, 5)] == [7, 30]
    assert set(read) == {38, 39, 30, 7}
