"""What an index and a database can say of a selection, before its queries are compared with events. Pure."""

import functools

from events.query import Condition, all_of, any_of, compiled, field_term, narrowed
from events.query.tree import And, Field, Node, Severity
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
