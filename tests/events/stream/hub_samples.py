"""Entries that no log has seen, and what of them a chunk holds."""

import re

from events.log.records import Entry

EPOCH = "k7f3"
_IDS = re.compile(rb"^id: k7f3-(\d+)$", re.MULTILINE)


def entry(seq: int, severity: str = "info", *, size_bytes: int = 2) -> Entry:
    return Entry(seq, severity, "madre", "test.happened", "test", b"x" * size_bytes)


class Inbox:
    """What the hub has written to a reader; while `full`, the reader takes a chunk and no more after it."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.full = False

    def write(self, chunk: bytes) -> bool:
        assert chunk
        self.chunks.append(chunk)
        return not self.full

    @property
    def seqs(self) -> list[int]:
        return ids(b"".join(self.chunks))


def ids(chunk: bytes) -> list[int]:
    """The seqs of a chunk's events."""
    return [int(found) for found in _IDS.findall(chunk)]
