"""A query as a tree, and its meaning: which events pass. Pure.

`Query.matches` is the meaning of the language (docs/query.md): live events, replay, polls and searches use it, and an
index may let too much through, never too little.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, Protocol

from events.query import decimals
from events.query.phrases import decider
from events.query.record_view import RecordView, as_text, is_number, is_scalar

# A whole number that Python compares at once.
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
Matches = Callable[[RecordView], bool]
SEVERITY_RANKS = {"info": 0, "warn": 1, "error": 2, "critical": 3}
# Whether a comparison holds for an order: less than 0 if the event's value is the smaller, 0 if both are equal.
COMPARISONS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


class Node(Protocol):
    """One part of a query; `terms` are what it looks for, by which its cost is counted."""

    def compiled(self) -> Matches: ...

    @property
    def terms(self) -> int: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Phrase:
    """Words in this order, one behind the other in one text; of the last, only the beginning if `prefix`."""

    words: tuple[str, ...]
    prefix: bool = False

    @property
    def terms(self) -> int:
        return 1

    def compiled(self) -> Matches:
        wanted = f" {' '.join(self.words)}" + ("" if self.prefix else " ")
        words, decide = self.words, decider(self.words, prefix=self.prefix)

        def matches(record: RecordView) -> bool:
            if not record.may_hold(words):
                return False
            decided = decide(texts) if (texts := record.texts) else None
            return wanted in record.words if decided is None else decided

        return matches


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of the event that has one of these values, or begins with one of these prefixes. Exact, case included."""

    name: str
    values: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    @property
    def terms(self) -> int:
        return len(self.values) + len(self.prefixes)

    def compiled(self) -> Matches:
        name, values, prefixes = self.name, self.values, self.prefixes
        if not prefixes:
            return lambda record: record.field(name) in values
        return lambda record: (value := record.field(name)) in values or value.startswith(prefixes)


@dataclasses.dataclass(frozen=True, slots=True)
class Severity:
    """A severity of these. Comparisons are by rank: info < warn < error < critical."""

    allowed: frozenset[str]

    @property
    def terms(self) -> int:
        return 1

    def compiled(self) -> Matches:
        allowed = self.allowed
        return lambda record: record.field("severity") in allowed


@dataclasses.dataclass(frozen=True, slots=True)
class Payload:
    """A scalar at a path into the payload; where a list is on the way, any of its elements.

    `comparison` is one of COMPARISONS, ":" for equal as text or as number, "*" for being there, "^" for a beginning.
    Texts are exact, case included; true, false and null are texts like any other; a number's text is the one that was
    published. Numbers of the payload, and no texts there, are compared as decimals (decimals.py), whole or not, however
    long: 1e2 is 100, and 9007199254740993 is more than 9007199254740992.
    """

    path: tuple[str, ...]
    comparison: str
    values: tuple[str, ...] = ()

    @property
    def terms(self) -> int:
        return max(1, len(self.values))

    def compiled(self) -> Matches:
        path, is_wanted = self.path, self._test()
        if self.comparison == "*":
            return lambda record: any(True for _ in record.at(path))
        return lambda record: any(is_wanted(found) for found in record.at(path))

    def _test(self) -> Callable[[Any], bool]:
        if self.comparison in COMPARISONS:
            return _compared(COMPARISONS[self.comparison], self.values[0])
        if self.comparison == "^":
            return lambda found: is_scalar(found) and as_text(found).startswith(self.values)
        numbers = {decimals.read(value) for value in self.values} - {None}
        return lambda found: is_scalar(found) and (as_text(found) in self.values or _number(found) in numbers)


def _compared(fits: Callable[[int], bool], text: str) -> Callable[[Any], bool]:
    """Whether a value compares so with the number of this text."""
    wanted = decimals.read(text) or decimals.ZERO
    if _WHOLE.fullmatch(text) is None:
        return lambda found: (number := _number(found)) is not None and fits(decimals.order(number, wanted))
    whole = int(text)

    def is_wanted(found: Any) -> bool:
        # Most numbers are whole, and need not be read as decimals to be compared exactly.
        if type(found) is int:
            return fits(found - whole)
        return (number := _number(found)) is not None and fits(decimals.order(number, wanted))

    return is_wanted


def _number(found: Any) -> decimals.Decimal | None:
    """None for what is no number."""
    return decimals.read(as_text(found)) if is_number(found) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    part: Node

    @property
    def terms(self) -> int:
        return self.part.terms

    def compiled(self) -> Matches:
        matches = self.part.compiled()
        return lambda record: not matches(record)


@dataclasses.dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]

    @property
    def terms(self) -> int:
        return sum(part.terms for part in self.parts)

    def compiled(self) -> Matches:
        each = [part.compiled() for part in self.parts]
        return lambda record: all(matches(record) for matches in each)


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]

    @property
    def terms(self) -> int:
        return sum(part.terms for part in self.parts)

    def compiled(self) -> Matches:
        each = [part.compiled() for part in self.parts]
        return lambda record: any(matches(record) for matches in each)


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A question about events. Two are equal if their trees are, however they were typed: streams share them."""

    root: Node
    text: str = dataclasses.field(compare=False)
    matches: Matches = dataclasses.field(compare=False, repr=False)

    @property
    def terms(self) -> int:
        return self.root.terms

    @classmethod
    def of(cls, root: Node, text: str) -> "Query":
        return cls(root, text, root.compiled())
