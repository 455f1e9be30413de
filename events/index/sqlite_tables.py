"""The tables of the index in SQLite, the file they are in, and the statements that make, search and drop them."""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Container, Iterable
from pathlib import Path

import orjson

from events.index.store import FORMAT, Damaged, IndexUnavailable, Row, State
from events.index.tallies import Tally, Wanted
from events.index.vocabulary import PUNCTUATION

# Suffixes of the files of one database.
FILES = ("", "-wal", "-shm")
CREATE = f"""
PRAGMA journal_mode=WAL;
PRAGMA journal_size_limit=67108864;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS state (
    id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER, epoch TEXT, low INTEGER, high INTEGER, generation TEXT,
    holder TEXT, held_until REAL
);
CREATE TABLE IF NOT EXISTS segments (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tallies (
    first INTEGER PRIMARY KEY, last INTEGER, first_minute INTEGER, last_minute INTEGER,
    severities BLOB, sources BLOB, minutes BLOB
);
INSERT OR IGNORE INTO state VALUES (1, {FORMAT}, '', 1, 0, '', '', 0);
COMMIT;
"""  # noqa: S608 - a number of ours
SEGMENT = """
CREATE VIRTUAL TABLE terms_{number} USING fts5(
    terms, content='', columnsize=0, detail=none, tokenize="ascii tokenchars '{characters}'"
)
"""
# Many rows by one statement: for each that is run Python's lock is given away, and in a busy process waited for again.
INSERT_ROWS = 250
INSERT = """
INSERT INTO terms_{number} (rowid, terms)
SELECT CAST(key AS INTEGER), value FROM json_each(CAST(? AS TEXT))
"""
NO_FAULT_OF_THE_FILE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN})
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# For the one that indexes, whose statements are right: other tables than it expects, or a file that takes no writes.
DAMAGE_FOR_WRITER = DAMAGE | {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY}


def connect(path: Path, *, mode: str, wait_seconds: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=wait_seconds, isolation_level=None, check_same_thread=False)


def make_file(path: Path) -> None:
    """With empty tables. Readable to its owner only; that is the owner of the folder, also when root makes it.

    It has its name when it has its tables: a search that came between would take it for damaged. A link stays what it
    is, so that the file may be on another disk.
    """
    path = path.resolve()
    new = path.with_name(f"{path.name}.new")
    unlink(new, FILES)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT, 0o600))
    give_to_owner_of_folder(new)
    with contextlib.closing(connect(new, mode="rw", wait_seconds=0)) as database:
        database.executescript(CREATE)
    new.replace(path)


def give_to_owner_of_folder(path: Path) -> None:
    """What root makes, the server must be able to write."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def unlink(path: Path, suffixes: Iterable[str]) -> None:
    for suffix in suffixes:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")


def file_of(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def read_state(database: sqlite3.Connection) -> State | None:
    row = database.execute("SELECT format, epoch, low, high, generation FROM state").fetchone()
    if row is None or row[0] != FORMAT:
        raise Damaged("of another format")
    return State(*row[1:]) if row[1] else None


def search(
    database: sqlite3.Connection, number: int, query: str, bounds: tuple[int, int, int], *, forwards: bool
) -> list[int]:
    """`bounds` are the lowest and the highest seq, and how many at most."""
    statement = (
        f"SELECT rowid FROM terms_{number} WHERE terms_{number} MATCH ? AND rowid BETWEEN ? AND ? "  # noqa: S608 - a number of ours
        f"ORDER BY rowid {'ASC' if forwards else 'DESC'} LIMIT ?"
    )
    return [seq for (seq,) in database.execute(statement, (query, *bounds))]


def insert(database: sqlite3.Connection, number: int, rows: Iterable[Row]) -> None:
    """Into a segment, which is made if it is not there."""
    if database.execute("INSERT OR IGNORE INTO segments VALUES (?)", (number,)).rowcount:
        database.execute(SEGMENT.format(number=number, characters=PUNCTUATION))
    left = iter(rows)
    while batch := {str(seq): " ".join(terms) for seq, terms in itertools.islice(left, INSERT_ROWS)}:
        database.execute(INSERT.format(number=number), (orjson.dumps(batch),))


def tallies(database: sqlite3.Connection, low: int, high: int, wanted: Wanted, limit: int) -> list[Tally]:
    """The newest first. The columns that are not needed are not read from the disk."""
    rows = database.execute(
        "SELECT first, last, first_minute, last_minute, "
        "CASE WHEN :enough THEN severities END, CASE WHEN NOT :enough THEN sources END, "
        "CASE WHEN NOT :enough AND (first_minute - :start) / :minutes <> (last_minute - :start) / :minutes "
        "THEN minutes END FROM tallies "
        "WHERE first BETWEEN :low AND :high AND last <= :high ORDER BY first DESC LIMIT :limit",
        {"low": low, "high": high, "limit": limit, **wanted.columns},
    )
    return [Tally(*row) for row in rows]


def add_tally(database: sqlite3.Connection, tally: Tally) -> None:
    """As one with those beside it that it takes in."""
    while beside := [found for found in _beside(database, tally) if tally.takes_in(found)]:
        database.executemany("DELETE FROM tallies WHERE first = ?", [(found.first,) for found in beside])
        tally = tally.together(beside)
    database.execute("INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?)", tally)


def _beside(database: sqlite3.Connection, tally: Tally) -> list[Tally]:
    rows = database.execute(
        "SELECT * FROM tallies WHERE first = :last + 1 "
        "OR first = (SELECT max(first) FROM tallies WHERE first < :first) AND last = :first - 1",
        {"first": tally.first, "last": tally.last},
    )
    return [Tally(*row) for row in rows]


def drop(database: sqlite3.Connection, number: int) -> None:
    database.execute(f"DROP TABLE IF EXISTS terms_{number}")
    database.execute("DELETE FROM segments WHERE number = ?", (number,))


def code_of(error: sqlite3.Error) -> int:
    """Without what SQLite adds in higher bits."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def as_fault(error: Exception, damage: Container[int]) -> IndexUnavailable:
    if isinstance(error, sqlite3.Error) and code_of(error) in damage:
        return Damaged(str(error))
    return IndexUnavailable(str(error))
