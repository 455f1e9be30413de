"""Entries that no log has seen, and what of them a chunk holds."""

import re

from events.entries import Entry

EPOCH = "k7f3"
_IDS = re.compile(rb"^id: k7f3-(\d+)$", re.MULTILINE)


def entry(seq: int, severity: str = "info", *, size_bytes: int = 2) -> Entry:
    return Entry(seq, severity, "madre", "test.happened", "test", b"x" * size_bytes)


def ids(chunk: bytes) -> list[int]:
    """The seqs of a chunk's events."""
    return [int(found) for found in _IDS.findall(chunk)]
