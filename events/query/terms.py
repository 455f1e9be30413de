"""What an index holds of an event, and what of a query it can narrow by. Pure.

An index may let too much through, and the predicate then looks at each candidate; it must never let too little through.
So each part of a query becomes a condition that every event that passes fulfils: the words it needs, the values of its
fields. What cannot be said in terms, such as a negation, lets everything through.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from events.query import decimals
from events.query.magnitudes import BUCKETS, bucket, number_terms, terms_between
from events.query.record_view import RecordView
from events.query.tree import COMPARISONS, And, Field, Node, Or, Payload, Phrase, Severity
from events.query.words import words

# One letter for each field, before its value.
FIELD_TERMS = {"event_type": "t", "module": "m", "severity": "s", "correlation_id": "c", "event_id": "i"}


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """A term that the index must hold for the event; of a `prefix`, one that begins so."""

    text: str
    prefix: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple["Condition", ...]


@dataclasses.dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple["Condition", ...]


# None lets everything through.
Condition = Term | AllOf | AnyOf | None


def terms_of(record: RecordView) -> Iterable[str]:
    """The words of all texts, the value of each field, and the payload's numbers: as such, and by path and size."""
    yield from set(record.words.split())
    for name in FIELD_TERMS:
        yield field_term(name, record.field(name)).text
    for path, number in set(record.numbers):
        yield from (number_term(number).text, *number_terms(path, number))


def number_term(number: float) -> Term:
    """Of the double: what is equal as a decimal is equal as a double, though not the other way round."""
    # Zero has no sign here: a query for 0 passes -0.0 too.
    return Term(_written("n", repr(float(number) + 0.0)))


def field_term(name: str, value: str, *, prefix: bool = False) -> Term:
    """That a field of the event has this value, or begins so."""
    return Term(_written(FIELD_TERMS[name], value), prefix)


def _written(letter: str, value: str) -> str:
    """Words hold no colon, so none is mistaken for a field's value."""
    return f"{letter}:{value}"


def narrowed(node: Node) -> Condition:
    match node:
        case Phrase(found, prefix):
            *before, last = found
            return all_of([*(Term(word) for word in before), Term(last, prefix)])
        case Field(name, values, prefixes):
            exact = [field_term(name, value) for value in sorted(values)]
            return any_of([*exact, *(field_term(name, value, prefix=True) for value in prefixes)])
        case Severity(allowed):
            return any_of([field_term("severity", severity) for severity in sorted(allowed)])
        case Payload():
            return _payload(node)
        case And(parts):
            return all_of([narrowed(part) for part in parts])
        case Or(parts):
            return any_of([narrowed(part) for part in parts])
    return None


def _payload(node: Payload) -> Condition:
    """By the size of the number; or by the words of the keys, and of the value where that must stand there as it is."""
    if node.comparison in COMPARISONS:
        return _compared(node.path, node.comparison, bucket(float(node.values[0])))
    keys = [Term(word) for key in node.path for word in words(key)]
    if node.comparison != ":":
        return all_of(keys)
    return all_of([*keys, any_of([_value(value) for value in node.values])])


def _compared(path: Sequence[str], comparison: str, place: int) -> Condition:
    low, high = (place, BUCKETS) if comparison in (">", ">=") else (-BUCKETS, place)
    return any_of([Term(term) for term in terms_between(path, low, high)])


def _value(text: str) -> Condition:
    """A number is held as the double it is, too: 5e2 is 500."""
    as_words = all_of([Term(word) for word in words(text)])
    return as_words if decimals.read(text) is None else any_of([as_words, number_term(float(text))])


def all_of(conditions: Sequence[Condition]) -> Condition:
    needed = tuple(condition for condition in conditions if condition is not None)
    if not needed:
        return None
    return needed[0] if len(needed) == 1 else AllOf(needed)


def any_of(conditions: Sequence[Condition]) -> Condition:
    """One that lets everything through makes all of them do so."""
    chosen = tuple(condition for condition in conditions if condition is not None)
    if len(chosen) < len(conditions) or not chosen:
        return None
    return chosen[0] if len(chosen) == 1 else AnyOf(chosen)
