"""Stores for unit tests: as small as the logs of these tests, in the database that holds the log."""

import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection

from events.index import Indexer, Indexing, IndexUnavailable, Progress, Store, TooSlow
from events.index.postgres_store import PostgresStore
from events.index.postgres_tables import PREFIX
from events.index.searching import StoredIndex
from events.index.sqlite_store import SqliteStore
from events.query import Term, narrowed, parse

SEGMENT_SEQS = 7
ORDERED_SEQS = 3
LOOKS = 40


def make_store(folder: Path, *, segment_seqs: int = SEGMENT_SEQS) -> Store:
    if connection.vendor == "postgresql":
        store = PostgresStore(segment_seqs=segment_seqs, ordered_seqs=ORDERED_SEQS)
        # Of a test that was ended, or of the server of another.
        store.remove()
        return store
    return SqliteStore(folder / "search.sqlite3", segment_seqs=segment_seqs)


def index_all(store: Store) -> Indexer:
    """Step by step until there is nothing left to index; the indexer that has the lease."""
    indexer = Indexer(store)
    steps_until_done(indexer)
    return indexer


def steps_until_done(indexer: Indexer) -> list[Progress]:
    steps = [indexer.step()]
    while steps[-1].more:
        steps.append(indexer.step())
    return steps


def end_lease(store: Store) -> None:
    """As if the one that indexes had not renewed it in time."""
    statement = "UPDATE {}state SET held_until = {}"
    if isinstance(store, SqliteStore):
        with closing(sqlite3.connect(store.path, isolation_level=None)) as database:
            database.execute(statement.format("", 0))
    else:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(PREFIX, "'epoch'"))


def segments(store: Store) -> list[int]:
    query = "SELECT number FROM {}segments ORDER BY number"
    if isinstance(store, SqliteStore):
        with closing(sqlite3.connect(store.path)) as database:
            return [number for (number,) in database.execute(query.format(""))]
    with connection.cursor() as cursor:
        cursor.execute(query.format(PREFIX))
        return [number for (number,) in cursor.fetchall()]


def found(store: Store, text: str) -> list[int]:
    """All that the index finds for a query in all that it holds, oldest first; [] if that is nothing."""
    index = StoredIndex(store)
    low, high = index.extent()
    return index.seqs(narrowed(parse(text).root), low=low, high=high, limit=1_000_000, seconds=10, forwards=True)


def look_until_held(running: Indexing, store: Store, newest: int) -> None:
    for _ in range(LOOKS):
        running.look()
        if StoredIndex(store).extent() == (1, newest):
            return
    raise AssertionError(f"not healed: {StoredIndex(store).extent()}")


def search(store: Store) -> list[int] | None:
    """As a search does; None if it must read the log."""
    index = StoredIndex(store)
    low, high = index.extent()
    try:
        return index.seqs(Term("t:test.happened"), low=low, high=high, limit=1000, seconds=10, forwards=True)
    except (IndexUnavailable, TooSlow):
        return None
