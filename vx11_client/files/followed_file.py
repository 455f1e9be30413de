"""Lines of a file, to its end or for as long as it is written, across both ways of rotating it. No Django, no network.

Renamed and made anew: the old file is read to its end, also what is written to it before its writer notices.
Copied and truncated: what was written between the last read and the truncation is read from the copy; then the file is
read again from its start. Both also when it happened while no process was following, if there is a place to go on from.
"""

import collections
import stat
import time
from pathlib import Path

from vx11_client.files.archives import ArchiveFile, is_archive
from vx11_client.files.open_file import Identity, OpenFile, ReadableFile, generation_of
from vx11_client.files.places import Generations, Place, Places
from vx11_client.files.rotated_files import opened_after, opened_at
from vx11_client.lines.line import Line
from vx11_client.stop_signal import Interruption

POLL_SECONDS = 0.2
# Writers with several processes reopen their log one after the other.
ROTATION_GRACE_SECONDS = 1.0
# Files that were read to their end stay open until the server has confirmed their lines, but not more than these.
ENDED_LIMIT = 16
# The place in a file that is not there yet.
NOWHERE = Place("", 0, 0, 0, 0, "", 0, "")


class FileSource:
    """Lines of the file at `path`; with `follow` also those to come, under this name and after each rotation.

    `places` says where an earlier run ended. With `goes_on` this one begins there; `from_end` counts for a file without
    place.
    Raises OSError at once when the file cannot be read, except that following waits for a file that is not there yet;
    that one is then read from its start.
    """

    def __init__(
        self,
        path: Path,
        interruption: Interruption,
        *,
        follow: bool,
        from_end: bool = False,
        places: Places | None = None,
        goes_on: bool = False,
    ) -> None:
        self._path = path
        self.origin = str(path.absolute())
        self._interruption = interruption
        self._follow = follow
        self._places = places or Places()
        # The file being read, then those that took its name later: opened as soon as they are seen, because while a
        # server is away a log can rotate more than once.
        self._files: collections.deque[ReadableFile] = collections.deque()
        self._ended_files: collections.deque[ReadableFile] = collections.deque()
        self._quiet_since = time.monotonic()
        self.ended = False
        self.trouble = ""
        self._remarks: list[str] = []
        place = self._places.of(self.origin) if goes_on else None
        if place is not None:
            self._go_on(place)
        else:
            self._begin(from_end=from_end)
            self._note_begin()

    def read(self, *, wait_seconds: float) -> list[Line]:
        deadline = time.monotonic() + wait_seconds
        while not self.ended:
            if lines := self._read_ready():
                return lines
            left = deadline - time.monotonic()
            if left <= 0 or self._interruption.requested:
                break
            self._interruption.wait(min(left, POLL_SECONDS))
        return []

    def finish(self) -> list[Line]:
        """Nothing: what was not sent is still in the file, where the next run finds it."""
        return []

    def notice(self) -> None:
        if not self._follow:
            return
        try:
            found = self._path.stat()
            if stat.S_ISREG(found.st_mode) and Identity(found.st_dev, found.st_ino) != self._newest_identity():
                self._files.append(self._opened(self._path))
                self._quiet_since = time.monotonic()
        except FileNotFoundError:
            # Between rename and create; or removed, and then the file that is open may still be written.
            return
        except OSError as error:
            self.trouble = f"{self._path} cannot be read: {error.strerror}"
            return
        self.trouble = ""

    def settled(self, line: Line, position: int) -> None:
        """Everything up to this position in the file of the line is where it should be."""
        generation = generation_of(line)
        for file in (*self._ended_files, *self._files):
            if file.generation == generation:
                self._places.put(self.origin, file.place_at(position))
                return

    def remarks(self) -> list[str]:
        """What a person has to know about lines that cannot be read any more, once."""
        remarks, self._remarks = self._remarks, []
        return remarks

    def identities(self) -> set[Identity]:
        """The files that are open here: under another name they are not new."""
        return {file.identity for file in (*self._ended_files, *self._files)}

    def close(self) -> None:
        for files in (self._ended_files, self._files):
            while files:
                files.popleft().close()

    @property
    def _generations(self) -> Generations:
        return self._places.generations

    def _opened(self, path: Path) -> ReadableFile:
        if is_archive(path):
            return ArchiveFile(path, self.origin, self._generations)
        return OpenFile(path, self.origin, self._generations)

    def _begin(self, *, from_end: bool) -> None:
        try:
            self._files.append(self._opened(self._path))
        except FileNotFoundError:
            if not self._follow:
                raise
            self.trouble = f"{self._path} is not there yet"
        newest = self._files[0] if self._files else None
        if from_end and isinstance(newest, OpenFile):
            newest.skip_to_end()

    def _note_begin(self) -> None:
        """Also when no line comes before this run ends, the next one goes on here."""
        if self._follow:
            newest = self._files[0] if self._files else None
            self._places.put(self.origin, newest.begin_place() if isinstance(newest, OpenFile) else NOWHERE)

    def _go_on(self, place: Place) -> None:
        """Begin at the place: in this file, or in what the log has become, and then in the files that came after it."""
        self._begin(from_end=False)
        newest = self._files[0] if self._files else None
        if place == NOWHERE:
            return
        if isinstance(newest, OpenFile) and newest.holds(place):
            newest.go_on(place)
            return
        if isinstance(newest, ArchiveFile) and newest.go_on(place):
            return
        old = opened_at(self._path, place, self.origin, self._generations)
        if old is None:
            self._remarks.append(
                f"{self._path} was rotated or made anew, and what it held before is gone: lines may be missing between "
                f"byte {place.position} of the old file and the start of this one"
            )
        else:
            later = opened_after(self._path, old, self.origin, self._generations)
            self._files.extendleft(reversed([old, *later]))
        if isinstance(newest, OpenFile) and newest.identity == Identity(place.device, place.inode):
            newest.start_over()

    def _read_ready(self) -> list[Line]:
        """Lines from the file being read; moves on to its successor when that one has bytes and this one is silent."""
        self.notice()
        while self._files:
            file = self._files[0]
            if file.was_cut():
                return self._after_cut(file)
            lines, moved = file.read()
            if not moved:
                return self._at_end()
            self._quiet_since = time.monotonic()
            if lines:
                return lines
        return []

    def _after_cut(self, file: ReadableFile) -> list[Line]:
        """The file was truncated: what it held behind our place is in its copy, if it was copied."""
        if not isinstance(file, OpenFile):
            return []
        lines: list[Line] = []
        copy = opened_at(self._path, file.last_place(), self.origin, self._generations)
        if copy is not None:
            file.hand_over(copy)
            self._files.appendleft(copy)
        else:
            lines = file.flush()
        file.start_over()
        self._quiet_since = time.monotonic()
        return lines

    def _at_end(self) -> list[Line]:
        file = self._files[0]
        if not self._follow and len(self._files) == 1:
            self.ended = True
            return file.flush()
        if not self._is_over(file):
            return []
        self._files.popleft()
        self._ended_files.append(file)
        if len(self._ended_files) > ENDED_LIMIT:
            self._ended_files.popleft().close()
        self._quiet_since = time.monotonic()
        self.ended = not self._files
        return file.flush()

    def _is_over(self, file: ReadableFile) -> bool:
        if file.is_complete and (len(self._files) > 1 or isinstance(file, ArchiveFile)):
            return True
        if len(self._files) == 1 or (self._follow and time.monotonic() - self._quiet_since < ROTATION_GRACE_SECONDS):
            return False
        return not self._follow or len(self._files) > 2 or self._files[1].has_bytes()

    def _newest_identity(self) -> Identity | None:
        return self._files[-1].identity if self._files else None
