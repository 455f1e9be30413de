"""An event as a query looks at it: its fields, the words of its texts, the scalars of its payload. Pure.

Each is made when it is first asked for, and once: most queries are decided by a field.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from events.query.words import words
from vx11_client import exact_json

# The fields that hold words, beside the payload.
_WORD_FIELDS = ("summary", "event_type", "module", "correlation_id", "event_id")


class Fields(Protocol):
    """What is known of an event without reading its JSON."""

    @property
    def severity(self) -> str: ...
    @property
    def module(self) -> str: ...
    @property
    def event_type(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...


class RecordView:
    """`body` is the event's JSON, as in a stream's data line; `known` holds some of its fields, if they are at hand."""

    __slots__ = ("_body", "_event", "_known", "_words")

    def __init__(self, body: bytes, known: Fields | None = None) -> None:
        self._body = body
        self._known = known
        self._event: dict[str, Any] | None = None
        self._words = ""

    @property
    def event(self) -> dict[str, Any]:
        if self._event is None:
            self._event = exact_json.loads(self._body.decode())
        return self._event

    def field(self, name: str) -> str:
        """One of severity, event_type, module, correlation_id, event_id."""
        value: str = getattr(self._known, name, None) or self.event[name]
        return value

    @property
    def words(self) -> str:
        """The words of fields and of the payload's keys and scalars: a space before and behind each, a line a text.

        So a word, words in their order, and the beginning of a word are found as parts of it, which takes linear time.
        """
        if not self._words:
            texts = [self.field(name) for name in _WORD_FIELDS]
            texts.extend(_texts_in(self.event["payload"]))
            self._words = "\n".join(f" {' '.join(words(text))} " for text in texts)
        return self._words

    @property
    def numbers(self) -> Iterator[float]:
        """Of the payload, wherever they stand."""
        return (float(scalar) for scalar in _scalars_in(self.event["payload"]) if is_number(scalar))

    def at(self, path: Sequence[str]) -> Iterator[Any]:
        """What stands at this path into the payload: of a list, its elements. Objects too, which are no scalars."""
        found = [self.event["payload"]]
        for key in path:
            found = [item[key] for item in _flat(found) if isinstance(item, dict) and key in item]
        yield from _flat(found)


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
