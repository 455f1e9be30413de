"""WHERE IS WHICH WORD? The index: terms of each event, held by a reader of the log. Derived, and dispensable."""

from typing import Protocol

from events.query import Condition


class TooSlow(Exception):
    """The statement was ended: the part of the log that was asked about is too large for this condition."""


class IndexUnavailable(Exception):
    """The index cannot be asked; the log can be searched without it."""


class Index(Protocol):
    """Which events may pass a condition. It may name too many, never too few. For threads of a lane."""

    def extent(self) -> tuple[int, int]:
        """The first and last seq of what is indexed without a hole; (1, 0) if nothing is."""
        ...

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        """At most `limit` seqs from low to high, the newest first unless `forwards`.

        Raises TooSlow after that many seconds, IndexUnavailable.
        """
        ...


class _NoIndex:
    def extent(self) -> tuple[int, int]:
        return 1, 0

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        raise IndexUnavailable


_none = _NoIndex()


def the_index() -> Index:
    return _none
