"""The one that indexes: from where the index ends, newest first, one process at a time."""

from typing import Any

import pytest
from django.conf import settings

from events import log
from events.index import (
    Index,
    Indexer,
    IndexUnavailable,
    LeaseLost,
    Store,
    TooSlow,
    indexer,
    postgres_tables,
    searching,
    sqlite_tables,
    the_index,
)
from events.index.searching import NOTHING, StoredIndex
from events.log import epochs
from events.models import Event, LogHead
from events.query import AnyOf, Term
from tests.events.index.stores import SEGMENT_SEQS, end_lease, found, index_all, segments, steps_until_done
from tests.events.samples import append, append_events, new_event, submission

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def index(store: Store) -> Index:
    return StoredIndex(store)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "BATCH_ROWS", 5)
    monkeypatch.setattr(indexer, "PAGE_ROWS", 3)


def test_what_was_in_the_log_and_what_comes_is_indexed(store: Store, index: Index) -> None:
    append_events(20, module="madre")
    assert index.extent() == NOTHING
    running = index_all(store)
    assert index.extent() == (1, 20)
    assert found(store, "module:madre") == list(range(1, 21))
    append_events(3, prefix="n", module="shub")
    steps_until_done(running)
    assert index.extent() == (1, 23)
    assert found(store, "module:shub") == [21, 22, 23]


@pytest.mark.usefixtures("small_batches")
def test_an_index_that_begins_holds_what_comes_first_and_then_what_was_there_newest_first(
    store: Store, index: Index
) -> None:
    append_events(17)
    running = Indexer(store)
    assert running.step().more
    assert index.extent() == (13, 17)
    append_events(7, prefix="n")
    assert index.extent() == (13, 17)
    running.step()
    assert index.extent() == (13, 22)
    extents = []
    while running.step().more:
        extents.append(index.extent())
    assert extents == [(13, 24), (8, 24), (3, 24)]
    assert index.extent() == (1, 24)
    assert found(store, "test.happened") == list(range(1, 25))


def test_large_events_are_read_a_few_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "FIRST_READ_ROWS", 2)
    monkeypatch.setattr(indexer, "PAGE_BYTES", 3_000)
    sizes = [10] * 5 + [1_000] * 6 + [9_000] * 2 + [10] * 3
    append(submission(*(new_event(f"e{n}", payload=f'{{"a":"{"x" * size}"}}') for n, size in enumerate(sizes))))
    read_columns, read = log.read_columns, list[int]()

    def noted(*arguments: Any, **options: Any) -> Any:
        found = read_columns(*arguments, **options)
        read.append(len(found[0]))
        return found

    monkeypatch.setattr(log, "read_columns", noted)
    monkeypatch.setattr(indexer, "PAGE_ROWS", 4)
    index_all(store)
    # Four where they are small, also the first large ones; then two, then one, until one is small again.
    assert read == [2, 4, 4, 2, 1, 1, 2]
    assert found(store, "test.happened") == list(range(1, 17))


@pytest.mark.usefixtures("small_batches")
def test_another_process_goes_on_where_one_ended(store: Store) -> None:
    append_events(12)
    first = Indexer(store)
    assert first.step().missing_events == 7
    first.end()
    second = Indexer(store)
    after = second.step()
    assert after.is_holder
    assert after.missing_events == 2


def test_only_one_process_indexes_and_a_dead_one_is_followed_by_another(store: Store) -> None:
    append_events(3)
    first, second = index_all(store), Indexer(store)
    append_events(2, prefix="n")
    waiting = second.step()
    assert not waiting.is_holder
    assert waiting.missing_events == 2
    end_lease(store)
    assert second.step().is_holder
    append_events(1, prefix="m")
    # It believes that it has the lease, as it renewed that a moment ago.
    with pytest.raises(LeaseLost):
        first.step()
    assert found(store, "test.happened") == [1, 2, 3, 4, 5]
    second.step()
    assert found(store, "test.happened") == [1, 2, 3, 4, 5, 6]


def test_a_lease_can_be_taken_from_a_process_that_lives(store: Store) -> None:
    append_events(3)
    first, second = index_all(store), Indexer(store)
    assert not second.step().is_holder
    second.take_over()
    assert second.step().is_holder
    append_events(1, prefix="n")
    with pytest.raises(LeaseLost):
        first.step()
    first.forget_claim()
    assert not first.step().is_holder


def test_a_log_of_another_epoch_is_indexed_anew(store: Store, index: Index) -> None:
    append_events(5, module="old")
    running = index_all(store)
    epochs.start_new_epoch()
    assert index.extent() == NOTHING
    append_events(2, prefix="n", module="new")
    steps_until_done(running)
    assert index.extent()[1] == log.head().last_seq
    assert found(store, "module:new") == [6, 7]


def test_a_log_that_was_put_back_is_indexed_anew_also_if_it_kept_its_epoch(store: Store, index: Index) -> None:
    append_events(9, module="old")
    running = index_all(store)
    Event.objects.filter(seq__gt=4).delete()
    LogHead.objects.update(last_seq=4)
    assert index.extent() == NOTHING
    steps_until_done(running)
    assert index.extent() == (1, 4)
    assert found(store, "module:old") == [1, 2, 3, 4]


def test_pruning_drops_whole_segments_and_searches_go_on(
    store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "TIDY_SECONDS", 0)
    append_events(5 * SEGMENT_SEQS)
    running = index_all(store)
    assert segments(store) == [0, 1, 2, 3, 4, 5]
    extent = index.extent()
    log.prune(keep_days=1, keep_rows=2 * SEGMENT_SEQS)
    oldest = log.head().oldest_seq
    running.step()
    assert segments(store) == [oldest // SEGMENT_SEQS, 4, 5]
    # A search that read the extent before may ask for all of it.
    low, high = extent
    seqs = index.seqs(Term("t:test.happened"), low=low, high=high, limit=1000, seconds=10)
    assert set(range(oldest, high + 1)) <= set(seqs)


def test_an_index_that_was_off_while_its_place_was_pruned_begins_anew(store: Store, index: Index) -> None:
    append_events(5)
    running = index_all(store)
    append_events(30, prefix="n")
    log.prune(keep_days=1, keep_rows=10)
    steps_until_done(running)
    assert index.extent() == (26, 35)
    assert found(store, "test.happened") == list(range(26, 36))


def test_a_log_with_holes_is_indexed(store: Store, index: Index) -> None:
    append_events(30)
    Event.objects.filter(seq__in=[3, 4, 5, 6, 7, 8, 9, 10, 20, 30]).delete()
    index_all(store)
    assert index.extent() == (1, 30)
    assert found(store, "test.happened") == sorted(Event.objects.values_list("seq", flat=True))


def test_nothing_is_found_outside_of_what_is_indexed(store: Store, index: Index) -> None:
    append_events(5)
    index_all(store)
    append_events(5, prefix="n")
    for low, high in ((1, 6), (0, 5), (7, 8)):
        with pytest.raises(IndexUnavailable):
            index.seqs(Term("test"), low=low, high=high, limit=10, seconds=10)
        with pytest.raises(IndexUnavailable):
            index.seqs(None, low=low, high=high, limit=10, seconds=10)


def test_a_condition_that_lets_everything_through_gives_the_range(store: Store, index: Index) -> None:
    append_events(10)
    index_all(store)
    assert index.seqs(None, low=2, high=9, limit=3, seconds=10) == [9, 8, 7]
    assert index.seqs(None, low=2, high=9, limit=3, seconds=10, forwards=True) == [2, 3, 4]
    assert index.seqs(Term("test"), low=5, high=4, limit=3, seconds=10) == []


def test_a_search_ends_when_its_time_is_over(store: Store, index: Index) -> None:
    append_events(10)
    index_all(store)
    with pytest.raises(TooSlow):
        index.seqs(Term("test"), low=1, high=10, limit=10, seconds=0)
    # And that thread's next one is not disturbed.
    assert index.seqs(Term("test"), low=1, high=10, limit=1, seconds=10) == [10]


def test_a_statement_is_ended_when_its_time_is_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_segment_seqs", 1_000_000)
    monkeypatch.setattr(store, "_ordered_seqs", 0, raising=False)
    store.claim("test")
    store.begin("test", "epoch", after=0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    rows = [(seq, [f"{letter}{seq * 7 % 9973}" for letter in letters]) for seq in range(1, 5_001)]
    store.write("test", rows, low=1, high=5_000)
    # Takes a multiple of the time that it gets, as each letter begins thousands of terms.
    condition = AnyOf(tuple(Term(letter, prefix=True) for letter in letters))
    with pytest.raises(TooSlow):
        store.seqs(condition, low=1, high=5_000, limit=5_000, seconds=0.004)
    # And that thread's next one has all its time.
    assert len(store.seqs(condition, low=1, high=5_000, limit=5_000, seconds=20)) == 5_000


def test_an_index_whose_state_does_not_come_in_time_holds_nothing(
    store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_events(3)
    index_all(store)

    def hang(_connection: object) -> None:
        raise TooSlow

    for module in (sqlite_tables, postgres_tables):
        monkeypatch.setattr(module, "read_state", hang)
    assert index.extent() == NOTHING
    with pytest.raises(IndexUnavailable):
        store.state()


def test_an_empty_log_has_nothing_to_index(store: Store, index: Index) -> None:
    LogHead.objects.all().delete()
    assert Indexer(store).step().missing_events == 0
    assert index.extent() == NOTHING


def test_an_index_that_is_off_says_so(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    append_events(3)
    index_all(store)
    monkeypatch.setattr(searching, "the_store", lambda: store)
    assert the_index().extent() == (1, 3)
    monkeypatch.setattr(settings, "SEARCH_INDEX", False)
    assert the_index().extent() == NOTHING
    with pytest.raises(IndexUnavailable):
        the_index().seqs(Term("test"), low=1, high=3, limit=1, seconds=1)
