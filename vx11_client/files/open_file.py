"""One file that stays open under any name: its new lines, and whether it was cut. No Django, no network."""

import dataclasses
import os
from pathlib import Path
from typing import Protocol

from vx11_client.files.places import HEAD_BYTES, TAIL_BYTES, Generations, Place, digest_of
from vx11_client.lines.line import SAMPLE_BYTES, Line, LineSplitter, encoding_of

CHUNK_BYTES = 256 * 1024
FIRST_LINE_BYTES = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Which file it is; its name may change."""

    device: int
    inode: int


class ReadableFile(Protocol):
    """What the reader of rotated files needs of each of them."""

    identity: Identity
    generation: str
    is_complete: bool
    """Nothing will be added: a compressed file, a copy."""

    def read(self) -> tuple[list[Line], bool]:
        """The lines of the next piece, and whether there was a piece."""

    def flush(self) -> list[Line]:
        """The last line, when its end is missing."""

    def has_bytes(self) -> bool: ...

    def was_cut(self) -> bool:
        """Whether the file was truncated since the last read."""

    def place_at(self, position: int) -> Place: ...

    def take_over(self, splitter: LineSplitter) -> None:
        """Go on with a line that has begun in another file."""

    def close(self) -> None: ...


class OpenFile:
    """A file of lines. Its end stays open: lines that are added later come out too."""

    def __init__(self, path: Path, origin: str, generations: Generations, *, is_complete: bool = False) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._fd)
        self.identity = Identity(found.st_dev, found.st_ino)
        self.is_complete = is_complete
        self._origin = origin
        self._generations = generations
        self._splitter = LineSplitter()
        self._position = 0
        # Of what was read, also after it was cut off: the first bytes and the last.
        self._head = b""
        self._overlap = b""
        self._is_again = False
        self.generation = ""

    def skip_to_end(self) -> None:
        """Begin at the last line that is not complete yet, so that its end is not sent as a line of its own."""
        size = os.fstat(self._fd).st_size
        before = os.pread(self._fd, min(size, CHUNK_BYTES), max(0, size - CHUNK_BYTES))
        newline = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}.get(self._encoding(), b"\n")
        found = before.rfind(newline)
        self._go_to(size - (len(before) - found - len(newline)) if found >= 0 else size)

    def go_on(self, place: Place) -> None:
        """Begin where another run ended."""
        self.generation = place.generation
        self._go_to(place.position)

    def holds(self, place: Place, *, same_file: bool = True) -> bool:
        """Whether it has at the place what was read there; `same_file`: and is the file itself and not a copy."""
        if same_file and self.identity != Identity(place.device, place.inode):
            return False
        if os.fstat(self._fd).st_size < place.position:
            return False
        head = os.pread(self._fd, place.head_bytes, 0)
        tail = os.pread(self._fd, place.tail_bytes, max(0, place.position - place.tail_bytes))
        return (digest_of(head), digest_of(tail)) == (place.head_digest, place.tail_digest)

    def was_cut(self) -> bool:
        """By the end of what was read: a file that was truncated and has outgrown the old place differs there."""
        return os.pread(self._fd, len(self._overlap), self._position - len(self._overlap)) != self._overlap

    def start_over(self) -> None:
        """Read from the start again, as something new."""
        self._splitter = LineSplitter()
        self._position, self._head, self._overlap = 0, b"", b""
        self.generation, self._is_again = "", True

    def read(self) -> tuple[list[Line], bool]:
        new = os.pread(self._fd, CHUNK_BYTES, self._position)
        lines = self._placed(self._splitter.feed(new))
        self._position += len(new)
        self._head = self._head if len(self._head) >= HEAD_BYTES else (self._head + new)[:HEAD_BYTES]
        self._overlap = (self._overlap + new)[-TAIL_BYTES:]
        return lines, bool(new)

    def flush(self) -> list[Line]:
        found = self._splitter.flush()
        lines = self._placed(found)
        for offset, line in found:
            self._generations.note_unended(self.generation, offset, line.content)
        return lines

    def has_bytes(self) -> bool:
        return os.fstat(self._fd).st_size > 0

    def place_at(self, position: int) -> Place:
        before = min(position, TAIL_BYTES)
        # What was cut off cannot be compared any more.
        tail = b"" if self.was_cut() else os.pread(self._fd, before, position - before)
        return self._place(position, tail)

    def begin_place(self) -> Place:
        """Where reading will begin, before anything was read."""
        if self._head and not self.generation:
            self._name_generation()
        return self.place_at(self._splitter.consumed_bytes)

    def last_place(self) -> Place:
        """How far it was read, also when that was cut off since."""
        return self._place(self._position, self._overlap)

    def hand_over(self, copy: ReadableFile) -> None:
        """A copy goes on with the line that has begun here."""
        copy.take_over(self._splitter)
        self._splitter = LineSplitter()

    def take_over(self, splitter: LineSplitter) -> None:
        self._splitter = splitter

    def close(self) -> None:
        os.close(self._fd)

    def _encoding(self) -> str:
        return encoding_of(os.pread(self._fd, SAMPLE_BYTES, 0))

    def _go_to(self, position: int) -> None:
        self._position = position
        self._splitter = LineSplitter(start=position, encoding=self._encoding() if position else None)
        self._head = os.pread(self._fd, min(position, HEAD_BYTES), 0)
        self._overlap = os.pread(self._fd, min(position, TAIL_BYTES), max(0, position - TAIL_BYTES))

    def _place(self, position: int, tail: bytes) -> Place:
        head = self._head[:position]
        return Place(
            *(self.generation, self.identity.device, self.identity.inode, position),
            *(len(head), digest_of(head), len(tail), digest_of(tail)),
        )

    def _name_generation(self) -> None:
        first = os.pread(self._fd, FIRST_LINE_BYTES, 0).partition(b"\n")[0]
        device, inode = self.identity.device, self.identity.inode
        self.generation = self._generations.name(device, inode, first, is_again=self._is_again)

    def _placed(self, found: list[tuple[int, Line]]) -> list[Line]:
        if found and not self.generation:
            self._name_generation()
        named = (self.generation, self._origin, self._generations)
        return [placed(line, offset, *named, head=self._head) for offset, line in found]


def placed(line: Line, offset: int, generation: str, origin: str, generations: Generations, *, head: bytes) -> Line:
    """The line with its name, the name of its source, and the first bytes of that."""
    place = generations.place_of(generation, offset, line.content)
    return dataclasses.replace(line, place=place, origin=origin, file_head=head)


def generation_of(line: Line) -> str:
    """The generation in the name of a line."""
    return line.place.rsplit(":", 2)[0]
