"""A watch as people define it: the fields of the API's body, checked. `waits_for` is what its state depends on."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from events import query as language
from events.log import timestamp
from gateway.filters import BadFilter
from ledger import clock
from operator_api.http.fields import Fields
from watches import quiet_hours
from watches.conditions import rules
from watches.conditions.fields import FIELDS, is_field
from watches.conditions.rules import ABSENCE, COUNT, DAY_SECONDS, EVERY, KINDS, NEW_VALUE, Condition
from watches.models import FIELD_LENGTH, NAME_LENGTH, Watch

TARGETS_LIMIT = 10
# A watch that is to be silent for longer is to be deleted.
MUTE_LIMIT = timedelta(days=365)
NAMES = ("name", "query", "condition", "group_by", "cooldown_sec", "notify", "shared", "muted_until", "quiet")
_CONDITION_FIELDS = {
    COUNT: ("at_least", "within_sec"),
    ABSENCE: ("for_sec",),
    NEW_VALUE: ("field", "days"),
    EVERY: (),
}
_WHICH_FIELD = f"one of {', '.join(FIELDS)}, or payload.<path>"


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    name: str
    query: str
    condition: Condition
    group_by: str
    cooldown_seconds: int
    notify: tuple[str, ...]
    shared: bool
    muted_until: datetime | None
    quiet: Mapping[str, str] | None

    @property
    def waits_for(self) -> tuple[Any, ...]:
        """A watch of which this changes begins anew."""
        return self.query, self.condition, self.group_by, self.cooldown_seconds

    @classmethod
    def of(cls, watch: Watch) -> "Definition":
        return cls(
            watch.name,
            watch.query,
            watch.rule.condition,
            watch.group_by,
            watch.cooldown_seconds,
            tuple(target.name for target in watch.targets.all()),
            watch.shared,
            watch.muted_until,
            watch.quiet,
        )

    def as_json(self) -> dict[str, Any]:
        """As the API shows it, and takes it again."""
        return {
            "name": self.name,
            "query": self.query,
            "condition": self.condition.as_json(),
            "group_by": self.group_by or None,
            "cooldown_sec": self.cooldown_seconds,
            "notify": list(self.notify),
            "shared": self.shared,
            "muted_until": self.muted_until and timestamp(self.muted_until),
            "quiet": self.quiet and dict(self.quiet),
        }


def read(body: Mapping[str, Any]) -> Definition:
    """Raises ApiError, which names all fields that are wrong."""
    fields = Fields(dict(body))
    fields.refuse_unknown(NAMES)
    definition = Definition(
        name=fields.line("name", maximum=NAME_LENGTH, required=True),
        query=_query(fields),
        condition=_condition(fields),
        group_by=_field(fields, "group_by"),
        cooldown_seconds=fields.number(
            "cooldown_sec",
            minimum=rules.COOLDOWN_SECONDS_MIN,
            maximum=rules.COOLDOWN_SECONDS_MAX,
            default=rules.COOLDOWN_SECONDS_DEFAULT,
        ),
        notify=tuple(fields.names("notify", ())),
        shared=fields.flag("shared"),
        muted_until=read_mute(fields),
        quiet=_quiet(fields),
    )
    if len(definition.notify) > TARGETS_LIMIT:
        fields.wrong("notify", f"at most {TARGETS_LIMIT} targets")
    if definition.condition.kind == NEW_VALUE and definition.group_by:
        fields.wrong("group_by", "not with new_value, which tells values apart by itself")
    fields.refuse_wrong()
    return definition


def read_mute(fields: Fields) -> datetime | None:
    if not fields.has("muted_until"):
        return None
    text = fields.text("muted_until", maximum=64)
    try:
        until = datetime.fromisoformat(text)
        # Of the year 1 with a zone, there is no such time in UTC.
        until = until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)
        if until - clock.now() > MUTE_LIMIT:
            raise OverflowError
    except (ValueError, OverflowError):
        fields.wrong("muted_until", f"a time such as 2026-01-04T01:34:28Z, at most {MUTE_LIMIT.days} days from now")
        return None
    return until


def _query(fields: Fields) -> str:
    text = fields.line("query", maximum=language.LENGTH_LIMIT_CHARACTERS).strip()
    if text:
        try:
            language.check(text)
        except BadFilter as mistake:
            fields.errors["query"] = mistake.errors["q"]
    return text


def _field(fields: Fields, name: str, *, required: bool = False) -> str:
    text = fields.text(name, maximum=FIELD_LENGTH, required=required)
    if text and not is_field(text):
        fields.wrong(name, _WHICH_FIELD)
        return ""
    return text


def _condition(fields: Fields) -> Condition:
    """The condition; a plain one if something in it is wrong, which is noted."""
    inner = Fields(fields.object("condition", required=True))
    kind = inner.text("kind", maximum=32)
    if kind not in KINDS:
        fields.wrong("condition", f"kind: one of {', '.join(KINDS)}")
        return Condition(EVERY)
    inner.refuse_unknown(("kind", *_CONDITION_FIELDS[kind]))
    condition = _read_condition(kind, inner)
    for name, problems in inner.errors.items():
        for problem in problems:
            fields.wrong(f"condition.{name}", problem)
    return condition


def _read_condition(kind: str, inner: Fields) -> Condition:
    def required(name: str, minimum: int, maximum: int) -> int:
        value = inner.number(name, minimum=minimum, maximum=maximum, default=0)
        if not value and name not in inner.errors:
            inner.wrong(name, f"required: a whole number from {minimum} to {maximum}")
        return value

    if kind == COUNT:
        at_least = required("at_least", 1, rules.AT_LEAST_LIMIT)
        within = required("within_sec", rules.WITHIN_SECONDS_MIN, rules.WITHIN_SECONDS_MAX)
        return Condition(COUNT, at_least=at_least, seconds=float(within))
    if kind == ABSENCE:
        return Condition(
            ABSENCE, seconds=float(required("for_sec", rules.ABSENT_SECONDS_MIN, rules.ABSENT_SECONDS_MAX))
        )
    if kind == NEW_VALUE:
        field = _field(inner, "field", required=True)
        days = required("days", rules.DAYS_MIN, rules.DAYS_MAX)
        return Condition(NEW_VALUE, seconds=float(days * DAY_SECONDS), field=field)
    return Condition(EVERY)


def _quiet(fields: Fields) -> Mapping[str, str] | None:
    if not fields.has("quiet"):
        return None
    quiet = fields.object("quiet")
    try:
        return quiet_hours.check(quiet)
    except quiet_hours.BadQuietHours as wrong:
        fields.wrong("quiet", str(wrong))
        return None
