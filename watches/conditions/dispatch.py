"""Which watches an event may concern: most queries are not compared with most events. Pure.

Each query names words and values, one of which every event that passes has. An event is compared with the queries of
its own words and values, and with those that name none, such as a negation.
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


class Dispatch(Generic[Wanting]):
    """What wants the events of each selection; those of one selection are compared once."""

    def __init__(self, wanting: Iterable[tuple[Selection, Wanting]] = ()) -> None:
        self._by_selection: dict[Selection, list[Wanting]] = {}
        self._by_term: dict[str, list[Selection]] = defaultdict(list)
        self._always: list[Selection] = []
        for selection, one in wanting:
            self.add(selection, one)

    def add(self, selection: Selection, one: Wanting) -> None:
        if selection in self._by_selection:
            self._by_selection[selection].append(one)
            return
        self._by_selection[selection] = [one]
        cover = _cover_of(selection)
        if cover is None:
            self._always.append(selection)
        for term in cover or ():
            self._by_term[term].append(selection)

    def remove(self, selection: Selection, one: Wanting) -> None:
        self._by_selection[selection].remove(one)
        if self._by_selection[selection]:
            return
        del self._by_selection[selection]
        cover = _cover_of(selection)
        if cover is None:
            self._always.remove(selection)
        for term in cover or ():
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


def _cover_of(selection: Selection) -> frozenset[str] | None:
    """Terms of which each event that passes has one; None if there are none such."""
    covers = [_cover(narrowed(compiled(text).root)) for text in selection.queries or ()]
    return _smallest(covers)


def _cover(condition: Condition) -> frozenset[str] | None:
    match condition:
        case Term(text, prefix):
            return None if prefix else frozenset({text})
        case AllOf(parts):
            return _smallest(map(_cover, parts))
        case AnyOf(parts):
            covers = [_cover(part) for part in parts]
            if any(cover is None for cover in covers):
                return None
            united = frozenset[str]().union(*(cover for cover in covers if cover is not None))
            return united if len(united) <= COVER_LIMIT else None
    return None


def _smallest(covers: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """The one that the fewest events will have."""
    return min((cover for cover in covers if cover is not None), key=_commonness, default=None)


def _commonness(cover: frozenset[str]) -> tuple[int, int, int]:
    """A guess. Values of fields are rarer than words, of which the keys of payloads are in all events of a module, and
    hardly any event lacks a severity. Of words, long ones are rare.
    """
    kinds = [2 if term.startswith("s:") else 0 if term[1:2] == ":" else 1 for term in cover]
    return max(kinds), len(cover), -min(map(len, cover))
