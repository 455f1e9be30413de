"""Fields of a request's body, checked one by one, with all errors reported together. null counts as missing."""

from collections.abc import Sequence
from typing import Any, TypeVar

from events.log import ID_FORM
from gateway.filters import VALUES_LIMIT
from gateway.http.errors import ApiError

Value = TypeVar("Value")
# Of a body, so many fields are looked at for unknown ones, and so much of each name is in the refusal.
UNKNOWN_NAMED = 100
FIELD_SHOWN_CHARACTERS = 64


class Fields:
    """Reads one body. A wrong field returns its default; `refuse_wrong` then raises for all wrong fields."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self.errors: dict[str, list[str]] = {}

    def has(self, name: str) -> bool:
        """Whether the field is there, and not null."""
        return self._body.get(name) is not None

    def text(self, name: str, *, maximum: int, default: str = "", required: bool = False) -> str:
        """A text of at most `maximum` characters; a required one must not be empty."""
        value = self._body.get(name)
        if value is None and not required:
            return default
        if not isinstance(value, str) or (required and not value):
            return self._wrong(name, "required: a text" if required else "must be a text", default)
        return value if len(value) <= maximum else self._wrong(name, f"at most {maximum} characters", default)

    def line(self, name: str, *, maximum: int, required: bool = False) -> str:
        """A text in one line, without control characters; a required one has more than spaces."""
        value = self.text(name, maximum=maximum, required=required)
        if not value.isprintable():
            return self._wrong(name, "one line, without control characters", "")
        if required and not value.strip() and name not in self.errors:
            return self._wrong(name, "required: a text", "")
        return value

    def id(self, name: str) -> str:
        value = self._body.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or not ID_FORM.fullmatch(value):
            return self._wrong(name, "1 to 64 of A-Z a-z 0-9 . _ -", "")
        return value

    def number(self, name: str, *, minimum: int, maximum: int, default: int) -> int:
        value = self._body.get(name)
        if value is None:
            return default
        # 172.0 is a whole number in JSON, and True is one in Python.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            return self._wrong(name, f"a whole number from {minimum} to {maximum}", default)
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of the choices; the first if the field is missing."""
        value = self._body.get(name)
        if value is None:
            return choices[0]
        return value if value in choices else self._wrong(name, f"one of {', '.join(choices)}", choices[0])

    def names(self, name: str, default: Sequence[str]) -> list[str]:
        """A list of names, each once, in the order given."""
        value = self._body.get(name)
        if value is None:
            return list(default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return self._wrong(name, "must be a list of texts", list(default))
        names = list(dict.fromkeys(value))
        return names if len(names) <= VALUES_LIMIT else self._wrong(name, f"at most {VALUES_LIMIT} names", [])

    def object(self, name: str, *, required: bool = False) -> dict[str, Any]:
        value = self._body.get(name)
        if value is None and not required:
            return {}
        if not isinstance(value, dict):
            return self._wrong(name, f"{'required: ' if required else ''}a JSON object", {})
        return value

    def flag(self, name: str) -> bool:
        """false if the field is missing."""
        value = self._body.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        return self._wrong(name, "true or false", False)  # noqa: FBT003 - the value in place of the wrong one

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """A field that is not read was misspelt: what its sender wants would not happen."""
        for name in list(self._body)[:UNKNOWN_NAMED]:
            if name not in known:
                self.wrong(name[:FIELD_SHOWN_CHARACTERS], f"unknown field; use {', '.join(known)}")

    def wrong(self, name: str, problem: str) -> None:
        self.errors.setdefault(name, []).append(problem)

    def refuse_wrong(self) -> None:
        if self.errors:
            raise ApiError("validation_error", errors=self.errors)

    def _wrong(self, name: str, problem: str, instead: Value) -> Value:
        self.wrong(name, problem)
        return instead
