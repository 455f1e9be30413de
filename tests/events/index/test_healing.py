"""An index that is damaged, deleted, of another format or without room: searches read the log, and it heals itself."""

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from events import metrics
from events.index import Indexing, Store, indexing, sqlite_store, sqlite_tables
from events.index import store as index_store
from events.index.searching import NOTHING, StoredIndex
from events.index.sqlite_store import SqliteStore
from tests.events.index.stores import found, index_all, look_until_held, search
from tests.events.samples import append_events
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def file(store: Store) -> Path:
    if not isinstance(store, SqliteStore):
        pytest.skip("on PostgreSQL the index has no file")
    return store.path


def cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def overwrite_all(file: Path) -> None:
    file.write_bytes(b"no database " * 10_000)


def overwrite_behind_the_head(file: Path) -> None:
    """The tables of its schema are there, and what they hold is not."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as opened:
        opened.seek(page_bytes * 4)
        opened.write(b"\xa5" * (file.stat().st_size - page_bytes * 4))


def of_another_format(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("UPDATE state SET format = format - 1")


def of_another_making(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("CREATE TABLE state (version TEXT)")
        database.execute("INSERT INTO state VALUES ('0')")


def without_a_segment(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("DROP TABLE terms_1")


def deleted(file: Path) -> None:
    file.unlink()


def replaced_by_nothing(file: Path) -> None:
    file.write_bytes(b"")


HARMS = (
    cut,
    overwrite_all,
    overwrite_behind_the_head,
    of_another_format,
    of_another_making,
    without_a_segment,
    deleted,
    replaced_by_nothing,
)


@pytest.mark.parametrize("harm", HARMS)
def test_a_file_that_was_harmed_is_made_anew(
    store: SqliteStore, file: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    append_events(40)
    index_all(store).end()
    # A server that starts has nothing open.
    store.close_reading()
    store.close()
    assert not Path(f"{file}-wal").exists()
    harm(file)
    # Nothing that is found is wrong, and nothing is raised but what a search expects.
    assert search(store) in (None, [], list(range(1, 41)))
    running = Indexing(store)
    append_events(5, prefix="n")
    with caplog.at_level(logging.INFO):
        look_until_held(running, store, 45)
    assert found(store, "test.happened") == list(range(1, 46))


@pytest.mark.parametrize(
    "harm", [cut, overwrite_all, of_another_format, without_a_segment, deleted, replaced_by_nothing]
)
def test_a_file_that_is_harmed_while_it_is_open_is_made_anew(
    store: SqliteStore, file: Path, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "LOCK_WAIT_SECONDS", 0.01)
    append_events(40)
    running = Indexing(store)
    look_until_held(running, store, 40)
    assert search(store) == list(range(1, 41))
    harm(file)
    assert search(store) in (None, [], list(range(1, 41)))
    append_events(5, prefix="n")
    look_until_held(running, store, 45)
    assert found(store, "test.happened") == list(range(1, 46))


def test_a_reader_that_found_damage_finds_the_index_that_was_made_anew(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As another process has it, which indexes nothing.
    other = SqliteStore(file, segment_seqs=store._segment_seqs)
    append_events(40)
    running = Indexing(store)
    look_until_held(running, store, 40)
    assert search(other) == list(range(1, 41))
    without_a_segment(file)
    assert search(other) is None
    assert StoredIndex(other).extent() == NOTHING
    # The one that indexes finds it as well.
    assert search(store) is None
    look_until_held(running, store, 40)
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + index_store.DAMAGE_SECONDS)
    assert search(other) == list(range(1, 41))


def test_a_file_that_is_made_is_never_seen_without_its_tables(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_events(3)
    other = SqliteStore(file)
    seen: list[str] = []
    connect = sqlite_tables.connect

    def look(path: Path, **how: Any) -> sqlite3.Connection:
        if path.exists() and "rw" in how.values() and how["wait_seconds"]:
            seen.append(path.name)
            other.state()
        return connect(path, **how)

    monkeypatch.setattr(sqlite_tables, "connect", look)
    look_until_held(Indexing(store), store, 3)
    assert seen == [file.name]


def test_a_file_that_is_made_is_where_a_link_points_to(store: SqliteStore, file: Path, tmp_path: Path) -> None:
    (other := tmp_path / "other disk").mkdir()
    file.symlink_to(other / "index.sqlite3")
    append_events(3)
    look_until_held(Indexing(store), store, 3)
    assert (file.is_symlink(), (other / "index.sqlite3").is_file()) == (True, True)


def test_what_is_wrong_is_logged_once_and_counted(
    store: SqliteStore, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    append_events(3)
    file.mkdir()
    running = Indexing(store)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            assert running.look() == indexing.RETRY_SECONDS
        assert StoredIndex(store).extent() == NOTHING
        assert metrics.INDEX_FAILING._value.get() == 1
        file.rmdir()
        look_until_held(running, store, 3)
    assert metrics.INDEX_FAILING._value.get() == 0
    assert [record.levelname for record in caplog.records if record.name == indexing.__name__] == ["WARNING", "INFO"]


def test_a_full_disk_stops_the_index_and_nothing_else_and_room_is_all_it_takes(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_events(10)
    running = Indexing(store)
    look_until_held(running, store, 10)
    # SQLite says the same when the file system has no room.
    writing = store._writing_connection()
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    append_events(500, prefix="n", summary=" ".join(f"word{number}" for number in range(60)))
    connect = store._writing_connection
    monkeypatch.setattr(store, "_writing_connection", lambda: _with_limit(connect(), pages))
    for _ in range(3):
        assert running.look() == indexing.RETRY_SECONDS
    assert StoredIndex(store).extent() == (1, 10)
    assert search(store) == list(range(1, 11))
    monkeypatch.undo()
    store.close()
    look_until_held(running, store, 510)
    assert search(store) == list(range(1, 511))


def _with_limit(database: sqlite3.Connection, pages: int) -> sqlite3.Connection:
    database.execute(f"PRAGMA max_page_count = {pages}")
    return database


def test_a_file_that_takes_no_writes_is_replaced(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_events(5)
    running = Indexing(store)
    look_until_held(running, store, 5)
    before = file.stat().st_ino
    connect = store._writing_connection

    # Tests may run as root, whom the mode of a file does not keep from writing.
    def without_writes() -> sqlite3.Connection:
        database = connect()
        database.execute(f"PRAGMA query_only = {file.stat().st_ino == before}")
        return database

    monkeypatch.setattr(store, "_writing_connection", without_writes)
    append_events(5, prefix="n")
    look_until_held(running, store, 10)
    assert found(store, "test.happened") == list(range(1, 11))


@pytest.fixture
def started(store: Store) -> Iterator[Indexing]:
    running = Indexing(store)
    running.start()
    yield running
    running.stop()


def test_the_thread_indexes_and_gives_its_lease_back_at_the_end(store: Store, started: Indexing) -> None:
    append_events(10)
    wait_until(lambda: StoredIndex(store).extent() == (1, 10), "the thread has indexed the log")
    started.stop()
    assert index_all(store).step().is_holder


def test_no_thread_is_started_when_the_index_is_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SEARCH_INDEX", False)
    running = Indexing(store)
    running.start()
    assert not running._looking.is_running
    running.stop()


def test_search_goes_on_while_the_folder_of_the_index_is_gone(store: SqliteStore, file: Path) -> None:
    append_events(3)
    running = Indexing(store)
    look_until_held(running, store, 3)
    shutil.rmtree(file.parent)
    assert StoredIndex(store).extent() == NOTHING
    assert running.look() == indexing.RETRY_SECONDS
    file.parent.mkdir()
    look_until_held(running, store, 3)
