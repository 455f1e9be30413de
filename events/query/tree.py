"""A query as a tree, and its meaning: which events pass. Pure.

`Query.matches` is the meaning of the language (docs/query.md): live events, replay, polls and searches use it, and an
index may let too much through, never too little.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

from events.query.record_view import RecordView, as_number, as_text, is_number, is_scalar

Matches = Callable[[RecordView], bool]
SEVERITY_RANKS = {"info": 0, "warn": 1, "error": 2, "critical": 3}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


class Node(Protocol):
    """One part of a query."""

    def compiled(self) -> Matches: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Phrase:
    """Words in this order, one behind the other in one text; of the last, only the beginning if `prefix`."""

    words: tuple[str, ...]
    prefix: bool = False

    def compiled(self) -> Matches:
        wanted = f" {' '.join(self.words)}" + ("" if self.prefix else " ")
        return lambda record: wanted in record.words


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of the event that has one of these values, or begins with one of these prefixes. Exact, case included."""

    name: str
    values: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def compiled(self) -> Matches:
        name, values, prefixes = self.name, self.values, self.prefixes
        if not prefixes:
            return lambda record: record.field(name) in values
        return lambda record: (value := record.field(name)) in values or value.startswith(prefixes)


@dataclasses.dataclass(frozen=True, slots=True)
class Severity:
    """A severity of these. Comparisons are by rank: info < warn < error < critical."""

    allowed: frozenset[str]

    def compiled(self) -> Matches:
        allowed = self.allowed
        return lambda record: record.field("severity") in allowed


@dataclasses.dataclass(frozen=True, slots=True)
class Payload:
    """A scalar at a path into the payload; where a list is on the way, any of its elements.

    `comparison` is one of COMPARISONS, ":" for equal as text or as number, "*" for being there, "^" for a beginning.
    """

    path: tuple[str, ...]
    comparison: str
    values: tuple[str, ...] = ()

    def compiled(self) -> Matches:
        path, is_wanted = self.path, self._test()
        if self.comparison == "*":
            return lambda record: any(True for _ in record.at(path))
        return lambda record: any(is_wanted(found) for found in record.at(path))

    def _test(self) -> Callable[[Any], bool]:
        if self.comparison in COMPARISONS:
            compare, number = COMPARISONS[self.comparison], float(self.values[0])
            return lambda found: is_number(found) and compare(float(found), number)
        if self.comparison == "^":
            return lambda found: is_scalar(found) and as_text(found).startswith(self.values)
        numbers = {as_number(value) for value in self.values} - {None}
        return lambda found: (
            is_scalar(found) and (as_text(found) in self.values or (is_number(found) and float(found) in numbers))
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    part: Node

    def compiled(self) -> Matches:
        matches = self.part.compiled()
        return lambda record: not matches(record)


@dataclasses.dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]

    def compiled(self) -> Matches:
        each = [part.compiled() for part in self.parts]
        return lambda record: all(matches(record) for matches in each)


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]

    def compiled(self) -> Matches:
        each = [part.compiled() for part in self.parts]
        return lambda record: any(matches(record) for matches in each)


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A question about events. Two are equal if their trees are, however they were typed: streams share them."""

    root: Node
    text: str = dataclasses.field(compare=False)
    matches: Matches = dataclasses.field(compare=False, repr=False)

    @classmethod
    def of(cls, root: Node, text: str) -> "Query":
        return cls(root, text, root.compiled())
