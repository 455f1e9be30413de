"""What a line becomes: an event as the server accepts it. Pure; docs/feeding.md explains the rules."""

import dataclasses
import datetime
import re

import orjson

from vx11_client import exact_json
from vx11_client.feeding.feed_source import Line
from vx11_client.feeding.severity_words import severity_of_fields, severity_of_text
from vx11_client.wire_limits import EVENT_LIMIT_BYTES, SUMMARY_LIMIT_CHARACTERS

# Room for the event_id, and for a server that counts a little differently.
FITTED_EVENT_BYTES = EVENT_LIMIT_BYTES - 4096
# The server refuses a request nested deeper than 32 levels, four of which are the batch around a payload. JSON that is
# nested deeper than this is taken as text.
JSON_DEPTH = 24
# What 64 bits hold, with a sign or without.
MIN_WHOLE, MAX_WHOLE = -(2**63), 2**64 - 1
DEFAULT_EVENT_TYPE = "log.line"
CALLER_FIELDS = frozenset(
    {"event_id", "event_type", "summary", "severity", "module", "payload", "correlation_id", "occurred_at"}
)
# Fields that a server gives to an event: an event that another server sent is an event again.
SERVER_FIELDS = frozenset({"type", "seq", "created_at"})
SUMMARY_KEYS = ("summary", "message", "msg", "MESSAGE", "event")
TIME_KEYS = ("time", "timestamp", "ts", "@timestamp")
# Numbers above this are milliseconds: in seconds they would lie in the year 5138.
LARGEST_EPOCH_SECONDS = 1e11

_TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPACE_CONTROLS = str.maketrans("\t\r\n\v\f", "     ")
REPLACEMENT = "\ufffd"

Fields = dict[str, object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeedMapping:
    """How lines become events: what to use where the line itself does not say."""

    event_type: str = DEFAULT_EVENT_TYPE
    module: str | None = None
    severity: str | None = None
    guess_severity: bool = False

    def event_of_text(self, text: str) -> Fields | None:
        """As event(), for a program that has its lines as text: without the end of the line."""
        content = text.encode("utf-8", errors="replace")
        return self.event(Line(content=content, total_bytes=len(content)))

    def event(self, line: Line) -> Fields | None:
        """The event for `line`, without an event_id unless the line brings one; None for a blank line."""
        # A writer without O_APPEND leaves a hole of NUL bytes behind when its log is truncated under it.
        content = line.content.lstrip(b"\0").removeprefix(b"\xef\xbb\xbf")
        text = content.decode("utf-8", errors="replace").strip()
        # A line of nothing but colour codes shows nothing either.
        if not one_line(text):
            return None
        found = _json_object(content) if line.total_bytes == len(line.content) else None
        if found is None:
            event = self._from_text(text, line)
        elif isinstance(found.get("event_type"), str) and isinstance(found.get("summary"), str):
            event = self._as_it_stands(found)
        else:
            event = self._from_fields(found, text)
        return _fitted(event, text, line.total_bytes)

    def _from_text(self, text: str, line: Line) -> Fields:
        shown = one_line(text)
        event = self._new(shown, severity_of_text(text) if self.guess_severity else None)
        if len(shown) > SUMMARY_LIMIT_CHARACTERS:
            event["payload"] = {"line": _storable_text(text), "line_bytes": line.total_bytes}
        return event

    def _as_it_stands(self, found: Fields) -> Fields:
        event = {name: value for name, value in found.items() if name in CALLER_FIELDS and value is not None}
        others = {name: value for name, value in found.items() if name not in CALLER_FIELDS | SERVER_FIELDS}
        payload = event.get("payload", {})
        if others and isinstance(payload, dict):
            event["payload"] = {**others, **payload}
        return self._defaults() | event

    def _from_fields(self, found: Fields, text: str) -> Fields:
        candidates = (_as_text(found[key]) for key in SUMMARY_KEYS if key in found)
        summary = next((shown for candidate in candidates if (shown := one_line(candidate))), one_line(text))
        severity = severity_of_fields(found)
        if severity is None and self.guess_severity:
            severity = severity_of_text(summary)
        event = self._new(summary, severity)
        if moment := _moment(found):
            event["occurred_at"] = moment
        return event | {"payload": _storable(found)}

    def _new(self, summary: str, severity: str | None) -> Fields:
        event = {"event_type": self.event_type, "summary": summary[:SUMMARY_LIMIT_CHARACTERS]} | self._defaults()
        return event | ({"severity": severity} if severity else {})

    def _defaults(self) -> Fields:
        known = {"severity": self.severity, "module": self.module}
        return {name: value for name, value in known.items() if value is not None}


def _json_object(content: bytes) -> Fields | None:
    if not content.lstrip().startswith(b"{"):
        return None
    try:
        # Which knows what is no JSON, half a surrogate pair too; and reads numbers as doubles.
        orjson.loads(content)
        found = exact_json.loads(content.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or _deeper_than(found, JSON_DEPTH):
        return None
    return {name: _sendable(value) for name, value in found.items()}


def _sendable(value: object) -> object:
    """A JSON value in which whole numbers beyond 64 bits are texts: the server takes them in no other way."""
    if isinstance(value, list):
        return [_sendable(item) for item in value]
    if isinstance(value, dict):
        return {name: _sendable(item) for name, item in value.items()}
    is_long = isinstance(value, int) and not MIN_WHOLE <= value <= MAX_WHOLE
    return str(value) if is_long else value


def _fitted(event: Fields, text: str, total_bytes: int) -> Fields:
    """The event as it is when it is small enough, else with as much of the line as fits in place of its payload."""
    if len(exact_json.dumps(event)) <= FITTED_EVENT_BYTES:
        return event
    frame = event | {"payload": {"line": "", "line_bytes": total_bytes}}
    room_bytes = FITTED_EVENT_BYTES - len(exact_json.dumps(frame))
    kept = _storable_text(text)[: max(0, room_bytes)]
    while (excess_bytes := len(exact_json.dumps(kept)) - 2 - room_bytes) > 0 and kept:
        # A character takes at most six bytes (an escaped control character), so this never cuts more than is needed.
        kept = kept[: -max(1, excess_bytes // 6)]
    return event | {"payload": {"line": kept, "line_bytes": total_bytes}}


def one_line(text: str) -> str:
    """Text as a summary may hold it: one line, no terminal sequences, no control characters."""
    spaced = _TERMINAL_SEQUENCE.sub("", text).translate(_SPACE_CONTROLS)
    return _CONTROL.sub(REPLACEMENT, spaced).strip()


def _storable_text(text: str) -> str:
    """Text without NUL, which the server refuses anywhere."""
    return text.replace("\0", REPLACEMENT)


def _storable(value: object) -> object:
    """A JSON value with storable text in every place."""
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable_text(name): _storable(item) for name, item in value.items()}
    return value


def _deeper_than(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in items)


def _as_text(value: object) -> str:
    """A message as text. journald writes one that is not UTF-8 as a list of byte values."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, int) and 0 <= item <= 255 for item in value):
        return bytes(value).decode("utf-8", errors="replace")
    return ""


def _moment(found: Fields) -> str | None:
    """When it happened, if the object says so without doubt: journald's microseconds, an epoch, ISO with a zone."""
    microseconds = found.get("__REALTIME_TIMESTAMP")
    if isinstance(microseconds, str) and microseconds.isascii() and microseconds.isdigit():
        return _utc_text(int(microseconds[:18]) / 1e6)
    for value in (found[key] for key in TIME_KEYS if key in found):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _utc_text(value / 1000 if value > LARGEST_EPOCH_SECONDS else value)
        if isinstance(value, str) and (moment := _iso_moment(value)):
            return moment
    return None


def _iso_moment(text: str) -> str | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else _utc_text(moment.timestamp())


def _utc_text(epoch_seconds: float) -> str | None:
    try:
        moment = datetime.datetime.fromtimestamp(epoch_seconds, tz=datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return None
    # A counter since boot or a sentinel of year 9999 is no time of day.
    return moment.isoformat() if 1990 <= moment.year <= 2100 else None
