"""From the text of a query to its tree. Pure; by hand, because each mistake is answered with its place and the mend.

    severity>=warn module:(gateway,spawner) -type:http.* payload.http.status>=500 "connection refused" OR timeout

AND binds closer than OR, and is what stands between two terms when nothing does. Reading takes linear time.
"""

import re
from typing import NamedTuple, NoReturn

from events.query.record_view import as_number
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
_SPACE = re.compile(r"\s*")
_BARE = re.compile(r"""[^\s()":<>]+""")
_OPERATOR = re.compile(r"<=|>=|:|<|>")
_VALUE = re.compile(r"""[^\s(),"]+""")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')


class BadQuery(Exception):
    """A mistake in a query: where it is, how long it is, and a sentence that says what would be right."""

    def __init__(self, position: int, length: int, sentence: str) -> None:
        super().__init__(sentence)
        self.position, self.length, self.sentence = position, length, sentence


class _Value(NamedTuple):
    text: str
    prefix: bool
    start: int
    end: int


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
        self._text = text
        self._at = 0
        self._terms = 0

    def whole(self) -> Node:
        self._skip_space()
        if self._at == len(self._text):
            self._fail(0, 0, "The query is empty: write a word, or field:value.")
        node = self._either(0)
        if self._at < len(self._text):
            self._fail(self._at, 1, "This parenthesis closes nothing: take it away, or open one before.")
        return node

    def whole_path(self) -> tuple[str, ...]:
        if not self._text.startswith("payload."):
            self._fail(0, len(self._text), "A path begins with payload, as in payload.http.status.")
        path = self._path()
        if self._at < len(self._text):
            self._fail(self._at, len(self._text) - self._at, "Behind a path stands nothing here.")
        return path

    def _either(self, level: int) -> Node:
        parts = [self._both(level)]
        while self._keyword("OR"):
            parts.append(self._both(level))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self, level: int) -> Node:
        parts = [self._one(level)]
        while self._goes_on():
            self._keyword("AND")
            parts.append(self._one(level))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _goes_on(self) -> bool:
        """Whether another term follows before OR, a closing parenthesis or the end."""
        self._skip_space()
        return self._at < len(self._text) and self._text[self._at] != ")" and not self._peek("OR")

    def _one(self, level: int) -> Node:
        self._skip_space()
        start = self._at
        if level >= LIMIT_LEVELS:
            self._fail(start, 1, f"A query has at most {LIMIT_LEVELS} levels of parentheses and negations.")
        if start == len(self._text) or self._text[start] == ")" or self._peek("OR") or self._peek("AND"):
            self._fail(start, 1, "Here a term is missing, such as a word or field:value.")
        if self._keyword("NOT"):
            return Not(self._one(level + 1))
        if self._text[start] == "-":
            self._at += 1
            if self._at == len(self._text) or self._text[self._at].isspace():
                self._fail(start, 1, "A minus stands directly before what must not be there.")
            return Not(self._one(level + 1))
        if self._text[start] == "(":
            self._at += 1
            node = self._either(level + 1)
            self._close(start)
            return node
        return self._term()

    def _term(self) -> Node:
        self._terms += 1
        start = self._at
        if self._terms > LIMIT_TERMS:
            self._fail(start, 1, f"A query has at most {LIMIT_TERMS} terms.")
        if self._text[start] == '"':
            return self._phrase(self._quoted(), start, prefix=self._star())
        if self._text.startswith("payload.", start):
            return self._payload()
        found = _BARE.match(self._text, start)
        if found is None:
            self._fail(start, 1, f"A {self._text[start]} stands behind a field, as in severity>=warn.")
        self._at = found.end()
        if _OPERATOR.match(self._text, self._at):
            return self._field(found[0], start)
        bare = found[0]
        prefix = bare.endswith("*")
        if "*" in bare[:-1]:
            self._fail(start + bare.index("*"), 1, "A star stands at the end only: conn* finds connection.")
        return self._phrase(bare.removesuffix("*"), start, prefix=prefix)

    def _phrase(self, text: str, start: int, *, prefix: bool) -> Node:
        found = words(text)
        if not found:
            self._fail(start, self._at - start, "This holds no word: letters or digits are needed.")
        return Phrase(tuple(found), prefix)

    def _field(self, name: str, start: int) -> Node:
        if name == "severity":
            return self._severity()
        if name not in FIELDS:
            self._fail(
                start,
                len(name),
                f"There is no field {name}; there are severity, type, module, correlation, id and payload.<path>. "
                "To look for this text, put it in quotes.",
            )
        operator_at = self._at
        if self._operator() != ":":
            self._fail(operator_at, self._at - operator_at, f"{name} has no order: write {name}:value.")
        values = self._values()
        exact = frozenset(value.text for value in values if not value.prefix)
        return Field(FIELDS[name], exact, tuple(sorted({value.text for value in values if value.prefix})))

    def _severity(self) -> Node:
        operator = self._operator()
        values = self._values() if operator == ":" else [self._value()]
        ranks = [self._rank(value) for value in values]
        if operator == ":":
            return Severity(frozenset(name for name, rank in SEVERITY_RANKS.items() if rank in ranks))
        compare = COMPARISONS[operator]
        return Severity(frozenset(name for name, rank in SEVERITY_RANKS.items() if compare(rank, ranks[0])))

    def _rank(self, value: _Value) -> int:
        name = value.text.lower()
        rank = SEVERITY_RANKS.get(SEVERITY_ALIASES.get(name, name))
        if rank is None or value.prefix:
            names = ", ".join(SEVERITY_RANKS)
            self._fail(value.start, value.end - value.start, f"There is no such severity; there are {names}.")
        return rank

    def _payload(self) -> Node:
        start = self._at
        path = self._path()
        if not _OPERATOR.match(self._text, self._at):
            self._fail(start, self._at - start, "Behind a path stands :value, a comparison such as >=10, or :*.")
        operator = self._operator()
        if operator in COMPARISONS:
            value = self._value()
            if as_number(value.text) is None or value.prefix:
                self._fail(value.start, value.end - value.start, f"Behind {operator} stands a number, such as 500.")
            return Payload(path, operator, (value.text,))
        values = self._values()
        if any(value.prefix and not value.text for value in values):
            return Payload(path, "*")
        exact = tuple(sorted({value.text for value in values if not value.prefix}))
        beginnings = tuple(sorted({value.text for value in values if value.prefix}))
        chosen = ((kind, texts) for kind, texts in ((":", exact), ("^", beginnings)) if texts)
        nodes: list[Node] = [Payload(path, kind, texts) for kind, texts in chosen]
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _path(self) -> tuple[str, ...]:
        self._at += len("payload")
        keys = []
        while self._text.startswith(".", self._at):
            self._at += 1
            if self._text.startswith('"', self._at):
                keys.append(self._quoted())
                continue
            found = _KEY.match(self._text, self._at)
            if found is None:
                self._fail(self._at, 1, "Here a key is missing; one with odd characters stands in quotes.")
            keys.append(found[0])
            self._at = found.end()
        return tuple(keys)

    def _values(self) -> list[_Value]:
        if not self._text.startswith("(", self._at):
            return [self._value()]
        start = self._at
        self._at += 1
        values = [self._value()]
        self._skip_space()
        while self._text.startswith(",", self._at):
            self._at += 1
            values.append(self._value())
            self._skip_space()
        self._close(start)
        self._terms += len(values) - 1
        if self._terms > LIMIT_TERMS:
            self._fail(start, self._at - start, f"A query has at most {LIMIT_TERMS} terms, and each value is one.")
        return values

    def _value(self) -> _Value:
        if self._text.startswith((" ", "\t"), self._at) and self._text[self._at - 1] not in "(,":
            self._fail(self._at, 1, "The value follows directly, without a space.")
        self._skip_space()
        start = self._at
        if self._text.startswith('"', start):
            text = self._quoted()
            return _Value(text, self._star(), start, self._at)
        found = _VALUE.match(self._text, start)
        if found is None:
            self._fail(start, 1, "Here a value is missing.")
        self._at = found.end()
        text = found[0]
        if "*" in text[:-1]:
            self._fail(start + text.index("*"), 1, "A star stands at the end of a value only, as in type:http.*")
        return _Value(text.removesuffix("*"), text.endswith("*"), start, self._at)

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            rest = len(self._text) - self._at
            self._fail(self._at, rest, r"These quotes are not closed. In quotes, \" and \\ stand for the two signs.")
        self._at = found.end()
        return _ESCAPED.sub(r"\1", found[1])

    def _star(self) -> bool:
        if self._text.startswith("*", self._at):
            self._at += 1
            return True
        return False

    def _operator(self) -> str:
        found = _OPERATOR.match(self._text, self._at)
        assert found is not None  # noqa: S101 - looked at before
        self._at = found.end()
        return found[0]

    def _close(self, opened_at: int) -> None:
        self._skip_space()
        if not self._text.startswith(")", self._at):
            if self._at < len(self._text):
                self._fail(self._at, 1, "Values in parentheses are separated by commas.")
            self._fail(opened_at, 1, "This parenthesis is not closed.")
        self._at += 1

    def _keyword(self, word: str) -> bool:
        if self._peek(word):
            self._at += len(word)
            return True
        return False

    def _peek(self, word: str) -> bool:
        self._skip_space()
        end = self._at + len(word)
        return self._text.startswith(word, self._at) and (end == len(self._text) or self._text[end] in ' \t\r\n()"-')

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _fail(self, position: int, length: int, sentence: str) -> NoReturn:
        raise BadQuery(position, length, sentence)
