"""What a store of the index can do, and why it could not. The state says which part of which log it holds."""

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from events.index.tallies import Tally, Wanted
from events.query import Condition

# Raised when what is stored, or in which form, changes: an index of another format is built anew.
FORMAT = 3
# One table for each range of so many seqs. Pruning drops whole tables; the beginnings of words (`word*`) cost about
# 25 ms for each table that is searched, other terms less than one.
SEGMENT_SEQS = 250_000

# How long an indexing process keeps the right to write without renewing it: so late another takes over from a dead one.
LEASE_SECONDS = 6.0
# How long a process that found damage asks no more: more than the one that indexes needs to begin anew.
DAMAGE_SECONDS = 10.0


class IndexUnavailable(Exception):
    """The index cannot be asked: it is off, away, being built anew, or does not hold the range. Read the log itself."""


class Damaged(IndexUnavailable):
    """It cannot be read any more, or is of another format: delete it and begin anew."""


class TooSlow(Exception):
    """The search was ended because its time was over."""


class LeaseLost(Exception):
    """Another process writes the index now; nothing of this write was kept."""


class State(NamedTuple):
    """Every seq from `low` to `high` that this log has is indexed; none if low > high.

    What pruning took is not in the log any more, so `low` need not rise with it. `generation` is another one each time
    the index begins anew.
    """

    epoch: str
    low: int
    high: int
    generation: str = ""


@contextlib.contextmanager
def answered_in_time() -> Iterator[None]:
    """For questions that have no time of their own: one that takes too long cannot be asked at all."""
    try:
        yield
    except TooSlow:
        raise IndexUnavailable("it did not answer in time") from None


class FoundDamage:
    """That a search found damage: the one that indexes begins anew, and after DAMAGE_SECONDS searches try again.

    Without this end a process that indexes nothing, such as a shell, would never use the index that was made anew.
    """

    def __init__(self) -> None:
        self._ends_at = 0.0

    def note(self) -> None:
        self._ends_at = time.monotonic() + DAMAGE_SECONDS

    def forget(self) -> None:
        self._ends_at = 0.0

    def check(self) -> None:
        if time.monotonic() < self._ends_at:
            raise Damaged("a search found it damaged")


# A seq and its terms.
Row = tuple[int, Collection[str]]


class Store(Protocol):
    """Where terms and tallies are. Readers of any thread use the first three; the rest is for the one that indexes."""

    def state(self) -> State | None:
        """None before the first beginning. Raises IndexUnavailable; Damaged also if a search found damage."""

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        """As `Index.seqs`."""

    def tallies(self, epoch: str, *, low: int, high: int, wanted: Wanted, limit: int, seconds: float) -> list[Tally]:
        """As `Index.tallies`."""

    def claim(self, holder: str, *, force: bool = False) -> bool:
        """Whether this holder may write, for LEASE_SECONDS from now; makes an empty store if there is none.

        `force` takes it from another one. Raises Damaged, IndexUnavailable, as all below do.
        """

    def begin(self, holder: str, epoch: str, *, after: int) -> State:
        """Forget everything, and be the index of that log, with nothing up to `after` and nothing behind it.

        Raises LeaseLost, as all below do.
        """

    def write(self, holder: str, rows: Iterable[Row], *, low: int, high: int, tallies: Sequence[Tally] = ()) -> None:
        """Add terms and tallies, and set what is indexed then, in one transaction."""

    def forget_below(self, holder: str, seq: int) -> int:
        """Drop the tables of which all seqs are smaller, and such tallies; how many tables."""

    def release(self, holder: str) -> None:
        """Let another process take over at once. Does nothing without the lease."""

    def size_bytes(self) -> int: ...

    def remove(self) -> None:
        """Delete all of it, whatever state it is in."""

    def close(self) -> None:
        """End this thread's connection for writing."""


def segments_between(low: int, high: int, segment_seqs: int) -> range:
    """The numbers of the segments that hold this range."""
    return range(low // segment_seqs, high // segment_seqs + 1)
