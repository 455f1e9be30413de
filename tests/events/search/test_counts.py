"""Counts by time and of fields are those of all rows: with the index whole, in part, behind, pruned and off."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import log, search
from events.index import ONE_BUCKET, Index, Indexer, IndexUnavailable, Store, TooSlow, Wanted, indexer, tallies
from events.index.searching import StoredIndex
from events.log import Entry
from events.models import Event
from events.search import Budget, Window, tallied
from gateway.filters import Selection
from tests.events.index.stores import index_all, make_store
from tests.events.samples import append, append_events, new_event, submission
from tests.events.search.test_queries import everything

pytestmark = pytest.mark.usefixtures("ledger")

BLOCK_SEQS = 8
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODULES, TYPES, SEVERITIES = ("gateway", "gate", "spawner"), ("http.access", "http.error"), ("info", "warn", "error")
# Minutes of the log, and how far clocks of processes differ.
LOG_SECONDS, SKEW_SECONDS = 600, 30
SETS = st.none() | st.sets(st.sampled_from(MODULES), max_size=2).map(frozenset)
QUERIES = st.sampled_from(
    [
        "module:(gateway,spawner) severity>=warn",
        "-type:http.error",
        "module:gate*",
        "module:gate OR (type:http.access NOT severity:warn)",
        "-(module:gate severity:info)",
        "severity>=warn OR -severity:info",
        # Of no tally.
        "module:gate happened",
        "correlation:c1",
    ]
)
SELECTIONS = st.builds(
    lambda modules, severities, ids, asked: Selection(
        modules=modules, severities=severities, correlation_ids=ids, queries=asked
    ),
    SETS,
    st.none() | st.just(frozenset({"warn", "error"})),
    st.sampled_from([None, None, None, frozenset({"c1"})]),
    st.none() | QUERIES.map(lambda text: frozenset({text})),
)
MOMENTS = st.none() | st.integers(-60, LOG_SECONDS + 60)


class FaultyIndex(StoredIndex):
    """Every so often it is too slow, or away."""

    def __init__(self, store: Store, faults: list[type[Exception] | None]) -> None:
        super().__init__(store)
        self._faults = faults

    def tallies(self, *args: Any, **kwargs: Any) -> list[tallies.Tally]:
        if self._faults and (fault := self._faults.pop()):
            raise fault
        return super().tallies(*args, **kwargs)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (tallies, "BLOCK_SEQS", BLOCK_SEQS),
        (tallied, "COUNT_SPAN_SEQS", 5),
        (tallied, "TALLIES_LIMIT", 2),
        (indexer, "BATCH_ROWS", 5),
        (indexer, "PAGE_ROWS", 3),
        (indexer, "TIDY_SECONDS", 0),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def store(ledger: None, tmp_path: Path) -> Iterator[Store]:
    made = make_store(tmp_path, segment_seqs=1_000)
    yield made
    made.remove()


def add(count: int, chance: random.Random) -> None:
    """Events of a clock that goes on, though not at each event."""
    known = log.peek()
    first = known.last_seq if known else 0
    new = [
        new_event(
            f"e{first + number}",
            module=chance.choice(MODULES),
            event_type=chance.choice(TYPES),
            severity=chance.choice(SEVERITIES),
            correlation_id=chance.choice(("c1", "c2")),
            payload=json.dumps({}),
        )
        for number in range(count)
    ]
    append(submission(*new))


def date_all(chance: random.Random) -> None:
    rows = list(Event.objects.order_by("seq"))
    for number, row in enumerate(rows):
        second = LOG_SECONDS * number / max(1, len(rows)) + chance.uniform(-SKEW_SECONDS, SKEW_SECONDS)
        row.created_at = BEGIN + timedelta(seconds=second)
    Event.objects.bulk_update(rows, ["created_at"])


def use(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    monkeypatch.setattr(tallied, "the_index", lambda: index)


def within(window: Window, selection: Selection) -> list[Entry]:
    oldest, newest = window.seqs(log.head())
    return [entry for entry in everything() if oldest <= entry.seq <= newest and entry.passes(selection)]


def moment(second: int | None) -> datetime | None:
    return None if second is None else BEGIN + timedelta(seconds=second)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 45),
    steps=st.integers(0, 14),
    late=st.integers(0, 12),
    pruned=st.integers(0, 30),
    faults=st.lists(st.sampled_from([None, TooSlow, IndexUnavailable]), max_size=4),
    asked=st.lists(st.tuples(SELECTIONS, MOMENTS, MOMENTS), min_size=1, max_size=4),
    bucket_seconds=st.sampled_from([7, 60, 120, 3600]),
)
def test_counts_are_those_of_all_rows(
    seed: int,
    size: int,
    steps: int,
    late: int,
    pruned: int,
    faults: list[type[Exception] | None],
    asked: list[tuple[Selection, int | None, int | None]],
    bucket_seconds: int,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log.prune(keep_days=1, keep_rows=0, even_nearly_all=True)
    store.remove()
    chance = random.Random(seed)
    add(size + late, chance)
    date_all(chance)
    newest = log.head().last_seq
    running = Indexer(store)
    # First without what comes late, which the index may not have reached when it is asked.
    with pytest.MonkeyPatch.context() as before:
        head = log.head()
        before.setattr(log, "peek", lambda: head._replace(last_seq=newest - late))
        for _ in range(steps):
            running.step()
    if steps % 2:
        running.step()
    log.prune(keep_days=100_000, keep_rows=max(1, size + late - pruned), even_nearly_all=True)
    if steps % 3 == 0 and steps:
        running.step()
    use(monkeypatch, FaultyIndex(store, faults))
    for selection, start, end in asked:
        window = Window(moment(start), moment(end))
        entries = within(window, selection)
        fields = search.count_fields(
            selection, ["module", "severity", "event_type"], window=window, budget=Budget(seconds=10)
        )
        assert fields.complete
        for name, counts in fields.counts.items():
            assert counts == Counter(getattr(entry, name) for entry in entries)
        since = window.start or BEGIN
        counted = search.count_by_time(
            selection, since=since, until=window.end, bucket_seconds=bucket_seconds, budget=Budget(seconds=10)
        )
        entries = within(window._replace(start=since), selection)
        assert counted.complete
        assert counted.counts == Counter(
            (max(0, int(entry.created_at - since.timestamp()) // bucket_seconds), entry.severity) for entry in entries
        )


def test_what_is_in_tallies_is_not_counted_in_the_log(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(1)
    add(5 * BLOCK_SEQS, chance)
    date_all(chance)
    index_all(store)
    add(2, chance)
    use(monkeypatch, StoredIndex(store))
    parts: list[tuple[int, int]] = []
    counted = tallied.counted_by_database

    def noted(selection: Selection, part: tallied.Part, **also: Any) -> Any:
        parts.append((part.first, part.last))
        return counted(selection, part, **also)

    monkeypatch.setattr(tallied, "counted_by_database", noted)

    def read() -> list[int]:
        found = [seq for begin, end in parts for seq in range(begin, end + 1)]
        parts.clear()
        return sorted(found)

    asked = Selection(modules=frozenset({"gate"}), queries=frozenset({"severity>=warn"}))
    window = Window(start=Event.objects.get(seq=2 * BLOCK_SEQS + 3).created_at)
    first, newest = window.seqs(log.head())
    search.count_fields(asked, ["module"], window=window, budget=Budget(seconds=10))
    # The end of the block in which the window begins, and what is not indexed yet.
    next_block = -(-first // BLOCK_SEQS) * BLOCK_SEQS
    assert read() == [*range(first, next_block), newest - 1, newest]
    since = BEGIN - timedelta(hours=1)
    search.count_by_time(asked, since=since, bucket_seconds=3600, budget=Budget(seconds=10))
    assert read() == [newest - 1, newest]
    # Of buckets that are no whole minutes, all of it.
    search.count_by_time(asked, since=since, bucket_seconds=59, budget=Budget(seconds=10))
    assert read() == list(range(1, newest + 1))


def test_tallies_of_single_events_become_few_and_are_pruned_with_the_log(store: Store) -> None:
    running = Indexer(store)
    for number in range(3 * BLOCK_SEQS):
        append_events(1, prefix=f"n{number}-")
        running.step()
    epoch, last = log.head().epoch, log.head().last_seq

    def ranges() -> list[tuple[int, int]]:
        found = store.tallies(epoch, low=1, high=last, wanted=Wanted(ONE_BUCKET), limit=1000, seconds=10)
        return [(tally.first, tally.last) for tally in reversed(found)]

    before = ranges()
    assert [seq for first, end in before for seq in range(first, end + 1)] == list(range(1, last + 1))
    # Of eight, 1 + 1 become 2, 2 + 2 become 4, and so on.
    assert len(before) <= 9
    log.prune(keep_days=1, keep_rows=last - before[1][1], even_nearly_all=True)
    running.step()
    assert ranges() == before[2:]


def test_tallies_of_another_log_are_not_used(store: Store) -> None:
    append_events(5)
    index_all(store)
    try:
        found = store.tallies("another", low=1, high=5, wanted=Wanted(ONE_BUCKET), limit=9, seconds=10)
    except IndexUnavailable:
        return
    assert found == []
