"""JSON objects with `event_type` and `summary`: events as they stand, or nearly. Pure.

What does not fit the form of an event is mapped or moved into the payload, so that the server takes the event.
"""

import datetime

from vx11_client.lines.logger_fields import LoggerFields
from vx11_client.lines.moments import Clock
from vx11_client.lines.plain_text import one_line, summary_of
from vx11_client.lines.time_forms import moment_of_text
from vx11_client.wire_limits import SEVERITIES
from vx11_client.wire_names import ID_FORM, MODULE_FORM, TYPE_FORM

CALLER_FIELDS = frozenset(
    {"event_id", "event_type", "summary", "severity", "module", "payload", "correlation_id", "occurred_at"}
)
# Fields that a server gives to an event: an event that another server sent is an event again.
SERVER_FIELDS = frozenset({"type", "seq", "created_at"})
_FORMS = {"event_id": ID_FORM, "module": MODULE_FORM, "correlation_id": ID_FORM}

Fields = dict[str, object]


def is_event(found: Fields) -> bool:
    """Whether an object means an event of ours. Other programs have fields of the same names and other forms."""
    event_type, summary = found.get("event_type"), found.get("summary")
    if not isinstance(event_type, str) or not isinstance(summary, str):
        return False
    return TYPE_FORM.fullmatch(event_type) is not None and bool(one_line(summary))


def repaired(found: Fields, clock: Clock, levels: str | None) -> Fields:
    """The event with what fits; what does not fit is in its payload, under its name."""
    event: Fields = {}
    others = {name: value for name, value in found.items() if name not in CALLER_FIELDS | SERVER_FIELDS}
    for name in (name for name in found if name in CALLER_FIELDS and found[name] is not None):
        value, is_whole = _fitting(name, found, clock, levels)
        if value is not None:
            event[name] = value
        if not is_whole:
            others[name] = found[name]
    fields = LoggerFields(others)
    if "severity" not in event and (severity := fields.severity(levels)):
        event["severity"] = severity
    if "occurred_at" not in event and (moment := fields.moment(clock)):
        event["occurred_at"] = moment.isoformat()
    payload = event.get("payload", {})
    if others and isinstance(payload, dict):
        event["payload"] = {**others, **payload}
    return event


def _fitting(name: str, found: Fields, clock: Clock, levels: str | None) -> tuple[object, bool]:
    """The value as an event may have it, or None; and whether it says all that the field said."""
    value = found[name]
    if name == "summary":
        shown = summary_of(str(value))
        return shown, shown == one_line(str(value))
    if name == "severity":
        severity = value if value in SEVERITIES else LoggerFields({"severity": value}).severity(levels)
        return severity, severity is not None
    if name == "occurred_at":
        return _time(value, clock)
    if name == "payload":
        return (value, True) if isinstance(value, dict) else (None, False)
    form = _FORMS.get(name)
    fits = form is None or (isinstance(value, str) and form.fullmatch(value) is not None)
    return (value, True) if fits else (None, False)


def _time(value: object, clock: Clock) -> tuple[object, bool]:
    """A text that the server reads stays as it is."""
    if not isinstance(value, str):
        return None, False
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        moment = moment_of_text(value, clock)
        return (moment.isoformat(), True) if moment else (None, False)
    return value, True
