"""Counts by the time at which events happened: those of all rows, whatever counts them and wherever they are dated."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import log, search
from events.http.polling import read_window
from events.log import Entry
from events.models import Event
from events.search import ALL_TIME, Budget, Happened, Window, happening, tallied
from gateway.filters import EVERYTHING, Selection
from tests.events.samples import append, append_events, new_event, submission
from tests.events.search.test_queries import everything

pytestmark = pytest.mark.usefixtures("ledger")

STORED = datetime(2026, 3, 1, 12, tzinfo=UTC)
HAPPENED = datetime(2024, 2, 28, 23, 59, tzinfo=UTC)
SELECTIONS = st.sampled_from(
    [
        EVERYTHING,
        Selection(modules=frozenset({"gate"})),
        # Decided by fields, by the words of each event, and by both.
        Selection(queries=frozenset({"severity>=warn -module:spawner"})),
        Selection(queries=frozenset({"odd"})),
        Selection(modules=frozenset({"gate"}), queries=frozenset({"odd OR severity:error"})),
    ]
)
SECONDS = st.none() | st.integers(-10, 900)


def add(count: int, chance: random.Random, *, spread_seconds: float = 600) -> None:
    """Some happened when they were stored, some long before, and some a moment before 1970."""
    new = [
        new_event(
            f"e{number}",
            summary=chance.choice(("odd", "even")),
            module=chance.choice(("gate", "spawner")),
            severity=chance.choice(("info", "warn", "error")),
            # What the payload says of its times is its own.
            payload='{"occurred_at":"2001-01-01T00:00:00.000000Z"}',
            occurred_at=chance.choice(
                (None, *[HAPPENED + timedelta(seconds=chance.uniform(0, spread_seconds)) for _ in range(3)])
            ),
        )
        for number in range(count)
    ]
    append(submission(*new))
    rows = list(Event.objects.order_by("seq"))
    for number, row in enumerate(rows):
        row.created_at = STORED + timedelta(seconds=number, microseconds=chance.randrange(1_000_000))
    Event.objects.bulk_update(rows, ["created_at"])


def second_of(entry: Entry) -> float:
    row = Event.objects.get(seq=entry.seq)
    return (row.occurred_at or row.created_at).timestamp()


def total(found: Happened) -> int:
    return sum(found.counted.counts.values())


def dated(*moments: str, severity: str = "info") -> None:
    events = [
        new_event(f"d{number}", severity=severity, occurred_at=datetime.fromisoformat(moment))
        for number, moment in enumerate(moments)
    ]
    append(submission(*events))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 40),
    selection=SELECTIONS,
    stored=st.tuples(SECONDS, SECONDS),
    happened=st.tuples(SECONDS, SECONDS),
    buckets=st.integers(1, 20),
)
def test_counts_by_happening_are_those_of_all_rows(
    seed: int,
    size: int,
    selection: Selection,
    stored: tuple[int | None, int | None],
    happened: tuple[int | None, int | None],
    buckets: int,
) -> None:
    log.prune(keep_days=1, keep_rows=0, even_nearly_all=True)
    add(size, random.Random(seed))
    window, within = (
        Window(*(None if second is None else begin + timedelta(seconds=second) for second in bounds))
        for begin, bounds in ((STORED, stored), (HAPPENED, happened))
    )
    with pytest.MonkeyPatch.context() as small:
        small.setattr(tallied, "COUNT_SPAN_SEQS", 7)
        found = search.count_by_happening(
            selection, window=window, within=within, buckets=buckets, budget=Budget(seconds=10)
        )
    oldest, newest = window.seqs(log.head())
    entries = [entry for entry in everything() if oldest <= entry.seq <= newest and entry.passes(selection)]
    first = within.start.timestamp() if within.start else float("-inf")
    end = within.end.timestamp() if within.end else float("inf")
    moments = [(second_of(entry), entry.severity) for entry in entries]
    expected = Counter(
        (int((second - found.start.timestamp()) // found.bucket_seconds), severity)
        for second, severity in moments
        if first <= second < end
    )
    assert found.counted.complete
    assert found.counted.counts == expected
    assert all(0 <= bucket < found.buckets for bucket, _ in expected)
    assert found.start.timestamp() % found.bucket_seconds == 0
    if within == ALL_TIME and expected:
        assert {min(expected)[0], max(expected)[0]} == {0, found.buckets - 1}
        assert found.buckets <= buckets + 2


def test_without_an_event_there_is_no_bucket() -> None:
    append_events(3)
    found = search.count_by_happening(Selection(modules=frozenset({"x"})), buckets=60, budget=Budget(seconds=10))
    assert (found.buckets, total(found), found.counted.complete) == (0, 0, True)


def test_the_first_and_the_last_moment_that_there_are_have_a_bucket_each() -> None:
    dated("0001-01-01T00:00:00+00:00", "1969-12-31T23:59:59.5+00:00", "9999-12-31T23:59:59.999999+00:00")
    found = search.count_by_happening(EVERYTHING, buckets=500, budget=Budget(seconds=10))
    begin, before_1970, end = sorted(bucket for bucket, _ in found.counted.counts)
    assert (begin, end, total(found)) == (0, found.buckets - 1, 3)
    start = found.start + timedelta(seconds=before_1970 * found.bucket_seconds)
    assert start.year in range(1950, 1970)


@pytest.mark.parametrize("limit", [1, 8, 40])
def test_units_grow_where_there_are_too_many_and_nothing_is_lost(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happening, "UNITS_LIMIT", limit)
    monkeypatch.setattr(tallied, "COUNT_SPAN_SEQS", 7)
    add(60, random.Random(1), spread_seconds=3 * 86_400)
    for selection in (EVERYTHING, Selection(queries=frozenset({"odd OR even"}))):
        found = search.count_by_happening(selection, buckets=4, budget=Budget(seconds=10))
        assert total(found) == 60
        expected = Counter(
            (int((second_of(entry) - found.start.timestamp()) // found.bucket_seconds), entry.severity)
            for entry in everything()
        )
        assert found.counted.counts == expected


def test_what_goes_beyond_the_budget_is_not_counted_and_the_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallied, "COUNT_SPAN_SEQS", 4)
    append_events(10)
    found = search.count_by_happening(EVERYTHING, buckets=60, budget=Budget(seconds=0))
    assert (total(found), found.counted.complete) == (4, False)
    head = log.head()
    assert (found.counted.newest.seq, found.counted.searched_from.seq) == (head.last_seq, head.last_seq - 4)


def test_bounds_are_times_like_all_others() -> None:
    window = read_window({"occurred_from": ["2024-02-28"], "occurred_to": ["-15m"]}, "occurred_from", "occurred_to")
    assert window.start == datetime(2024, 2, 28, tzinfo=UTC)
