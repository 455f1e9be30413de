"""Positions in the log: `<epoch>-<seq>`, opaque to clients. Pure."""

import re
from typing import NamedTuple

CURSOR_FORM = re.compile(r"([0-9a-z]{1,16})-([0-9]{1,18})", re.ASCII)
# An epoch is so many random letters, and then its generation in decimal digits.
EPOCH_RANDOM_LETTERS = 6


def generation(epoch: str) -> int:
    """How many epochs this installation has had, with this one; 0 for those of older versions, which did not count."""
    digits = epoch[EPOCH_RANDOM_LETTERS:]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


class BadCursor(ValueError):
    """The text is not a cursor; no log was asked."""


class Cursor(NamedTuple):
    """Everything with a seq up to this one has been seen. The epoch names the log that the seq counts in."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    def is_ahead_of(self, other: "Cursor") -> bool:
        """Whether this is of a later moment of an installation's life, or of another log of which that is not known.

        False for both of two logs that begin at the same generation: one of them was put back to an older state.
        """
        if self.epoch == other.epoch:
            return self.seq > other.seq
        here, there = generation(self.epoch), generation(other.epoch)
        return here > there or here == there == 0

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        found = CURSOR_FORM.fullmatch(text)
        if found is None:
            raise BadCursor(text[:64])
        return cls(found[1], int(found[2]))


class Head(NamedTuple):
    """Where the log begins and ends: `oldest_seq` is the first that is still there."""

    epoch: str
    last_seq: int
    oldest_seq: int
    # Of the database that took the last append, as in events.log.incarnation.
    incarnation: str = ""

    @property
    def newest(self) -> Cursor:
        return Cursor(self.epoch, self.last_seq)

    @property
    def oldest(self) -> Cursor:
        """The cursor from which everything that is left can be read."""
        return Cursor(self.epoch, self.oldest_seq - 1)

    def is_behind(self, seen: Cursor) -> bool:
        """Whether the log was put back to an older state since that was seen of it."""
        if seen.epoch == self.epoch:
            return self.last_seq < seen.seq
        here, there = generation(self.epoch), generation(seen.epoch)
        # Two logs of one generation: each is an older state that went on by itself.
        return there > here or there == here > 0

    def reset_for(self, cursor: Cursor) -> str:
        """Why reading cannot go on from this cursor: "epoch", "unknown", "expired", or "" if it can."""
        if cursor.epoch != self.epoch:
            return "epoch"
        if cursor.seq > self.last_seq:
            return "unknown"
        return "expired" if cursor.seq < self.oldest_seq - 1 else ""


class CursorGone(Exception):
    """Not every event after the cursor is there any more. `reset` says why, as in Head.reset_for."""

    def __init__(self, reset: str, head: Head) -> None:
        super().__init__(reset)
        self.reset = reset
        self.head = head
