"""From the text of a query to its tree. Pure; by hand, because each mistake is answered with its place and the mend.

    severity>=warn module:(gateway,spawner) -type:http.* payload.http.status>=500 "connection refused" OR timeout

AND binds closer than OR, and is what stands between two terms when nothing does. Reading takes linear time.

static/events/query.js reads the same language in JavaScript, with the same sentences; tests compare the two.
"""

import re
from typing import NoReturn

from events.query import decimals
from events.query.scanner import BadQuery, Scanner, Value
from events.query.tree import (
    COMPARISONS,
    SEVERITY_RANKS,
    And,
    Field,
    Node,
    Not,
    Or,
    Payload,
    Phrase,
    Query,
    Severity,
)
from events.query.words import words
from gateway.filters import SEVERITY_ALIASES

LENGTH_LIMIT_CHARACTERS = 1_000
LIMIT_TERMS = 32
LIMIT_LEVELS = 8
# Short names, and the fields of an event they stand for.
FIELDS = {
    "type": "event_type",
    "event_type": "event_type",
    "module": "module",
    "correlation": "correlation_id",
    "correlation_id": "correlation_id",
    "id": "event_id",
    "event_id": "event_id",
}
# A name that can be repeated in a sentence: what is longer or has other signs would make it hard to read.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")


def parse(text: str) -> Query:
    """Raises BadQuery."""
    if len(text) > LENGTH_LIMIT_CHARACTERS:
        over = len(text) - LENGTH_LIMIT_CHARACTERS
        raise BadQuery(LENGTH_LIMIT_CHARACTERS, over, f"A query has at most {LENGTH_LIMIT_CHARACTERS} characters.")
    return Query.of(_Parser(text).whole(), text)


def read_path(text: str) -> tuple[str, ...]:
    """The keys of a path such as payload.http.status. Raises BadQuery."""
    return _Parser(text).whole_path()


class _Parser:
    def __init__(self, text: str) -> None:
        self._scanner = Scanner(text)
        self._terms = 0

    def whole(self) -> Node:
        scanner = self._scanner
        scanner.skip_space()
        if scanner.is_at_end():
            scanner.fail(0, 0, "The query is empty: write a word, or field:value.")
        node = self._either(0)
        if not scanner.is_at_end():
            scanner.fail(scanner.at, 1, "This parenthesis closes nothing: take it away, or open one before.")
        return node

    def whole_path(self) -> tuple[str, ...]:
        scanner = self._scanner
        length = len(scanner.text)
        if not scanner.is_at("payload."):
            scanner.fail(0, length, "A path begins with payload, as in payload.http.status.")
        path = self._path()
        if not scanner.is_at_end():
            scanner.fail(scanner.at, length - scanner.at, "Behind a path stands nothing here.")
        return path

    def _either(self, level: int) -> Node:
        parts = [self._both(level)]
        while self._scanner.keyword() == "OR":
            self._scanner.takes("OR")
            parts.append(self._both(level))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self, level: int) -> Node:
        """Up to OR, a closing parenthesis or the end."""
        scanner = self._scanner
        parts = [self._one(level)]
        scanner.skip_space()
        while not (scanner.is_at_end() or scanner.is_at(")") or scanner.keyword() == "OR"):
            if scanner.keyword() == "AND":
                scanner.takes("AND")
            parts.append(self._one(level))
            scanner.skip_space()
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, level: int) -> Node:
        scanner = self._scanner
        scanner.skip_space()
        start = scanner.at
        if scanner.is_at_end() or scanner.is_at(")") or scanner.keyword() in ("OR", "AND"):
            scanner.fail_here("Here a term is missing, such as a word or field:value.")
        if scanner.keyword() == "NOT":
            scanner.takes("NOT")
            return Not(self._one(self._deeper(start, level)))
        if scanner.takes("-"):
            if scanner.is_at_end() or scanner.is_at_gap():
                scanner.fail(start, 1, "A minus stands directly before what must not be there.")
            return Not(self._one(self._deeper(start, level)))
        if scanner.takes("("):
            node = self._either(self._deeper(start, level))
            self._close(start)
            return node
        return self._term()

    def _deeper(self, start: int, level: int) -> int:
        if level == LIMIT_LEVELS:
            length = self._scanner.at - start
            sentence = f"A query has at most {LIMIT_LEVELS} levels of parentheses and negations."
            self._scanner.fail(start, length, sentence)
        return level + 1

    def _term(self) -> Node:
        scanner = self._scanner
        start = scanner.at
        self._count(start, 1)
        if scanner.is_at('"'):
            return self._phrase(scanner.quoted(), start, star=scanner.takes("*"))
        if scanner.is_at("payload."):
            return self._payload()
        bare = scanner.bare()
        if not bare:
            sign = scanner.text[start]
            sentence = f"A {sign} stands behind a field, as in severity>=warn. In quotes it is part of a text."
            scanner.fail(start, 1, sentence)
        if scanner.is_at_operator():
            return self._field(bare, start)
        if "*" in bare[:-1]:
            scanner.fail(start + bare.index("*"), 1, "A star stands at the end only: conn* finds connection.")
        return self._phrase(bare.removesuffix("*"), start, star=bare.endswith("*"))

    def _count(self, start: int, terms: int) -> None:
        self._terms += terms
        if self._terms > LIMIT_TERMS:
            sentence = f"A query has at most {LIMIT_TERMS} terms, and each value in a list is one."
            self._scanner.fail(start, len(self._scanner.text) - start, sentence)

    def _phrase(self, text: str, start: int, *, star: bool) -> Node:
        found = words(text)
        if not found:
            length = self._scanner.at - start
            self._scanner.fail(start, length, "This holds no word: letters or digits are needed.")
        # Behind a word's letter, a star asks for words that begin so. Behind a point, the word before is whole: http.*
        return Phrase(tuple(found), prefix=star and len(words(f"{text}x")) == len(found))

    def _field(self, name: str, start: int) -> Node:
        scanner = self._scanner
        if name == "severity":
            return self._severity()
        if name not in FIELDS:
            which = f"is no field {name}" if _PLAIN_NAME.fullmatch(name) else "is no such field"
            known = "severity, type, module, correlation, id and payload.<path>"
            scanner.fail(
                start, len(name), f"There {which}; there are {known}. To look for this text, put all of it in quotes."
            )
        operator_at = scanner.at
        operator = scanner.operator()
        if operator != ":":
            scanner.fail(operator_at, len(operator), f"{name} has no order: write {name}:value.")
        values = self._values()
        exact = frozenset(value.text for value in values if not value.prefix)
        return Field(FIELDS[name], exact, tuple(sorted({value.text for value in values if value.prefix})))

    def _severity(self) -> Node:
        operator = self._scanner.operator()
        if operator == ":":
            return Severity(frozenset(name for value in self._values() for name in self._severities(value)))
        value = self._single(operator)
        if value.prefix:
            self._no_such_severity(value)
        (wanted,) = self._severities(value)
        fits, ranks = COMPARISONS[operator], SEVERITY_RANKS
        return Severity(frozenset(name for name in ranks if fits(ranks[name] - ranks[wanted])))

    def _severities(self, value: Value) -> set[str]:
        """Those that are meant, in either of their spellings and in any case."""
        text = value.text.lower()
        spellings = {**{name: name for name in SEVERITY_RANKS}, **SEVERITY_ALIASES}
        if value.prefix:
            found = {name for spelling, name in spellings.items() if spelling.startswith(text)}
        else:
            found = {name for spelling, name in spellings.items() if spelling == text}
        if not found:
            self._no_such_severity(value)
        return found

    def _no_such_severity(self, value: Value) -> NoReturn:
        sentence = f"There is no such severity; there are {', '.join(SEVERITY_RANKS)}."
        self._scanner.fail(value.start, value.end - value.start, sentence)

    def _payload(self) -> Node:
        scanner = self._scanner
        start = scanner.at
        path = self._path()
        operator = scanner.operator()
        if operator in COMPARISONS:
            value = self._single(operator)
            if decimals.read(value.text) is None or value.prefix:
                length = value.end - value.start
                scanner.fail(value.start, length, f"Behind {operator} stands a number, such as 500 or -0.5.")
            return Payload(path, operator, (value.text,))
        if not operator:
            scanner.fail(start, scanner.at - start, "Behind a path stands :value, a comparison such as >=10, or :*.")
        values = self._values()
        if any(value.prefix and not value.text for value in values):
            return Payload(path, "*")
        exact = tuple(sorted({value.text for value in values if not value.prefix}))
        beginnings = tuple(sorted({value.text for value in values if value.prefix}))
        chosen = ((kind, texts) for kind, texts in ((":", exact), ("^", beginnings)) if texts)
        nodes: list[Node] = [Payload(path, kind, texts) for kind, texts in chosen]
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _path(self) -> tuple[str, ...]:
        scanner = self._scanner
        scanner.takes("payload")
        keys = []
        while scanner.takes("."):
            quoted = scanner.is_at('"')
            key = scanner.key()
            if not key and not quoted:
                scanner.fail_here('Here a key is missing. One with other signs stands in quotes: payload."a b":1.')
            keys.append(key)
        # Behind these stands no key; what is wrong with a=1 is not the key.
        ends = scanner.is_at_end() or scanner.is_at_operator() or scanner.is_at_gap() or scanner.is_at_one_of(")=!*")
        if not ends:
            sentence = 'This cannot stand in a key without quotes. With them it can: payload."a b":1.'
            scanner.fail(scanner.at, 1, sentence)
        return tuple(keys)

    def _values(self) -> list[Value]:
        """One, or several in parentheses."""
        scanner = self._scanner
        start = scanner.at
        if not scanner.takes("("):
            return [self._single(":")]
        values = [scanner.value()]
        scanner.skip_space()
        while scanner.takes(","):
            values.append(scanner.value())
            scanner.skip_space()
        self._close(start)
        self._count(start, len(values) - 1)
        return values

    def _single(self, operator: str) -> Value:
        scanner = self._scanner
        if scanner.is_at("("):
            scanner.fail(scanner.at, 1, f"Behind {operator} stands one value.")
        value = scanner.value()
        if scanner.is_at(","):
            scanner.fail(scanner.at, 1, "Several values stand behind a colon, in parentheses: module:(a,b).")
        return value

    def _close(self, opened_at: int) -> None:
        scanner = self._scanner
        if scanner.takes(")"):
            return
        if not scanner.is_at_end():
            scanner.fail(scanner.at, 1, "Values in parentheses are separated by commas.")
        scanner.fail(opened_at, 1, "This parenthesis is not closed.")
