"""manage.py reindex: builds, goes on and deletes, and takes the index over from a server."""

import logging
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from events.index import Indexing, Store, indexer
from events.index.indexing import WAIT_SECONDS
from events.index.searching import NOTHING, StoredIndex
from events.index.sqlite_store import SqliteStore
from events.management.commands import reindex
from events.models import LogHead
from tests.events.index.stores import found, index_all
from tests.events.samples import append_events


@pytest.fixture(autouse=True)
def of_the_command(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindex, "the_store", lambda: store)


def run(*words: str) -> str:
    out = StringIO()
    call_command("reindex", *words, stdout=out)
    return out.getvalue()


def test_an_index_is_built_anew(store: Store) -> None:
    append_events(30)
    index_all(store)
    before = store.state()
    assert run().startswith("Indexed 30 events: ")
    after = store.state()
    assert before
    assert after
    assert (after.low, after.high) == (1, 30)
    assert after.generation != before.generation
    assert found(store, "test.happened") == list(range(1, 31))


def test_it_goes_on_with_what_is_missing(store: Store) -> None:
    append_events(30)
    index_all(store)
    before = store.state()
    append_events(4, prefix="n")
    assert run("--continue").startswith("Indexed 4 events: ")
    after = store.state()
    assert before
    assert after == before._replace(high=34)


def test_what_was_done_before_an_interruption_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "BATCH_ROWS", 5)
    append_events(12)
    write = store.write
    written = 0

    def interrupted_write(*args: object, **kwargs: int) -> None:
        nonlocal written
        written += 1
        if written == 2:
            raise KeyboardInterrupt
        write(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "write", interrupted_write)
    with pytest.raises(CommandError, match="Interrupted after 5 events.*--continue") as raised:
        run()
    assert raised.value.returncode == 130
    assert StoredIndex(store).extent() == (8, 12)
    assert run("--continue").startswith("Indexed 7 events: ")


def test_a_server_waits_for_the_command_and_goes_on_after_it(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    append_events(5)
    server = Indexing(store)
    server.look()
    append_events(5, prefix="n")
    run()
    append_events(5, prefix="m")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        # Its lease was taken, which it learns when it writes.
        assert server.look() == WAIT_SECONDS
        server.look()
    assert StoredIndex(store).extent() == (1, 15)
    assert not caplog.records


def test_an_index_is_deleted(store: Store) -> None:
    append_events(5)
    index_all(store)
    assert run("--drop") == "Deleted the search index.\n"
    assert StoredIndex(store).extent() == NOTHING
    if isinstance(store, SqliteStore):
        assert not store.path.exists()
    assert store.size_bytes() == 0


def test_a_damaged_index_is_built_anew(store: Store) -> None:
    if not isinstance(store, SqliteStore):
        pytest.skip("on PostgreSQL the index has no file")
    append_events(5)
    Path(store.path).write_bytes(b"no database " * 1000)
    assert run("--continue").startswith("Indexed 5 events: ")


def test_an_index_that_is_off_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SEARCH_INDEX", False)
    with pytest.raises(CommandError, match="VX11_SEARCH_INDEX is off"):
        run()


@pytest.mark.usefixtures("ledger")
def test_an_empty_log_needs_no_index() -> None:
    LogHead.objects.all().delete()
    assert "nothing to index" in run()
