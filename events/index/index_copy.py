"""The index of a backup on SQLite: copied beside the copy of the log, and adopted by the log that is restored."""

import contextlib
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from events.index import sqlite_tables as tables
from events.index.store import Damaged, State
from events.index.stores import sqlite_path

LOCK_WAIT_SECONDS = 5.0
# By these one sees that a file is an index.
SQLITE_TABLES = ("state", "segments", "tallies")

# Copies an SQLite database, as vx11_site.data.sqlite_copy does.
Copy = Callable[[Path, Path], None]


def copy_beside(log: Path, log_copy: Path, copy: Copy) -> bool:
    """Copy the index of `log` beside the place of its copy; False if there is none that can be read.

    To be called before the log is copied: the log's copy then holds all that the index knows. Raises what `copy` does.
    """
    index = sqlite_path(log)
    if _state_of(index) is None:
        return False
    copy(index, sqlite_path(log_copy))
    return True


def adopt(log_copy: Path, copied: tuple[str, int], log: Path, epoch: str, copy: Copy) -> bool:
    """Make the index beside `log_copy` that of the log that was restored from it, and has this epoch now.

    `copied` are the epoch and the last seq in `log_copy`. Servers must be stopped. False if there is no index, or not
    of that log: then the restored log's is built anew. Raises what `copy` does.
    """
    index = sqlite_path(log_copy)
    state = _state_of(index)
    if state is None or state.epoch != copied[0] or state.high > copied[1]:
        return False
    place = sqlite_path(log)
    adopted = place.with_name(f"{place.name}.adopted")
    copy(index, adopted)
    tables.give_to_owner_of_folder(adopted)
    with contextlib.closing(tables.connect(adopted, mode="rw", wait_seconds=LOCK_WAIT_SECONDS)) as database:
        database.execute(
            "UPDATE state SET epoch = ?, generation = ?, holder = '', held_until = 0", (epoch, secrets.token_hex(8))
        )
    # What is left of an earlier file must not be taken for a part of this one.
    tables.unlink(place, tables.FILES[1:])
    adopted.replace(place)
    return True


def _state_of(index: Path) -> State | None:
    try:
        with contextlib.closing(tables.connect(index, mode="rw", wait_seconds=LOCK_WAIT_SECONDS)) as database:
            return tables.read_state(database)
    except (sqlite3.Error, Damaged):
        return None
