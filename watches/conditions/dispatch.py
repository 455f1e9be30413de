"""Which watches an event may concern: most queries are not compared with most events. Pure.

Each query names words and values, one of which every event that passes has. An event is compared with the queries of
its own words and values, and with those that name none, such as a negation. Of several that a query names, one is taken
by which few queries are found: a thousand of one event type, each for another module, are found by their modules.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

from events.log import Entry
from events.query import AllOf, AnyOf, Condition, RecordView, Term, compiled, narrowed, terms_of
from gateway.filters import Selection

Wanting = TypeVar("Wanting")
# A query that demands one of more terms than this is compared with every event.
COVER_LIMIT = 50
# How many events have a term is a guess, in shares of a field's value. Words are more common, for the keys of payloads
# are in all events of a module, and hardly any event lacks a severity.
FIELD_SHARE, WORD_SHARE, SEVERITY_SHARE = 1, 2, 50

Cover = frozenset[str]


class Dispatch(Generic[Wanting]):
    """What wants the events of each selection; those of one selection are compared once."""

    def __init__(self, wanting: Iterable[tuple[Selection, Wanting]] = ()) -> None:
        self._by_selection: dict[Selection, list[Wanting]] = {}
        self._covers: dict[Selection, Cover] = {}
        self._by_term: dict[str, list[Selection]] = defaultdict(list)
        self._always: list[Selection] = []
        for selection, one in wanting:
            self.add(selection, one)

    def add(self, selection: Selection, one: Wanting) -> None:
        if selection in self._by_selection:
            self._by_selection[selection].append(one)
            return
        self._by_selection[selection] = [one]
        cover = self._cover_of(selection)
        if cover is None:
            self._always.append(selection)
            return
        self._covers[selection] = cover
        for term in cover:
            self._by_term[term].append(selection)

    def remove(self, selection: Selection, one: Wanting) -> None:
        self._by_selection[selection].remove(one)
        if self._by_selection[selection]:
            return
        del self._by_selection[selection]
        cover = self._covers.pop(selection, None)
        if cover is None:
            self._always.remove(selection)
            return
        for term in cover:
            self._by_term[term].remove(selection)
            if not self._by_term[term]:
                del self._by_term[term]

    def passing(self, entry: Entry, view: RecordView) -> Iterable[Wanting]:
        for selection in self._candidates(view):
            if entry.passes(selection, view):
                yield from self._by_selection[selection]

    def _candidates(self, view: RecordView) -> Iterable[Selection]:
        if not self._by_term:
            return self._always
        found = dict.fromkeys(self._always)
        for term in terms_of(view):
            if (here := self._by_term.get(term)) is not None:
                found.update(dict.fromkeys(here))
        return found

    def _cover_of(self, selection: Selection) -> Cover | None:
        """Terms of which each event that passes has one; None if there are none such."""
        return self._best([self._cover(narrowed(compiled(text).root)) for text in selection.queries or ()])

    def _cover(self, condition: Condition) -> Cover | None:
        match condition:
            case Term(text, prefix):
                return None if prefix else frozenset({text})
            case AllOf(parts):
                return self._best([self._cover(part) for part in parts])
            case AnyOf(parts):
                covers = [self._cover(part) for part in parts]
                if any(cover is None for cover in covers):
                    return None
                united = Cover().union(*(cover for cover in covers if cover is not None))
                return united if len(united) <= COVER_LIMIT else None
        return None

    def _best(self, covers: Iterable[Cover | None]) -> Cover | None:
        return min((cover for cover in covers if cover is not None), key=self._cost, default=None)

    def _cost(self, cover: Cover) -> tuple[int, int, int]:
        """How many comparisons it leads to: how common its terms are, and how many queries are found by them already.

        Of equal ones, the one with fewer terms, and with longer words, which are rarer.
        """
        comparisons = sum(_share(term) * (1 + len(self._by_term.get(term, ()))) for term in cover)
        return comparisons, len(cover), -min(map(len, cover))


def _share(term: str) -> int:
    if term.startswith("s:"):
        return SEVERITY_SHARE
    return FIELD_SHARE if term[1:2] == ":" else WORD_SHARE
