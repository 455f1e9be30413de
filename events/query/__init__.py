"""WHAT IS ASKED FOR? The language of queries, and the predicate that is its meaning.

    severity>=warn module:(gateway,spawner) -type:http.* payload.http.status>=500 "connection refused" OR timeout

`parse` makes a Query of a text, `Query.matches` says of an event whether it passes, and `narrowed` what an index can
say of that. Pure: no Django, no I/O. docs/query.md explains the language to those who ask.
"""

from events.query.compiled import all_match, check, compiled
from events.query.parser import LENGTH_LIMIT_CHARACTERS, parse, read_path
from events.query.record_view import RecordView, Row
from events.query.scanner import BadQuery
from events.query.terms import AllOf, AnyOf, Condition, Term, all_of, any_of, field_term, narrowed, terms_of
from events.query.tree import Matches, Query

__all__ = (
    "LENGTH_LIMIT_CHARACTERS",
    "AllOf",
    "AnyOf",
    "BadQuery",
    "Condition",
    "Matches",
    "Query",
    "RecordView",
    "Row",
    "Term",
    "all_match",
    "all_of",
    "any_of",
    "field_term",
    "check",
    "compiled",
    "narrowed",
    "parse",
    "read_path",
    "terms_of",
)
