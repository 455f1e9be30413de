"""Which events a caller may see, and which it asked for: the same code for stream, replay and polling. Pure: no I/O.

A selection holds, for each field, the set of values that pass; None lets every value pass. Selections are
narrowed by intersection only, so a ticket can never see more than its principal.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vx11_client.wire_names import ID_FORM, MODULE_FORM

SEVERITIES = ("info", "warn", "error", "critical")
# Other spellings that callers use for a severity.
SEVERITY_ALIASES = {"warning": "warn"}
MODULE_RULE = "use 1 to 64 of A-Z a-z 0-9 . _ -"
# More values in one filter are a mistake or an attack; the list of all modules is much shorter.
VALUES_LIMIT = 100
# The form of stored values; another value could match nothing.
_VALUE = ID_FORM

Allowed = frozenset[str] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The events that pass. Hashable, so that streams with equal selections are filtered once, as a group."""

    severities: Allowed = None
    modules: Allowed = None
    event_types: Allowed = None
    correlation_ids: Allowed = None
    # Texts in the language of queries, all of which must pass, and not one of them. What they mean is said by the app
    # that knows events: `admits` does not look at them.
    queries: Allowed = None

    def __and__(self, other: "Selection") -> "Selection":
        return Selection(
            _both(self.severities, other.severities),
            _both(self.modules, other.modules),
            _both(self.event_types, other.event_types),
            _both(self.correlation_ids, other.correlation_ids),
            _all_of(self.queries, other.queries),
        )

    def admits(self, *, severity: str, module: str, event_type: str, correlation_id: str) -> bool:
        return (
            (self.severities is None or severity in self.severities)
            and (self.modules is None or module in self.modules)
            and (self.event_types is None or event_type in self.event_types)
            and (self.correlation_ids is None or correlation_id in self.correlation_ids)
        )

    def exceeds(self, other: "Selection") -> bool:
        """Whether this names a module that the other does not include."""
        return other.modules is not None and self.modules is not None and not self.modules <= other.modules

    def as_json(self) -> dict[str, list[str]]:
        """Only the fields that restrict: {"modules": ["madre"]}; an empty object lets all pass."""
        chosen = ((name, getattr(self, name)) for name in Selection.__slots__)
        return {name: sorted(values) for name, values in chosen if values is not None}

    def describe(self) -> str:
        """For people: "modules: hermes, switch; severities: warn", or "everything"."""
        parts = [f"{name}: {', '.join(values) or 'none'}" for name, values in self.as_json().items()]
        return "; ".join(parts) or "everything"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Selection":
        return cls(**{name: frozenset(values) for name, values in data.items()})


EVERYTHING = Selection()


def is_module_name(text: str) -> bool:
    return MODULE_FORM.fullmatch(text) is not None


class BadFilter(Exception):
    """A filter value that can match nothing. `errors` maps the field to what is wrong with it.

    Of a query, `place` is where the mistake stands: position and length, in characters.
    """

    def __init__(self, field: str, problem: str, place: tuple[int, int] | None = None) -> None:
        super().__init__(f"{field}: {problem}")
        self.errors: dict[str, list[Any]] = {field: [problem]}
        if place is not None:
            self.errors = {field: [{"position": place[0], "length": place[1], "message": problem}]}


class _Queries:
    """Reads the texts of queries. Their language belongs to the app of events, which is above this one."""

    def __init__(self) -> None:
        self._check: Callable[[str], None] | None = None

    def understood_by(self, check: Callable[[str], None]) -> None:
        """`check` raises BadFilter for a text that has a mistake."""
        self._check = check

    def read(self, raw: Iterable[str]) -> Allowed:
        """Without spaces around them; None when nothing was asked. Raises BadFilter."""
        texts = {query: text for text in raw if (query := text.strip())}
        if len(texts) > 1:
            raise BadFilter("q", "one query; put several together with spaces or OR")
        for text in texts.values():
            if self._check is None:
                raise RuntimeError("no app has said what queries mean")
            # With its spaces: the caller counts the place of a mistake in what it has sent.
            self._check(text)
        return frozenset(texts) or None


queries = _Queries()


def read_values(field: str, raw: Iterable[str]) -> Allowed:
    """The values of one field, each of which may be a comma list; None when nothing was given."""
    values = {value for text in raw for item in text.split(",") if (value := item.strip(" "))}
    if len(values) > VALUES_LIMIT:
        raise BadFilter(field, f"at most {VALUES_LIMIT} values")
    if not all(_VALUE.fullmatch(value) for value in values):
        raise BadFilter(field, "values are 1 to 64 of A-Z a-z 0-9 . _ -")
    return frozenset(values) or None


def read_severities(field: str, raw: Iterable[str]) -> Allowed:
    """As read_values, for severities: `warning` is read as `warn`, unknown severities raise BadFilter."""
    values = read_values(field, raw)
    if values is None:
        return None
    named = frozenset(SEVERITY_ALIASES.get(value.lower(), value.lower()) for value in values)
    if unknown := named.difference(SEVERITIES):
        raise BadFilter(field, f"unknown severity {sorted(unknown)[0]!r}; use {', '.join(SEVERITIES)}")
    return named


def _both(one: Allowed, other: Allowed) -> Allowed:
    if one is None:
        return other
    return one if other is None else one & other


def _all_of(one: Allowed, other: Allowed) -> Allowed:
    if one is None:
        return other
    return one if other is None else one | other
