"""The text of a query, read from its beginning: signs, quotes and values. Pure; what follows what, the parser knows."""

import re
from typing import NamedTuple, NoReturn

# All control characters, all spaces, and marks of direction, which are not seen: they stand between terms.
_VISIBLE_SPACE = "\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACE = _VISIBLE_SPACE + "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
_GAP = re.compile(f"[{_VISIBLE_SPACE}]")
_SPACES = re.compile(f"[{_SPACE}]*")
_BARE = re.compile(f'[^{_SPACE}()":<>]+')
_VALUE = re.compile(f'[^{_SPACE}(),"]+')
_KEY = re.compile(f"(?:[A-Za-z0-9_-]|[^\x00-\x7f{_SPACE}])+")
_OPERATOR = re.compile(r"<=|>=|:|<|>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')
_KEYWORD = re.compile(f'(AND|OR|NOT)(?=[{_SPACE}()"]|\\Z)')


class BadQuery(Exception):
    """A mistake in a query: where it is, how long it is, and a sentence that says what would be right.

    `position` and `length` count code points, as Python does: `text[position : position + length]` is the mistake, and
    always lies within the text. A length of 0 says that something is missing at this place. A terminal can underline
    with them as they are; JavaScript counts in UTF-16, and `rangeOf` of static/events/query.js converts.
    """

    def __init__(self, position: int, length: int, sentence: str) -> None:
        super().__init__(sentence)
        self.position, self.length, self.sentence = position, length, sentence


class Value(NamedTuple):
    text: str
    # Behind it stood a star.
    prefix: bool
    start: int
    end: int


class Scanner:
    """`at` is the place up to which the text has been read. Each method goes on from there, or raises BadQuery."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def is_at_end(self) -> bool:
        return self.at == len(self.text)

    def is_at(self, sign: str) -> bool:
        return self.text.startswith(sign, self.at)

    def is_at_one_of(self, signs: str) -> bool:
        return self.text.startswith(tuple(signs), self.at)

    def is_at_gap(self) -> bool:
        """Whether a space is here that can be seen."""
        return _GAP.match(self.text, self.at) is not None

    def skip_space(self) -> None:
        found = _SPACES.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def takes(self, sign: str) -> bool:
        """Reads the sign if it is here."""
        if not self.is_at(sign):
            return False
        self.at += len(sign)
        return True

    def keyword(self) -> str:
        """AND, OR or NOT if one of them is here, else empty; it is not read."""
        found = _KEYWORD.match(self.text, self.at)
        return found[1] if found else ""

    def bare(self) -> str:
        """A word without quotes; empty if none is here."""
        return self._read(_BARE)

    def key(self) -> str:
        """A key of a path; empty if none is here."""
        return self.quoted() if self.is_at('"') else self._read(_KEY)

    def operator(self) -> str:
        """Empty if none is here."""
        return self._read(_OPERATOR)

    def is_at_operator(self) -> bool:
        return _OPERATOR.match(self.text, self.at) is not None

    def quoted(self) -> str:
        found = _QUOTED.match(self.text, self.at)
        if found is None:
            rest = len(self.text) - self.at
            self.fail(self.at, rest, r"These quotes are not closed. In quotes, \" and \\ stand for the two signs.")
        self.at = found.end()
        return _ESCAPED.sub(r"\1", found[1])

    def value(self) -> Value:
        if self.is_at_gap() and self.text[self.at - 1] not in "(,":
            self.fail(self.at, 1, "The value follows directly, without a space.")
        self.skip_space()
        start = self.at
        if self.is_at('"'):
            text = self.quoted()
            return Value(text, self.takes("*"), start, self.at)
        text = self._read(_VALUE)
        if not text:
            self.fail_here("Here a value is missing.")
        if "*" in text[:-1]:
            self.fail(start + text.index("*"), 1, "A star stands at the end of a value only, as in type:http.*")
        return Value(text.removesuffix("*"), text.endswith("*"), start, self.at)

    def fail(self, position: int, length: int, sentence: str) -> NoReturn:
        raise BadQuery(position, length, sentence)

    def fail_here(self, sentence: str) -> NoReturn:
        """About the word of the language, or the sign, that is here, or about the end."""
        length = len(self.keyword()) or (0 if self.is_at_end() else 1)
        self.fail(self.at, length, sentence)

    def _read(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]
