"""Terms as both databases hold them, and conditions as both are asked for them. Pure.

`events.query.terms_of` says which terms an event has. Here they are written so that no database splits one, and read
quickly. Two terms may become one: an index may let too much through. Ids are held as their words only: hardly any two
events share those, and a term that only one event has takes more space than any other.
"""

import functools
import re
from collections.abc import Callable, Collection

import orjson

from events.query import AllOf, AnyOf, Condition, RecordView, Row, Term, terms_of
from events.query.magnitudes import number_terms
from events.query.record_view import Path, numbers_in
from events.query.terms import number_term
from events.query.words import WORD_LIMIT_CHARACTERS, words

# What is neither letter nor digit of ASCII nor one of : . _ - becomes "_": quotes, spaces, and surrogates, which no
# database takes. Each character by itself, so that the beginning of a term is the beginning of what it becomes.
_ODD = re.compile(r"[^0-9A-Za-z:._\-\u0080-\ud7ff\ue000-\U0010ffff]")
PUNCTUATION = ":._-"
# A term that no event has of itself. Held in place of all others by an event with more terms than PostgreSQL's tsvector
# takes (1 MiB, with its own figures): every search finds that event.
ALWAYS = "_"
TERMS_LIMIT_BYTES = 512 * 1024
# PostgreSQL takes 2046 bytes. Fields and words are shorter; a longer value would be cut here, and so in a condition.
TERM_LIMIT_BYTES = 1_000
# Of fields and of numbers at their paths, as they are held: most are of events before.
KEPT_FIELDS, KEPT_NUMBERS = 4_096, 32_768

# Of event ids and correlation ids, with the colon behind them.
_ID_LETTERS = ("i:", "c:")
# By its number, what each character of ASCII becomes: one pass of all texts, in a fifth of the time of a pattern.
_FOLDED = "".join(letter.lower() if letter.isalnum() else " " for letter in map(chr, range(128)))
# Whether JSON holds a number; this finds it in texts, too, which is allowed.
_NUMBER = re.compile(r"[:\[,\s]-?[0-9]")


def terms_in(row: Row) -> Collection[str]:
    """What the index holds of an event."""
    fields = f"{row.event_id} {row.event_type} {row.summary} {row.module} {row.correlation_id}"
    if fields.isascii() and row.payload.isascii() and "\\" not in row.payload:
        held = _held_of_plain(row, f"{fields} {row.payload}")
    else:
        held = {as_held(term) for term in terms_of(RecordView.of_row(row)) if not term.startswith(_ID_LETTERS)}
    is_long = len(row.payload) > TERMS_LIMIT_BYTES // 16
    too_many = is_long and sum(len(term.encode()) + 8 for term in held) > TERMS_LIMIT_BYTES
    return [ALWAYS] if too_many else held


def _held_of_plain(row: Row, texts: str) -> set[str]:
    """The same, and perhaps more, in a quarter of the time: without letters to fold, words are found in JSON as it is.

    Its punctuation stands between words as that of any text does.
    """
    held = set(texts.translate(_FOLDED).split())
    if max(map(len, held), default=0) > WORD_LIMIT_CHARACTERS:
        held = {word[:WORD_LIMIT_CHARACTERS] for word in held}
    held.update((_held_field("t", row.event_type), _held_field("m", row.module), _held_field("s", row.severity)))
    if _NUMBER.search(row.payload):
        for path, number in numbers_in(orjson.loads(row.payload)):
            held.update(_held_number(path, number))
    return held


@functools.lru_cache(maxsize=KEPT_FIELDS)
def _held_field(letter: str, value: str) -> str:
    return as_held(f"{letter}:{value}")


@functools.lru_cache(maxsize=KEPT_NUMBERS)
def _held_number(path: Path, number: float) -> tuple[str, ...]:
    return as_held(number_term(number).text), *number_terms(path, number)


def as_held(term: str) -> str:
    """A term as the databases hold it."""
    written = _ODD.sub("_", term)
    if len(written) <= TERM_LIMIT_BYTES // 4:
        return written
    return written.encode()[:TERM_LIMIT_BYTES].decode(errors="ignore")


def as_fts5(condition: Condition) -> str:
    """A condition in the language of SQLite's FTS5."""
    return _written(_or_always(condition), term=_fts5_term, both=" AND ", either=" OR ")


def as_tsquery(condition: Condition) -> str:
    """A condition as a tsquery of PostgreSQL."""
    return _written(_or_always(condition), term=_tsquery_term, both=" & ", either=" | ")


def by_words(condition: Condition) -> Condition:
    """The condition with the words of ids in place of ids; None if that lets everything through."""
    match condition:
        case Term(text, prefix) if text.startswith(_ID_LETTERS):
            *before, last = words(text[2:]) or [""]
            return AllOf((*(Term(word) for word in before), Term(last, prefix))) if last else None
        case AllOf(parts):
            needed = [part for part in map(by_words, parts) if part is not None]
            return AllOf(tuple(needed)) if needed else None
        case AnyOf(parts):
            chosen = [by_words(part) for part in parts]
            return None if None in chosen else AnyOf(tuple(chosen))
    return condition


def _or_always(condition: Condition) -> Condition:
    return AnyOf((condition, Term(ALWAYS)))


def _written(condition: Condition, *, term: Callable[[str, bool], str], both: str, either: str) -> str:
    match condition:
        case Term(text, prefix):
            return term(as_held(text), prefix)
        case AllOf(parts):
            operator = both
        case AnyOf(parts):
            operator = either
        case _:
            raise ValueError("a part of a condition lets everything through")
    return f"({operator.join(_written(part, term=term, both=both, either=either) for part in parts)})"


def _fts5_term(held: str, prefix: bool) -> str:  # noqa: FBT001 - of Term
    return f'"{held}"{" *" if prefix else ""}'


def _tsquery_term(held: str, prefix: bool) -> str:  # noqa: FBT001 - of Term
    return f"'{held}'{':*' if prefix else ''}"
