"""What a line becomes: an event as the server accepts it. Pure; docs/feeding.md explains the rules."""

import dataclasses
import datetime
import hashlib
from collections.abc import Callable

import orjson

from vx11_client import exact_json
from vx11_client.errors import InvalidSettings
from vx11_client.feeding.foreign_events import is_event, repaired
from vx11_client.formats.cef import CefEvent, read_cef
from vx11_client.lines.json_objects import json_object, loose_object
from vx11_client.lines.line import Line
from vx11_client.lines.logger_fields import LoggerFields
from vx11_client.lines.messages import Message, read_message
from vx11_client.lines.moments import Clock, moment_of_digits
from vx11_client.lines.plain_text import one_line, storable, storable_text, summary_of, without_sequences
from vx11_client.lines.severity_words import SCALES
from vx11_client.lines.time_forms import moment_of_text
from vx11_client.lines.wrappers import Wrapped, unwrap
from vx11_client.wire_limits import EVENT_LIMIT_BYTES, SUMMARY_LIMIT_CHARACTERS

# Room for the event_id, and for a server that counts a little differently.
FITTED_EVENT_BYTES = EVENT_LIMIT_BYTES - 4096
# What has less as JSON fits into an event in any case.
SHORT_BYTES = FITTED_EVENT_BYTES // 2
DEFAULT_EVENT_TYPE = "log.line"
# What stood before an object in its line, in the payload.
PREFIX_KEY = "line_prefix"
# How the ids of entries of the journal begin.
JOURNAL_ID = "journal-"

# As JSON writes NUL, which no event may hold.
_NUL = b"\\u0000"

Fields = dict[str, object]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeedMapping:
    """How lines become events: what to use where the line itself does not say.

    `timezone` is that of times without a zone (None: the zone of this machine); `levels` the scale of levels that are
    numbers, one of severity_words.SCALES; `clock` says what time it is, for times without a year. `takes_events`:
    an object with the fields of an event is that event; else it is an object like any other, for lines of writers that
    must not choose the ids, types and modules of events.
    """

    event_type: str = DEFAULT_EVENT_TYPE
    module: str | None = None
    severity: str | None = None
    guess_severity: bool = False
    timezone: datetime.tzinfo | None = None
    levels: str | None = None
    clock: Callable[[], datetime.datetime] = _now
    takes_events: bool = True

    def __post_init__(self) -> None:
        """Raises InvalidSettings."""
        if self.levels is not None and self.levels not in SCALES:
            raise InvalidSettings(f"levels is one of {', '.join(SCALES)}, and not {self.levels!r}")

    def event_of_text(self, text: str) -> Fields | None:
        """As event(), for a program that has its lines as text: without the end of the line."""
        content = text.encode("utf-8", errors="replace")
        return self.event(Line(content=content, total_bytes=len(content)))

    def event(self, line: Line) -> Fields | None:
        """The event for `line`, without an event_id unless the line brings one; None for a blank line."""
        # A writer without O_APPEND leaves a hole of NUL bytes behind when its log is truncated under it.
        content = line.content.lstrip(b"\0").removeprefix(b"\xef\xbb\xbf")
        text = content.decode("utf-8", errors="replace").rstrip().strip("\r\n")
        # A line of nothing but colour codes shows nothing either.
        if not one_line(text):
            return None
        event = _Reading(self, line, text).event()
        return None if event is None else fitted(event, text, line.total_bytes)

    def event_of_fields(self, found: Fields) -> Fields:
        """As event(), for a record that came as fields and not as a line."""
        try:
            content = exact_json.dumps(found)
        except orjson.JSONEncodeError:
            content = _NUL
        # Few records need a change, and to write all of them takes less time than to look at each value.
        if _NUL in content:
            found = {storable_text(name): storable(value) for name, value in found.items()}
            content = exact_json.dumps(found)
        text = content.decode()
        event = _Reading(self, Line(content, len(content)), text, found).event_of(found)
        # The other fields of an event are short.
        return event if len(content) < SHORT_BYTES else fitted(event, text, len(content))

    def moments(self) -> Clock:
        return Clock(self.timezone, self.clock)


class _Reading:
    """One line on its way to an event."""

    def __init__(self, mapping: FeedMapping, line: Line, text: str, found: Fields | None = None) -> None:
        """`found` are the fields of a record that was never a line: nothing stands around it."""
        self._mapping = mapping
        self._line = line
        self._text = text
        self._clock = mapping.moments()
        self._wrapped: Wrapped = unwrap(without_sequences(text)) if found is None else Wrapped("", text)
        # Of a line that a container has wrapped.
        self._is_blank = found is None and not one_line(self._wrapped.text)
        if self._wrapped.fields is not None:
            # Docker's JSON is read as JSON.
            self._wrapped = Wrapped("", without_sequences(text))
        inner = self._wrapped.text
        is_json = found is not None or inner.lstrip().startswith("{")
        self._message = Message("", None, None, 0) if is_json else read_message(inner, self._clock)
        self._moment = self._message.moment
        if self._moment is None and self._wrapped.time:
            self._moment = moment_of_text(self._wrapped.time, self._clock)

    def event(self) -> Fields | None:
        """None for an empty line that a container has wrapped."""
        if self._is_blank:
            return None
        if (cef := read_cef(self._wrapped.text, self._clock)) is not None:
            return self._from_cef(cef)
        json_text = self._wrapped.text[self._message.end :].lstrip()
        if not json_text.startswith("{"):
            return self._from_text()
        found = None if self._line.is_cut else json_object(json_text)
        if found is not None:
            return self.event_of(found, self._text[: len(self._text) - len(json_text)])
        fields = loose_object(json_text, self._line.tail.decode("utf-8", errors="replace"))
        if LoggerFields(fields).say_something(self._clock):
            return self._from_fields(fields, None)
        return self._from_text()

    def event_of(self, found: Fields, prefix: str = "") -> Fields:
        """The event of an object, behind what stood before it in its line."""
        if self._mapping.takes_events and is_event(found):
            return self._defaults() | repaired(found, self._clock, self._mapping.levels)
        return self._from_fields(found, self._prefix(prefix))

    def _from_text(self) -> Fields:
        message = self._message if self._message.summary else read_message(self._wrapped.text, self._clock)
        event = self._new(summary_of(message.summary), message.severity if self._mapping.guess_severity else None)
        self._add_moment(event, self._moment)
        is_long = len(message.summary) > SUMMARY_LIMIT_CHARACTERS
        # The indentation says what belongs together, so it is kept somewhere.
        if is_long or "\n" in self._text or self._text[:1].isspace():
            event["payload"] = self._whole_line()
        elif prefix := self._prefix(self._wrapped.prefix):
            event["payload"] = prefix
        return event

    def _from_cef(self, cef: CefEvent) -> Fields:
        severity = cef.severity or (self._message.severity if self._mapping.guess_severity else None)
        event = self._new(summary_of(cef.summary), severity)
        self._add_moment(event, cef.moment or self._moment)
        return event | {"payload": {**self._prefix(self._wrapped.prefix + cef.prefix), **cef.fields}}

    def _from_fields(self, found: Fields, added: Fields | None) -> Fields:
        """`added` goes beside the fields into the payload; None: they are not whole, and the line is kept as text."""
        fields = LoggerFields(found)
        name, message = next(
            ((name, text) for name, text in fields.messages() if one_line(text)), ("", without_sequences(self._text))
        )
        severity, moment = fields.severity(self._mapping.levels), fields.moment(self._clock)
        payload = found
        if inner := json_object(message) if name else None:
            inside = LoggerFields(inner)
            message = next((text for _, text in inside.messages() if one_line(text)), message)
            # What the program says is nearer to the truth than what its container knows.
            severity = inside.severity(self._mapping.levels) or severity
            moment = inside.moment(self._clock) or moment
            payload = {**found, name: inner} if name in found else found
        elif name and (name == "log" or severity is None or moment is None):
            text = read_message(message, self._clock)
            if severity is None and self._mapping.guess_severity:
                severity = text.severity
            # What a container wraps is a line of text, with a time of its own.
            moment, message = (
                (text.moment or moment, text.summary) if name == "log" else (moment or text.moment, message)
            )
        if severity is None and self._mapping.guess_severity:
            severity = self._message.severity
        event = self._new(summary_of(message), severity)
        self._add_moment(event, moment or self._moment)
        if event_id := _journal_id(found):
            event["event_id"] = event_id
        return event | {"payload": self._whole_line() if added is None else {**added, **payload}}

    def _new(self, summary: str, severity: str | None) -> Fields:
        event: Fields = {"event_type": self._mapping.event_type, "summary": summary, **self._defaults()}
        return event | ({"severity": severity} if severity else {})

    def _defaults(self) -> Fields:
        known = {"severity": self._mapping.severity, "module": self._mapping.module}
        return {name: value for name, value in known.items() if value is not None}

    def _add_moment(self, event: Fields, moment: datetime.datetime | None) -> None:
        if moment is not None:
            event["occurred_at"] = moment.astimezone(datetime.UTC).isoformat()

    def _prefix(self, text: str) -> Fields:
        return {PREFIX_KEY: storable_text(text.strip())} if text.strip() else {}

    def _whole_line(self) -> Fields:
        return {"line": storable_text(self._text), "line_bytes": self._line.total_bytes}


def _journal_id(found: Fields) -> str | None:
    """The id of an entry of the journal: its cursor is one that no other entry has, on any machine."""
    cursor = found.get("__CURSOR")
    stamp = found.get("__REALTIME_TIMESTAMP")
    if not isinstance(cursor, str) or not cursor or not isinstance(stamp, str) or not moment_of_digits(stamp):
        return None
    return f"{JOURNAL_ID}{hashlib.sha256(cursor.encode()).hexdigest()[:40]}"


def fitted(event: Fields, text: str, total_bytes: int, *, kept_payload: Fields | None = None) -> Fields:
    """The event as it is when it is small enough, else with as much of the line as fits in place of its payload.

    `kept_payload` stays in the payload in any case: it must be small.
    """
    if len(exact_json.dumps(event)) <= FITTED_EVENT_BYTES:
        return event
    payload: Fields = {**(kept_payload or {}), "line": "", "line_bytes": total_bytes}
    room_bytes = FITTED_EVENT_BYTES - len(exact_json.dumps(event | {"payload": payload}))
    kept = storable_text(text)[: max(0, room_bytes)]
    while (excess_bytes := len(exact_json.dumps(kept)) - 2 - room_bytes) > 0 and kept:
        # A character takes at most six bytes (an escaped control character), so this never cuts more than is needed.
        kept = kept[: -max(1, excess_bytes // 6)]
    return event | {"payload": payload | {"line": kept}}
