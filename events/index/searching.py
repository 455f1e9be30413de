"""Asking the index: which part of the log it holds, and where in it something may be."""

from typing import Protocol

from django.conf import settings

from events import log
from events.index.store import IndexUnavailable, Store
from events.index.stores import the_store
from events.index.tallies import Tally, Wanted
from events.index.vocabulary import by_words
from events.query import Condition
from ledger.faults import DATABASE_FAULTS

NOTHING = (1, 0)


class Index(Protocol):
    """For threads of a lane: on PostgreSQL it uses the thread's connection, on SQLite one of its own for each."""

    def extent(self) -> tuple[int, int]:
        """(low, high): each seq from low to high that the log has is indexed; (1, 0) when none is.

        It does not wait for the one that indexes, and never fails: (1, 0) also when the index is off, damaged, of
        another epoch, or its database is away.
        """

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        """The seqs from `low` to `high` that may pass, at most `limit`: the newest ones first, or the oldest ones.

        The range must lie within the extent. Raises TooSlow when that was not found in so many seconds, and
        IndexUnavailable when the index cannot be asked, or lost the range since the extent was read.
        """

    def tallies(self, epoch: str, *, low: int, high: int, wanted: Wanted, limit: int, seconds: float) -> list[Tally]:
        """Tallies of this log that lie in the range, at most `limit`, the newest first; there may be gaps between them.

        Each has only what is wanted of it. Raises TooSlow and IndexUnavailable.
        """


class StoredIndex:
    """Asks a store, and compares it with the log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def extent(self) -> tuple[int, int]:
        try:
            # The head is read after the state, so it cannot be behind it, unless the log was put back.
            state, head = self._store.state(), log.peek()
        except (IndexUnavailable, *DATABASE_FAULTS):
            return NOTHING
        if state is None or head is None or state.epoch != head.epoch or not state.low <= state.high <= head.last_seq:
            return NOTHING
        return state.low, state.high

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        if low > high or limit < 1:
            return []
        wanted = by_words(condition)
        return self._store.seqs(wanted, low=low, high=high, limit=limit, seconds=seconds, forwards=forwards)

    def tallies(self, epoch: str, *, low: int, high: int, wanted: Wanted, limit: int, seconds: float) -> list[Tally]:
        return self._store.tallies(epoch, low=low, high=high, wanted=wanted, limit=limit, seconds=seconds)


class _NoIndex:
    def extent(self) -> tuple[int, int]:
        return NOTHING

    def seqs(
        self, condition: Condition, *, low: int, high: int, limit: int, seconds: float, forwards: bool = False
    ) -> list[int]:
        raise IndexUnavailable("VX11_SEARCH_INDEX is off")

    def tallies(self, epoch: str, *, low: int, high: int, wanted: Wanted, limit: int, seconds: float) -> list[Tally]:
        raise IndexUnavailable("VX11_SEARCH_INDEX is off")


def the_index() -> Index:
    return StoredIndex(the_store()) if settings.SEARCH_INDEX else _NoIndex()
