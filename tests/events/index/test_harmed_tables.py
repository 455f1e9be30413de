"""Tables of the index in PostgreSQL that were harmed, and connections that were lost."""

from collections.abc import Callable
from contextlib import closing

import pytest
from django.db import connection

from events.index import Indexing, IndexUnavailable, Store, indexer
from events.index.postgres_tables import PREFIX
from events.index.searching import NOTHING, StoredIndex
from events.index.sqlite_store import SqliteStore
from events.query import Term
from tests.events.index.stores import found, index_all, look_until_held, search
from tests.events.samples import append_events

pytestmark = pytest.mark.usefixtures("ledger")


def drop_state() -> str:
    return f"DROP TABLE {PREFIX}state"


def drop_segment() -> str:
    return f"DROP TABLE {PREFIX}terms_1"


def drop_all() -> str:
    return f"DROP TABLE {PREFIX}state, {PREFIX}segments"


def empty_all() -> str:
    """As PostgreSQL does with unlogged tables after a crash."""
    return f"TRUNCATE {PREFIX}state, {PREFIX}segments, {PREFIX}terms_0, {PREFIX}terms_1"


def other_format() -> str:
    return f"UPDATE {PREFIX}state SET format = 0"  # noqa: S608


@pytest.mark.parametrize("harm", [drop_state, drop_segment, drop_all, empty_all, other_format])
def test_tables_that_were_harmed_are_made_anew(
    store: Store, harm: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "TIDY_SECONDS", 0)
    if isinstance(store, SqliteStore):
        pytest.skip("on SQLite the index is a file")
    append_events(40)
    running = Indexing(store)
    look_until_held(running, store, 40)
    with connection.cursor() as cursor:
        cursor.execute(harm())
    assert search(store) in (None, [], list(range(1, 41)))
    append_events(5, prefix="n")
    look_until_held(running, store, 45)
    assert found(store, "test.happened") == list(range(1, 46))


def test_a_connection_that_was_lost_is_opened_anew(store: Store) -> None:
    if isinstance(store, SqliteStore):
        pytest.skip("on SQLite there is no connection to lose")
    append_events(3)
    index_all(store)
    index = StoredIndex(store)

    def lose() -> None:
        with closing(connection.copy()) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])

    lose()
    assert index.extent() == NOTHING
    assert index.extent() == (1, 3)
    lose()
    with pytest.raises(IndexUnavailable):
        index.seqs(Term("test"), low=1, high=3, limit=3, seconds=10)
    assert search(store) == [1, 2, 3]
