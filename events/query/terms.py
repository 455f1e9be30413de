"""What an index holds of an event, and what of a query it can narrow by. Pure.

An index may let too much through, and the predicate then looks at each candidate; it must never let too little through.
So each part of a query becomes a condition that every event that passes fulfils: the words it needs, the values of its
fields. What cannot be said in terms, such as a negation, lets everything through.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from events.query.record_view import RecordView, as_number
from events.query.tree import And, Field, Node, Or, Payload, Phrase, Severity
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
    """Each once: the words of all texts, the value of each field, and the payload's numbers."""
    yield from set(record.words.split())
    for name, letter in FIELD_TERMS.items():
        yield field_term(letter, record.field(name))
    yield from {number_term(number) for number in record.numbers}


def number_term(number: float) -> str:
    # Zero has no sign here: a query for 0 passes -0.0 too.
    return field_term("n", repr(float(number) + 0.0))


def field_term(letter: str, value: str) -> str:
    """Words hold no colon, so none is mistaken for a field's value."""
    return f"{letter}:{value}"


def narrowed(node: Node) -> Condition:
    match node:
        case Phrase(found, prefix):
            *before, last = found
            return _all([*(Term(word) for word in before), Term(last, prefix)])
        case Field(name, values, prefixes):
            letter = FIELD_TERMS[name]
            exact = [Term(field_term(letter, value)) for value in sorted(values)]
            return _any([*exact, *(Term(field_term(letter, value), prefix=True) for value in prefixes)])
        case Severity(allowed):
            return _any([Term(field_term("s", name)) for name in sorted(allowed)])
        case Payload():
            return _payload(node)
        case And(parts):
            return _all([narrowed(part) for part in parts])
        case Or(parts):
            return _any([narrowed(part) for part in parts])
    return None


def _payload(node: Payload) -> Condition:
    """By the words of its keys, and of the value where that must stand there as it is."""
    keys = [Term(word) for key in node.path for word in words(key)]
    if node.comparison != ":":
        return _all(keys)
    return _all([*keys, _any([_value(value) for value in node.values])])


def _value(text: str) -> Condition:
    """A number is held as the double it is, too: 5e2 is 500."""
    number = as_number(text)
    as_words = _all([Term(word) for word in words(text)])
    return as_words if number is None else _any([as_words, Term(number_term(number))])


def _all(conditions: Sequence[Condition]) -> Condition:
    needed = tuple(condition for condition in conditions if condition is not None)
    if not needed:
        return None
    return needed[0] if len(needed) == 1 else AllOf(needed)


def _any(conditions: Sequence[Condition]) -> Condition:
    """One that lets everything through makes all of them do so."""
    chosen = tuple(condition for condition in conditions if condition is not None)
    if len(chosen) < len(conditions) or not chosen:
        return None
    return chosen[0] if len(chosen) == 1 else AnyOf(chosen)
