"""How far each file and the journal were read: a small file of JSON, so that a restart goes on where the last run was.

A place is written after the server has confirmed the events before it, so at worst lines are sent again, and the server
recognises them by their ids.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

# The first bytes of a file say which one it is, whatever its name and its inode are now; so do the last bytes that were
# read.
HEAD_BYTES = 1024
TAIL_BYTES = 64
SAVE_EVERY_SECONDS = 1.0
# Of the names of contents and of lines without end, the newest are kept.
KEPT_NAMES = 512


class PlacesInUse(Exception):
    """Another process keeps its places in this file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A position in one file. `generation` names what the file held between two truncations."""

    generation: str
    device: int
    inode: int
    position: int
    head_bytes: int
    head_digest: str
    tail_bytes: int
    tail_digest: str


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class Generations:
    """Names for what a file holds between two truncations, so that equal lines at equal offsets stay two events.

    The name comes from the first line, the same in each run; only when the same first line begins again (a log without
    times) a number is added.
    """

    def __init__(self, times_seen: dict[str, int] | None = None, unended: dict[str, list[Any]] | None = None) -> None:
        self.times_seen = dict(times_seen or {})
        self.unended = dict(unended or {})
        """Lines that were sent before they had an end: by generation and offset, their digest and their length."""

    def name(self, device: int, inode: int, first_line: bytes, *, is_again: bool = False) -> str:
        """`is_again`: the file was truncated, so that the same first line begins something new."""
        first_line = first_line.removesuffix(b"\r")
        name = f"{device}:{inode}:{self._first_digest(device, inode, first_line)}"
        times = self.times_seen.get(name, 0)
        if is_again or not times:
            times += 1
        # The newest stand at the end.
        self.times_seen.pop(name, None)
        self.times_seen[name] = times
        return name if times == 1 else f"{name}:{times}"

    def place_of(self, generation: str, offset: int, content: bytes) -> str:
        """The name of a line: where it stands and what it holds, or held when it was sent without its end."""
        known = self.unended.get(f"{generation}:{offset}")
        is_same = known is not None and digest_of(content[: known[1]]) == known[0]
        return f"{generation}:{offset}:{known[0] if known and is_same else digest_of(content)}"

    def note_unended(self, generation: str, offset: int, content: bytes) -> None:
        self.unended.setdefault(f"{generation}:{offset}", [digest_of(content), len(content)])

    def _first_digest(self, device: int, inode: int, first_line: bytes) -> str:
        """Of the line as it was when it was first sent: it may have had no end then."""
        for key, (digest, length) in self.unended.items():
            if key == f"{device}:{inode}:{digest}:0" and digest_of(first_line[:length]) == digest:
                return str(digest)
        return digest_of(first_line)


class Places:
    """The places of one command. Without a path they live as long as the process.

    `names_only`: no place is kept, and the file is written only when a line was sent without its end.
    Raises PlacesInUse when another process has them, OSError when they cannot be read or written.
    """

    def __init__(self, path: Path | None = None, *, names_only: bool = False) -> None:
        self._path = path
        self._names_only = names_only
        self._lock_fd: int | None = None
        self._files: dict[str, Place] = {}
        self._saved_at = 0.0
        self._is_changed = False
        self.cursor = ""
        """Of the last entry of the journal."""
        self.generations = Generations()
        self.trouble = ""
        """Why the kept places could not be used; empty when they could."""
        if path is not None:
            if not names_only:
                self._lock(path)
            self._load(path)
        self._unended_before = dict(self.generations.unended)

    def of(self, origin: str) -> Place | None:
        return self._files.get(origin)

    def put(self, origin: str, place: Place) -> None:
        if not self._names_only:
            self._files[origin] = place
            self._is_changed = True

    def put_cursor(self, cursor: str) -> None:
        self.cursor = cursor
        self._is_changed = True

    def save(self, *, at_once: bool = False) -> None:
        """Write what has changed, not more often than SAVE_EVERY_SECONDS. Raises OSError."""
        is_due = at_once or time.monotonic() - self._saved_at >= SAVE_EVERY_SECONDS
        if self._path is None or not self._is_changed or not is_due:
            return
        partial = self._path.with_name(f"{self._path.name}.new")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(self._state(), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        self._saved_at, self._is_changed = time.monotonic(), False

    def close(self) -> None:
        """Save, and let other processes have the file. Raises OSError."""
        if self.generations.unended != self._unended_before:
            self._is_changed = True
            if self._path is not None and self._lock_fd is None:
                with contextlib.suppress(PlacesInUse):
                    self._lock(self._path)
        self._is_changed = self._is_changed and (self._lock_fd is not None)
        try:
            self.save(at_once=True)
        finally:
            if self._lock_fd is not None:
                os.close(self._lock_fd)
                self._lock_fd = None

    def _state(self) -> dict[str, Any]:
        generations = self.generations
        return {
            "version": 1,
            "files": {origin: dataclasses.asdict(place) for origin, place in self._files.items()},
            "cursor": self.cursor,
            "generations": dict(list(generations.times_seen.items())[-KEPT_NAMES:]),
            "unended": dict(list(generations.unended.items())[-KEPT_NAMES:]),
        }

    def _lock(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_fd)
            self._lock_fd = None
            raise PlacesInUse(path) from None

    def _load(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            try:
                state = json.loads(path.read_text(encoding="utf-8"))
                self._files = {origin: Place(**place) for origin, place in state["files"].items()}
                self.cursor = str(state["cursor"])
                self.generations = Generations(state["generations"], state["unended"])
            except (ValueError, KeyError, TypeError, AttributeError):
                self.trouble = f"{path} does not hold places of this version; they are made anew"
