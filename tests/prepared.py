"""Databases that are migrated once for each test run, and copied from then on.

All processes of a run share a folder: the first that needs a kind of database makes it there, the others wait for it.
"""

import atexit
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

# A database of the prepared cluster, and so of each copy of it. New ones are made from it.
DATABASE = "prepared"
STARTS_NAME = "starts"
SQLITE_NAME = "operator.sqlite3"
FOLDER_VARIABLE = "TESTS_RUN_FOLDER"
# Room for the databases of all tests at once. Containers often have 64 MiB there.
MEMORY_NEEDED_BYTES = 4 * 1024**3


def folder_for_temporary_files() -> Path:
    """In memory where there is room: a commit is as durable as the machine, and no test pulls the machine's plug."""
    memory = Path("/dev/shm")  # noqa: S108 - only folders of our own are made in it
    if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED_BYTES:
        return memory
    return Path(tempfile.gettempdir())


def run_folder() -> Path:
    """Of this test run: workers find it by their environment. The process that made it removes it."""
    if FOLDER_VARIABLE not in os.environ:
        made = tempfile.mkdtemp(prefix="vx11-tests-", dir=folder_for_temporary_files())
        # PostgreSQL runs as a user of its own.
        os.chmod(made, 0o755)  # noqa: S103
        os.environ[FOLDER_VARIABLE] = made
        owner = os.getpid()
        atexit.register(_remove, made, owner=owner)
    return Path(os.environ[FOLDER_VARIABLE])


def note_start(command: Sequence[str | Path]) -> None:
    """For the count at the end of the run: which of our commands was started."""
    words = list(map(str, command))
    name = words[2] if words[1:2] == ["manage.py"] else Path(words[0]).name
    with (run_folder() / STARTS_NAME).open("a", encoding="utf-8") as file:
        file.write(f"{name}\n")


def starts() -> Counter[str]:
    """How often what was started by all processes of this run."""
    path = run_folder() / STARTS_NAME
    return Counter(path.read_text(encoding="utf-8").split()) if path.exists() else Counter()


def _remove(folder: str, *, owner: int) -> None:
    # A fork of the owner ends too.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def sqlite_file(migrate: Callable[[Path], None]) -> Path:
    """A migrated SQLite file, to be copied. `migrate` makes it in the folder that it is given, unless it is there."""
    return _once("sqlite", migrate) / SQLITE_NAME


def cluster(make: Callable[[Path], None]) -> Path:
    """The data of a PostgreSQL that is not running, with a migrated database in it, to be copied."""
    return _once("postgres", make)


def copy_folder(source: Path, target: Path) -> None:
    """With owners, links and all."""
    subprocess.run(["cp", "--archive", str(source), str(target)], check=True)


def _once(name: str, make: Callable[[Path], None]) -> Path:
    folder, begun = run_folder() / name, run_folder() / f"{name}.unfinished"
    with (run_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(begun, ignore_errors=True)
            make(begun)
            begun.rename(folder)
    return folder
