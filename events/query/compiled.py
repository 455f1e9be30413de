"""Queries by their texts, each read once: a selection holds texts, because it is stored with tickets and streams."""

import functools
from collections.abc import Iterable

from events.query.parser import parse
from events.query.record_view import RecordView
from events.query.scanner import BadQuery
from events.query.tree import Query
from gateway.filters import BadFilter

# At most so many streams and questions with queries of their own are served without reading a text again.
KEPT_QUERIES = 2_048


@functools.lru_cache(maxsize=KEPT_QUERIES)
def compiled(text: str) -> Query:
    """Raises BadQuery."""
    return parse(text)


def check(text: str) -> None:
    """Raises BadFilter, with the place of the mistake."""
    try:
        compiled(text)
    except BadQuery as mistake:
        raise BadFilter("q", mistake.sentence, (mistake.position, mistake.length)) from None


def all_match(texts: Iterable[str], record: RecordView) -> bool:
    """Whether the event passes each of these queries, which have been checked."""
    return all(compiled(text).matches(record) for text in texts)
