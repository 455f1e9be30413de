"""An event as a query looks at it: its fields, the words of its texts, the scalars of its payload. Pure.

Each is made when it is first asked for, and once: most queries are decided by a field.
"""

import operator
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import orjson

from events.query.words import WORD_LIMIT_CHARACTERS, words
from vx11_client import exact_json

# The fields that hold words, beside the payload.
_WORD_FIELDS = ("summary", "event_type", "module", "correlation_id", "event_id")
_word_fields = operator.attrgetter(*_WORD_FIELDS)
_PAYLOAD, _BEHIND_PAYLOAD = b',"payload":', b',"created_at":"'
# Of JSON without escapes: a string, or another scalar; what is no word character; and a word that would be cut.
_TEXT = re.compile(r'"[^"]*"|[^"\s,:\[\]{}]+')
_BETWEEN = re.compile(r"[^0-9a-z\n]+")
_LONG_WORD = re.compile(rf"[0-9A-Za-z]{{{WORD_LIMIT_CHARACTERS + 1}}}")
# A number that Python may write in another way than it was published.
_ODD_NUMBER = re.compile(r"-0|[0-9][.eE]")


Path = tuple[str, ...]


class Row(Protocol):
    """An event as the database gives it; `payload` is JSON text."""

    @property
    def event_id(self) -> str: ...
    @property
    def event_type(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def module(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def payload(self) -> str: ...


class RecordView:
    """`body` is the event's JSON, as in a stream's data line; `known` holds some of its fields, if they are at hand."""

    __slots__ = ("_body", "_head", "_known", "_lower", "_payload", "_payload_text", "_plain", "_texts", "_words")

    def __init__(self, body: bytes, known: object = None) -> None:
        self._body = body
        self._known = known
        self._head: dict[str, Any] | None = None
        self._payload_text = ""
        self._payload: Any = None
        self._words = ""
        self._plain: str | None = None
        self._lower = ""
        self._texts: str | None = None

    @classmethod
    def of_row(cls, row: Row) -> "RecordView":
        """Of an event that has no JSON yet."""
        view = cls(b"", row)
        view._payload_text = row.payload
        return view

    @property
    def plain(self) -> str:
        """The texts as they stand in JSON, where all of them are ASCII without escapes. Else empty.

        What is not in it is not in the event, which takes a hundredth of the time that reading it takes.
        """
        if self._plain is None:
            text = self._body.decode() if self._body else self._fields_and_payload()
            self._plain = text if text.isascii() and "\\" not in text else ""
        return self._plain

    def may_hold(self, words: Sequence[str]) -> bool:
        """Whether all of these words may be in it. Too many are, and never too few."""
        if not self._lower and self.plain:
            self._lower = self.plain.lower() if self._body else self.texts
        return not self._lower or all(word in self._lower for word in words)

    @property
    def texts(self) -> str:
        """All that holds words, in lower case, where it is plain (else empty): each field, and the payload's JSON.

        A line end stands before and behind each field, and a quote or a line end between any two texts but numbers.
        """
        if self._texts is None:
            text = self.plain and (self._fields_and_payload() if self._body else self.plain)
            self._texts = text.lower()
        return self._texts

    def _fields_and_payload(self) -> str:
        # A row has all of them, an entry of a stream some.
        fields = [self.field(name) for name in _WORD_FIELDS] if self._body else _word_fields(self._known)
        joined = "\n".join(fields)
        if '"' in joined or joined.count("\n") >= len(fields):
            # In fields they stand within a text.
            joined = "\n".join(text.replace("\n", " ").replace('"', " ") for text in fields)
        return f"{joined}\n{self.payload_text}"

    @property
    def payload_text(self) -> str:
        """The payload's JSON, as it was published."""
        if not self._payload_text:
            start, end = self._payload_place()
            self._payload_text = self._body[start:end].decode()
        return self._payload_text

    @property
    def payload(self) -> Any:
        if self._payload is None:
            self._payload = _loads(self.payload_text)
        return self._payload

    def field(self, name: str) -> str:
        """One of severity, event_type, module, correlation_id, event_id, summary."""
        value: str | None = getattr(self._known, name, None)
        if value is not None:
            return value
        if self._head is None:
            start, _ = self._payload_place()
            self._head = orjson.loads(self._body[: start - len(_PAYLOAD)] + b"}")
        text: str = self._head[name]
        return text

    def _payload_place(self) -> tuple[int, int]:
        """In the body, as events.log.records writes it. No text holds these marks: quotes are escaped in texts."""
        return self._body.index(_PAYLOAD) + len(_PAYLOAD), self._body.rindex(_BEHIND_PAYLOAD)

    @property
    def words(self) -> str:
        """The words of fields and of the payload's keys and scalars: a space before and behind each, a line a text.

        So a word, words in their order, and the beginning of a word are found as parts of it, which takes linear time.
        """
        if not self._words:
            # In a summary there may be line ends, which do not end its text.
            fields = [self.field(name).replace("\n", " ") for name in _WORD_FIELDS]
            if self.plain and not _LONG_WORD.search(self.plain):
                # JSON need not be read: its strings and its other scalars are its texts.
                texts = "\n".join([*fields, *_TEXT.findall(self.payload_text)]).lower()
                self._words = f" {_BETWEEN.sub(' ', texts)} ".replace("\n", " \n ")
            else:
                found = [*fields, *_texts_in(self.payload)]
                self._words = "\n".join(f" {' '.join(words(text))} " for text in found)
        return self._words

    @property
    def numbers(self) -> Iterator[tuple[Path, float]]:
        """Of the payload: the keys that lead to each, and its double. Lists are no part of a path."""
        return numbers_in(self.payload)

    def at(self, path: Sequence[str]) -> Iterator[Any]:
        """What stands at this path into the payload: of a list, its elements. Objects too, which are no scalars."""
        if self.plain and not all(f'"{key}"' in self.plain for key in path):
            return
        found = [self.payload]
        for key in path:
            found = [item[key] for item in _flat(found) if isinstance(item, dict) and key in item]
        yield from _flat(found)


def _loads(text: str) -> Any:
    """Numbers as they were written; where all are whole, in a fifth of the time."""
    return exact_json.loads(text) if _ODD_NUMBER.search(text) else orjson.loads(text)


def is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_text(scalar: Any) -> str:
    """A text as it is; anything else as it stands in the JSON that was published."""
    return scalar if isinstance(scalar, str) else exact_json.dumps(scalar).decode()


def _flat(items: Sequence[Any]) -> list[Any]:
    """With the elements of lists in place of the lists, however deep lists stand in lists."""
    if not any(isinstance(item, list) for item in items):
        return list(items)
    flat: list[Any] = []
    pending = list(reversed(items))
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(reversed(item))
        else:
            flat.append(item)
    return flat


def numbers_in(payload: Any) -> Iterator[tuple[Path, float]]:
    pending: list[tuple[Path, Any]] = [((), payload)]
    while pending:
        path, item = pending.pop()
        if isinstance(item, list):
            inside = [(path, value) for value in item]
        elif isinstance(item, dict):
            inside = [((*path, key), value) for key, value in item.items() if value.__class__ is not str]
        elif is_number(item):
            yield path, float(item)
            continue
        else:
            continue
        pending += inside


def _texts_in(payload: Any) -> Iterator[str]:
    keys: list[str] = []
    for scalar in _scalars_in(payload, keys):
        yield as_text(scalar)
    yield from keys


def _scalars_in(payload: Any, keys: list[str] | None = None) -> Iterator[Any]:
    """All of them; `keys` is given those of all objects on the way."""
    pending = [payload]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if keys is not None:
                keys.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        else:
            yield item
