"""Several files at once: paths, patterns and folders. No Django, no network.

A folder means the files directly in it that are text and have no hidden name. While they are followed, files that come
later are found too, and read from their start; what rotation leaves beside a log is not a log of its own.
"""

import collections
import glob
import os
import time
from collections.abc import Sequence
from pathlib import Path

from vx11_client.files.archives import is_archive
from vx11_client.files.followed_file import POLL_SECONDS, FileSource
from vx11_client.files.open_file import Identity
from vx11_client.files.places import Places
from vx11_client.files.rotated_files import is_rotated_name
from vx11_client.lines.line import SAMPLE_BYTES, Line, encoding_of
from vx11_client.stop_signal import Interruption

RESCAN_SECONDS = 2.0
# So many files are open at the same time.
FILES_LIMIT = 500


class NothingFound(OSError):
    """A pattern or a folder that holds no file to read."""


class FileSet:
    """Lines of all files that `paths` name. One after the other; while they are followed, in turns.

    `from_end` counts for files without a place that are there at the start. Raises OSError (also NothingFound) when a
    path cannot be read.
    """

    def __init__(
        self,
        paths: Sequence[str],
        interruption: Interruption,
        *,
        follow: bool,
        from_end: bool = False,
        places: Places | None = None,
        goes_on: bool = False,
    ) -> None:
        self._paths = paths
        self._interruption = interruption
        self._follow = follow
        self._places = places or Places()
        self._goes_on = goes_on
        self._sources: collections.deque[FileSource] = collections.deque()
        self._waiting: collections.deque[Path] = collections.deque()
        self._by_origin: dict[str, FileSource] = {}
        self._scanned_at = time.monotonic()
        self.ended = False
        for path in self._found(is_first=True):
            if follow:
                self._add(path, from_end=from_end)
            else:
                self._waiting.append(path)
        if not follow:
            # A path that cannot be read is an error at once, and not after all the others were sent.
            for path in self._waiting:
                os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
            self._begin_next()

    @property
    def trouble(self) -> str:
        return next((source.trouble for source in self._sources if source.trouble), "")

    def remarks(self) -> list[str]:
        """What a person has to know about lines that cannot be read any more, once."""
        return [remark for source in self._by_origin.values() for remark in source.remarks()]

    def read(self, *, wait_seconds: float) -> list[Line]:
        deadline = time.monotonic() + wait_seconds
        while not self.ended:
            if lines := self._read_ready():
                return lines
            left = deadline - time.monotonic()
            if self.ended or left <= 0 or self._interruption.requested:
                break
            self._interruption.wait(min(left, POLL_SECONDS))
        return []

    def finish(self) -> list[Line]:
        """Nothing: what was not sent is still in the files, where the next run finds it."""
        return []

    def notice(self) -> None:
        for source in self._sources:
            source.notice()
        self._rescan()

    def settled(self, line: Line, position: int) -> None:
        """Everything up to this position in the file of the line is in the log."""
        if source := self._by_origin.get(line.origin):
            source.settled(line, position)

    def close(self) -> None:
        for source in self._by_origin.values():
            source.close()

    def _read_ready(self) -> list[Line]:
        self._rescan()
        for _ in range(len(self._sources)):
            # The next time, the next file comes first: one that is written all the time holds up no other.
            source = self._sources[0]
            self._sources.rotate(-1 if self._follow else 0)
            lines = source.read(wait_seconds=0)
            if source.ended:
                self._sources.remove(source)
                self._begin_next()
            if lines:
                return lines
        self.ended = not self._sources and not self._waiting and not (self._follow and self._has_patterns())
        return []

    def _begin_next(self) -> None:
        if self._waiting and not self._follow:
            self._add(self._waiting.popleft(), from_end=False)

    def _add(self, path: Path, *, from_end: bool) -> None:
        source = FileSource(
            *(path, self._interruption),
            follow=self._follow,
            from_end=from_end,
            places=self._places,
            goes_on=self._goes_on,
        )
        self._sources.append(source)
        self._by_origin[source.origin] = source

    def _rescan(self) -> None:
        if not self._follow or not self._has_patterns() or time.monotonic() - self._scanned_at < RESCAN_SECONDS:
            return
        self._scanned_at = time.monotonic()
        known = {identity for source in self._by_origin.values() for identity in source.identities()}
        for path in self._found(is_first=False):
            if str(path.absolute()) in self._by_origin or len(self._sources) >= FILES_LIMIT:
                continue
            try:
                found = path.stat()
                if Identity(found.st_dev, found.st_ino) not in known:
                    self._add(path, from_end=False)
            except OSError:
                # Gone again.
                continue

    def _has_patterns(self) -> bool:
        return any(glob.has_magic(path) or os.path.isdir(path) for path in self._paths)

    def _found(self, *, is_first: bool) -> list[Path]:
        """The files that the paths name now, each once."""
        found: dict[str, Path] = {}
        for text in self._paths:
            path = Path(text)
            if path.is_dir():
                files = self._in_folder(path)
            elif glob.has_magic(text) and not path.exists():
                files = self._without_rotated(sorted(Path(name) for name in glob.glob(text, recursive=True)))
            else:
                files = [path]
            if not files and is_first and not self._follow:
                raise NothingFound(0, "it names no file that can be read", text)
            found.update({str(file.absolute()): file for file in files})
        return list(found.values())[:FILES_LIMIT]

    def _in_folder(self, folder: Path) -> list[Path]:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())
        return [file for file in self._without_rotated(files) if self._is_text(file)]

    def _without_rotated(self, files: list[Path]) -> list[Path]:
        """Without folders; and while they are followed, without what was a log and is read as such."""
        files = [file for file in files if not file.is_dir()]
        if not self._follow:
            return files
        names = {(file.parent, file.name) for file in files}
        return [
            file
            for file in files
            if not any(parent == file.parent and is_rotated_name(file.name, name) for parent, name in names)
        ]

    @staticmethod
    def _is_text(file: Path) -> bool:
        """Whether it may be a log: databases and journals have NUL bytes, and have no lines."""
        try:
            with file.open("rb") as opened:
                sample = opened.read(SAMPLE_BYTES)
            return is_archive(file) or b"\0" not in sample or bool(encoding_of(sample))
        except OSError:
            return False
