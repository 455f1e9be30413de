"""Compressed files, read once: `.gz` by the standard library, `.zst` by `zstandard` or Python's own."""

import gzip
import importlib
import io
import os
from pathlib import Path
from typing import Any, cast

from vx11_client.files.open_file import CHUNK_BYTES, FIRST_LINE_BYTES, Identity, placed
from vx11_client.files.places import HEAD_BYTES, TAIL_BYTES, Generations, Place, digest_of
from vx11_client.lines.line import Line, LineSplitter

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
SUFFIXES = (".gz", ".zst")
MISSING_ZSTD = (
    "it is compressed by Zstandard, and this Python cannot read that: pip install zstandard (the extra zst of "
    "vx11-client), or decompress the file with zstd -d"
)


class UnreadableArchive(OSError):
    """The file is compressed and cannot be read; the text says why."""

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(0, reason, str(path))


def is_archive(path: Path) -> bool:
    """Whether the file begins as a compressed one. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.pread(fd, 4, 0).startswith((GZIP_MAGIC, ZSTD_MAGIC))
    finally:
        os.close(fd)


class ArchiveFile:
    """The lines of a compressed file. Raises UnreadableArchive when it cannot be read here, or is broken."""

    is_complete = True

    def __init__(self, path: Path, origin: str, generations: Generations) -> None:
        self._path = path
        self._file = _decompressed(path)
        found = os.stat(path)
        self.identity = Identity(found.st_dev, found.st_ino)
        self._origin = origin
        self._generations = generations
        self._splitter = LineSplitter()
        self._error: UnreadableArchive | None = None
        self._head = self._first_bytes()
        self._next = self._head
        self._tail = b""
        self._read_bytes = 0
        self.generation = ""

    def go_on(self, place: Place) -> bool:
        """Begin at the place; False if the file does not hold what was read there."""
        if digest_of(self._head[: place.head_bytes]) != place.head_digest:
            return False
        before = b""
        while self._read_bytes < place.position:
            piece = self._next[: place.position - self._read_bytes]
            if not piece:
                return False
            before = (before + piece)[-TAIL_BYTES:]
            self._read_bytes += len(piece)
            self._next = self._next[len(piece) :] or self._read_piece()
        if digest_of(before[-place.tail_bytes :] if place.tail_bytes else b"") != place.tail_digest:
            return False
        self.generation = place.generation
        self._splitter = LineSplitter(start=place.position, encoding="")
        return True

    def read(self) -> tuple[list[Line], bool]:
        piece, self._next = self._next, b""
        piece = piece or self._read_piece()
        self._read_bytes += len(piece)
        return self._placed(self._splitter.feed(piece)), bool(piece)

    def flush(self) -> list[Line]:
        return self._placed(self._splitter.flush())

    def has_bytes(self) -> bool:
        return bool(self._head)

    def was_cut(self) -> bool:
        return False

    def place_at(self, position: int) -> Place:
        """The place by its first bytes alone: what was read is not kept."""
        head = self._head[: min(position, HEAD_BYTES)]
        return Place(
            *(self.generation, self.identity.device, self.identity.inode, position),
            *(len(head), digest_of(head), 0, digest_of(b"")),
        )

    def take_over(self, splitter: LineSplitter) -> None:
        self._splitter = splitter

    def close(self) -> None:
        self._file.close()

    def _first_bytes(self) -> bytes:
        """As much as a first line may have, or all. What is broken behind them is an error when it is read."""
        found = b""
        while len(found) < FIRST_LINE_BYTES and (piece := self._read_piece(is_first=not found)):
            found += piece
        return found

    def _read_piece(self, *, is_first: bool = True) -> bytes:
        if self._error is not None:
            raise self._error
        try:
            # In pieces as they are decompressed: of a file that is cut off, all comes out that is there.
            return self._file.read1(CHUNK_BYTES)
        except Exception as error:  # noqa: BLE001 - each library has exceptions of its own
            self._error = UnreadableArchive(f"it is a compressed file that is broken: {error}", self._path)
        if is_first:
            raise self._error
        return b""

    def _placed(self, found: list[tuple[int, Line]]) -> list[Line]:
        if found and not self.generation:
            first = self._head[:FIRST_LINE_BYTES].partition(b"\n")[0]
            self.generation = self._generations.name(self.identity.device, self.identity.inode, first)
        named = (self.generation, self._origin, self._generations)
        return [placed(line, offset, *named, head=self._head) for offset, line in found]


def _decompressed(path: Path) -> io.BufferedReader:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == ZSTD_MAGIC:
        return _zstd(path)
    return cast(io.BufferedReader, gzip.open(path, "rb"))


def _zstd(path: Path) -> io.BufferedReader:
    for module_name in ("compression.zstd", "zstandard"):
        try:
            module: Any = importlib.import_module(module_name)
        except ImportError:
            continue
        return cast(io.BufferedReader, module.open(path, "rb"))
    raise UnreadableArchive(MISSING_ZSTD, path)
