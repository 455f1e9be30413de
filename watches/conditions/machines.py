"""One condition for one group: matching events and times go in, firings come out. Pure.

A machine's answers depend on its events and their times alone, not on when it was asked: `advance(t)` does all that is
due up to t, at the times at which it was due. So it may be stopped, stored and read back anywhere between two events.
Times never go backwards; its caller sees to that.
"""

import abc
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from watches.conditions.rules import Fired, Outcome, Place, Resolved, Rule

NEVER = math.inf
# New values that a firing names; the others are counted.
VALUES_NAMED = 10


class Machine(abc.ABC):
    """`due` is when something happens though no event comes; `is_idle`: it may be forgotten, and begun anew."""

    # Fields that are stored, in the order in which they are written.
    stored: ClassVar[tuple[str, ...]] = ()

    @property
    @abc.abstractmethod
    def due(self) -> float: ...

    @property
    @abc.abstractmethod
    def idle_at(self) -> float:
        """From when on it is idle, if no event comes: a time that only events move, and only to a later one."""

    def is_idle(self, now: float) -> bool:
        return self.idle_at <= now

    @abc.abstractmethod
    def match(self, place: Place, values: tuple[str, ...] = ()) -> list[Outcome]:
        """An event that passes the query. `advance` has been called with its time."""

    @abc.abstractmethod
    def _happen(self) -> Outcome | None:
        """What is due."""

    def advance(self, now: float) -> list[Outcome]:
        """All that is due up to now, in order."""
        outcomes = []
        while self.due <= now:
            outcome = self._happen()
            if outcome is not None:
                outcomes.append(outcome)
        return outcomes

    def as_json(self) -> dict[str, Any]:
        return {name: _written(getattr(self, name)) for name in self.stored}

    def read(self, data: Mapping[str, Any]) -> "Machine":
        """Go on where as_json() was called."""
        for name in self.stored:
            value = data[name]
            setattr(self, name, _read_places(value) if isinstance(value, list) else value)
        return self


def _written(value: Any) -> Any:
    """Places as lists, for JSON."""
    return [_written(item) for item in value] if isinstance(value, list | tuple) else value


def _read_places(value: list[Any]) -> Any:
    """A place, several of them, or values, as JSON has kept them."""
    if value and isinstance(value[0], list):
        return [Place(*item) for item in value]
    if value and isinstance(value[0], int):
        return Place(*value)
    return value


class Count(Machine):
    """At least N within W seconds: true while the newest N lie in the last W seconds."""

    stored = ("recent", "firing", "waiting", "cool_at", "total", "first")

    def __init__(self, rule: Rule) -> None:
        self._at_least, self._seconds = rule.condition.at_least, rule.condition.seconds
        self._cooldown_seconds = rule.cooldown_seconds
        # The newest N at the most, oldest first.
        self.recent: list[Place] = []
        self.firing = False
        # It became true while it cooled down.
        self.waiting = False
        self.cool_at = 0.0
        self.total = 0
        self.first: Place | None = None

    @property
    def _true_until(self) -> float:
        return self.recent[0].at + self._seconds if len(self.recent) == self._at_least else -NEVER

    @property
    def due(self) -> float:
        if self.firing:
            return self._true_until
        # It fires when it has cooled down, unless it is false again by then.
        return self.cool_at if self.waiting and self.cool_at < self._true_until else NEVER

    @property
    def idle_at(self) -> float:
        # One that fires has ended by then, because the oldest of the newest N is over before the last.
        return max(self.cool_at, self.recent[-1].at + self._seconds) if self.recent else self.cool_at

    def is_idle(self, now: float) -> bool:
        return super().is_idle(now) and not self.firing

    def match(self, place: Place, values: tuple[str, ...] = ()) -> list[Outcome]:
        self.recent.append(place)
        del self.recent[: -self._at_least]
        self.total += 1
        if self.firing:
            return []
        is_true = self._true_until > place.at
        self.waiting = is_true and place.at < self.cool_at
        return [self._fire(place.at)] if is_true and not self.waiting else []

    def _happen(self) -> Outcome | None:
        if not self.firing:
            return self._fire(self.cool_at)
        self.firing = False
        return Resolved(self._true_until, self.total, self.first, self.recent[-1])

    def _fire(self, at: float) -> Outcome:
        self.firing, self.waiting, self.cool_at = True, False, at + self._cooldown_seconds
        self.first, self.total = self.recent[0], self._at_least
        return Fired(at, self.total, self.first, self.recent[-1])


class Absence(Machine):
    """None for M seconds, since the last one or since the watch began. Ends with the next event."""

    stored = ("last", "last_at", "firing", "cool_at")

    def __init__(self, rule: Rule, begins_at: float) -> None:
        self._seconds, self._cooldown_seconds = rule.condition.seconds, rule.cooldown_seconds
        self.last: Place | None = None
        self.last_at = begins_at
        self.firing = False
        self.cool_at = 0.0

    @property
    def due(self) -> float:
        return NEVER if self.firing else max(self.last_at + self._seconds, self.cool_at)

    @property
    def idle_at(self) -> float:
        """Never: that nothing comes is what it waits for."""
        return NEVER

    def match(self, place: Place, values: tuple[str, ...] = ()) -> list[Outcome]:
        resolved = [Resolved(place.at, 1, place, place)] if self.firing else []
        self.last, self.last_at, self.firing = place, place.at, False
        return list[Outcome](resolved)

    def _happen(self) -> Outcome | None:
        fired = Fired(self.due, 0, self.last, self.last)
        self.firing, self.cool_at = True, fired.at + self._cooldown_seconds
        return fired


class Every(Machine):
    """Each event; those that come while it cools down are one firing after that."""

    stored = ("cool_at", "waiting", "first", "last", "values")

    def __init__(self, rule: Rule) -> None:
        self._cooldown_seconds = rule.cooldown_seconds
        self.cool_at = 0.0
        self.waiting = 0
        self.first: Place | None = None
        self.last: Place | None = None
        self.values: list[str] = []

    @property
    def due(self) -> float:
        return self.cool_at if self.waiting else NEVER

    @property
    def idle_at(self) -> float:
        return self.cool_at

    def is_idle(self, now: float) -> bool:
        return super().is_idle(now) and not self.waiting

    def match(self, place: Place, values: tuple[str, ...] = ()) -> list[Outcome]:
        self.first = self.first if self.waiting else place
        self.last = place
        self.waiting += 1
        new = [value for value in values if value not in self.values]
        self.values += new[: max(0, VALUES_NAMED - len(self.values))]
        return [self._fire(place.at)] if place.at >= self.cool_at else []

    def _happen(self) -> Outcome | None:
        return self._fire(self.cool_at)

    def _fire(self, at: float) -> Outcome:
        fired = Fired(at, self.waiting, self.first, self.last, tuple(self.values))
        self.cool_at, self.waiting, self.first, self.last, self.values = at + self._cooldown_seconds, 0, None, None, []
        return fired


def machine_for(rule: Rule, *, begins_at: float) -> Machine:
    """A new one. New values are found by their memory (`evaluator`), and each is then an event like any other."""
    match rule.condition.kind:
        case "count":
            return Count(rule)
        case "absence":
            return Absence(rule, begins_at)
    return Every(rule)
