"""Copies of SQLite databases: made while servers write, verified afterwards, and either complete or absent."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

# 4 MiB of pages of the usual size. After each step, progress is shown and Ctrl-C takes effect.
STEP_PAGES = 1_000
# How long a reader waits for a writer that is committing.
LOCK_WAIT_SECONDS = 20.0
# Every database of this program has these tables.
OURS = frozenset({"django_migrations", "events_event", "events_loghead", "gateway_accesstoken"})

# Called after each step with the pages copied and the pages in all.
AfterStep = Callable[[int, int], None]


class BadCopy(Exception):
    """The file is damaged, or is no database of this program."""


class InUse(Exception):
    """Another process has the database open."""


def copy(source: Path, target: Path, after_step: AfterStep, *, tables: Collection[str] = OURS) -> None:
    """Copy the source, which has these tables, to a new file that only its owner can read.

    Raises BadCopy, OSError, sqlite3.Error.

    Writers go on meanwhile, and what they write is not in the copy. The copy gets its name, and replaces an earlier
    file of that name, only when it is complete and verified.
    """
    half_done = target.with_name(f"{target.name}.part")
    with contextlib.suppress(FileNotFoundError):
        half_done.unlink()
    try:
        os.close(os.open(half_done, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with _opened(source, writable=False) as reading, _opened(half_done, writable=True) as writing:
            # One read transaction for all steps: otherwise every commit of a server would restart the copy.
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reading.backup(writing, pages=STEP_PAGES, progress=lambda _code, left, all_: after_step(all_ - left, all_))
            # No write-ahead log: the copy is a single file.
            writing.execute("PRAGMA journal_mode=DELETE")
        verify(half_done, tables)
        _to_disk(half_done)
        half_done.replace(target)
        _to_disk(target.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            half_done.unlink()


def verify(path: Path, tables: Collection[str] = OURS) -> None:
    """Read all of it, and see that it has these tables. Raises BadCopy."""
    try:
        with _opened(path, writable=False) as database:
            result = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
            names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise BadCopy(f"{path} cannot be read: {error}") from None
    if result != "ok":
        raise BadCopy(f"{path} is damaged: {result}")
    if missing := sorted(set(tables) - names):
        raise BadCopy(f"{path} is no database of this program: it has no table {missing[0]}")


def migrations(path: Path) -> set[tuple[str, str]]:
    """The migrations that were applied to it, as (app, name)."""
    with _opened(path, writable=False) as database:
        return set(database.execute("SELECT app, name FROM django_migrations"))


def log_head(path: Path) -> tuple[str, int]:
    """The epoch, and the last seq of its log; ("", 0) before the first event."""
    with _opened(path, writable=False) as database:
        row: tuple[str, int] | None = database.execute("SELECT epoch, last_seq FROM events_loghead").fetchone()
        return row or ("", 0)


def revived_tokens(before: Path, now: Path) -> list[str] | None:
    """Public ids that are valid now and were revoked or missing before; None if the earlier file cannot be read."""
    try:
        valid, valid_before = _valid_tokens(now), _valid_tokens(before)
    except sqlite3.DatabaseError:
        return None
    return sorted(valid - valid_before)


def _valid_tokens(path: Path) -> set[str]:
    with _opened(path, writable=False) as database:
        rows = database.execute("SELECT public_id FROM gateway_accesstoken WHERE revoked_at IS NULL")
        return {public_id for (public_id,) in rows}


def fold_in(path: Path) -> None:
    """Merge its write-ahead log into the file itself, unless it is damaged.

    Raises InUse if any other process has it open.
    """
    with _opened(path, writable=True, wait_seconds=0) as database:
        try:
            # Only a process that is alone can switch off the write-ahead log.
            database.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError:
            raise InUse(str(path)) from None
        except sqlite3.DatabaseError:
            return


@contextlib.contextmanager
def _opened(path: Path, *, writable: bool, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[sqlite3.Connection]:
    # Not mode=ro, which cannot read a write-ahead log that no other process has open.
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=wait_seconds, isolation_level=None
    )
    try:
        if not writable:
            database.execute("PRAGMA query_only=ON")
        yield database
    finally:
        database.close()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
