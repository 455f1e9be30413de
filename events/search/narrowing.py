"""What an index and a database can say of a selection, before its queries are compared with events. Pure."""

import functools
from typing import NamedTuple

from events.index import Source
from events.query import Condition, RecordView, all_match, all_of, any_of, compiled, field_term, narrowed
from events.query.tree import And, Field, Node, Not, Or, Severity
from gateway.filters import Selection

# The fields of an event by which the database selects, and the sets of a selection.
_SETS = {
    "severity": "severities",
    "module": "modules",
    "event_type": "event_types",
    "correlation_id": "correlation_ids",
}
# Conditions and selections of recent questions: a client that pages asks the same again and again.
KEPT_SELECTIONS = 512


@functools.lru_cache(maxsize=KEPT_SELECTIONS)
def condition_of(selection: Selection) -> Condition:
    """What the index must hold of every event that passes; None if that is nothing."""
    fields = [
        any_of([field_term(name, value) for value in sorted(values)])
        for name, of in _SETS.items()
        if (values := getattr(selection, of)) is not None
    ]
    return all_of([*fields, *(narrowed(compiled(text).root) for text in sorted(selection.queries or ()))])


@functools.lru_cache(maxsize=KEPT_SELECTIONS)
def for_database(selection: Selection) -> Selection:
    """The same events, with what its queries demand of fields said once more where the database sees it."""
    for text in selection.queries or ():
        selection &= _demanded(compiled(text).root)
    return selection


def _demanded(node: Node) -> Selection:
    match node:
        case And(parts):
            return functools.reduce(Selection.__and__, map(_demanded, parts))
        case Severity(allowed):
            return Selection(severities=allowed)
        case Field(name, values, ()) if name in _SETS:
            return Selection(**{_SETS[name]: values})
    return Selection()


@functools.lru_cache(maxsize=KEPT_SELECTIONS)
def is_decided_by(selection: Selection, fields: tuple[str, ...]) -> bool:
    """Whether these fields of an event say if it passes."""
    named = {name for name, of in _SETS.items() if getattr(selection, of) is not None}
    return named <= set(fields) and all(_looks_only_at(compiled(text).root, fields) for text in selection.queries or ())


def admits_source(selection: Selection, source: Source) -> bool:
    """Whether events of this source pass, of a selection that is decided by that."""
    # A view of an event whose JSON is never read.
    return selection.admits(**source._asdict(), correlation_id="") and all_match(
        selection.queries or (), RecordView(b"", _Known(*source))
    )


class _Known(NamedTuple):
    severity: str
    module: str
    event_type: str
    correlation_id: str = ""


def _looks_only_at(node: Node, fields: tuple[str, ...]) -> bool:
    match node:
        case Severity():
            return "severity" in fields
        case Field(name):
            return name in fields
        case Not(part):
            return _looks_only_at(part, fields)
        case And(parts) | Or(parts):
            return all(_looks_only_at(part, fields) for part in parts)
    return False
