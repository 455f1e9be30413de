"""What a watch waits for, and what it says: values that the other modules share. Pure.

Times are seconds since 1970 by the database's clock.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

# Kinds of condition.
COUNT, ABSENCE, NEW_VALUE, EVERY = "count", "absence", "new_value", "every"
KINDS = (COUNT, ABSENCE, NEW_VALUE, EVERY)
# Of these a firing has an end: the condition is a state, true or not.
STATES = frozenset({COUNT, ABSENCE})

AT_LEAST_LIMIT = 1_000
WITHIN_SECONDS_MIN, WITHIN_SECONDS_MAX = 1, 7 * 86_400
ABSENT_SECONDS_MIN, ABSENT_SECONDS_MAX = 10, 30 * 86_400
DAYS_MIN, DAYS_MAX = 1, 90
# At least ten seconds lie between two firings of one group, so that a flood of events is not a flood of firings.
COOLDOWN_SECONDS_MIN, COOLDOWN_SECONDS_MAX, COOLDOWN_SECONDS_DEFAULT = 10, 7 * 86_400, 300
DAY_SECONDS = 86_400


class Place(NamedTuple):
    """An event, by its seq and its time."""

    seq: int
    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """`seconds` is the time within which so many events come, for which none comes, or in which no value was seen."""

    kind: str
    at_least: int = 1
    seconds: float = 0.0
    field: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        match self.kind:
            case "count":
                return {"kind": COUNT, "at_least": self.at_least, "within_sec": int(self.seconds)}
            case "absence":
                return {"kind": ABSENCE, "for_sec": int(self.seconds)}
            case "new_value":
                return {"kind": NEW_VALUE, "field": self.field, "days": int(self.seconds) // DAY_SECONDS}
        return {"kind": EVERY}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Condition":
        """Of what as_json() made, which has been checked."""
        match data["kind"]:
            case "count":
                return cls(COUNT, at_least=data["at_least"], seconds=float(data["within_sec"]))
            case "absence":
                return cls(ABSENCE, seconds=float(data["for_sec"]))
            case "new_value":
                return cls(NEW_VALUE, seconds=float(data["days"] * DAY_SECONDS), field=data["field"])
        return cls(EVERY)

    def describe(self) -> str:
        """For people."""
        match self.kind:
            case "count":
                return f"at least {self.at_least} within {int(self.seconds)} s"
            case "absence":
                return f"none for {int(self.seconds)} s"
            case "new_value":
                return f"a value of {self.field} not seen in {int(self.seconds) // DAY_SECONDS} days"
        return "every event"


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A condition, for each value of a field if `group_by` names one, and the time between two firings."""

    condition: Condition
    group_by: str = ""
    cooldown_seconds: float = COOLDOWN_SECONDS_DEFAULT


class Fired(NamedTuple):
    """A condition became true at this time. `events`: how many that belong to it; 0 if it fired because none came."""

    at: float
    events: int
    first: Place | None
    last: Place | None
    # Of a new-value watch: the new ones, the first few.
    values: tuple[str, ...] = ()


class Resolved(NamedTuple):
    """It is true no longer. `events`: how many belonged to it in all."""

    at: float
    events: int
    first: Place | None
    last: Place | None


Outcome = Fired | Resolved
