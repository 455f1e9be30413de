"""The fields of loggers that write JSON: which one is the message, the level, the time. Pure.

docs/feeding.md lists the loggers. Names are compared without regard to case; a dotted name is looked up as it stands,
and then as nested objects.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping

from vx11_client.lines.moments import Clock, moment_of_digits, moment_of_number, moment_of_parts
from vx11_client.lines.plain_text import without_sequences
from vx11_client.lines.severity_words import severity_of_number, severity_of_word
from vx11_client.lines.time_forms import moment_of_text

SUMMARY_KEYS = (
    *("summary", "message", "msg", "short_message", "@m", "renderedmessage", "@message", "textpayload", "log"),
    *("event", "record.message", "fields.message", "jsonpayload.message", "body", "body.stringvalue", "text"),
    *("full_message", "@mt", "messagetemplate"),
)
WORD_KEYS = (
    *("severity", "level", "levelname", "level_name", "lvl", "loglevel", "log_level", "log.level", "severity_text"),
    *("severitytext", "severity_label", "error_severity", "@l", "@level", "level.name", "record.level.name"),
    *("priority", "levelstr"),
)
# Numbers whose name says their scale.
SCALED_KEYS = {
    **{"severity_number": "otel", "severitynumber": "otel", "levelno": "python", "record.level.no": "python"},
    **{"level_value": "log4j", "log.syslog.severity.code": "syslog", "syslogseverity": "syslog"},
    "syslog_severity": "syslog",
}
NUMBER_KEYS = ("level", "severity", "lvl", "@level")
TIME_KEYS = (
    *("time", "timestamp", "ts", "@timestamp", "@t", "t", "datetime", "date", "asctime", "eventtime", "event_time"),
    *("timeunixnano", "time_unix_nano", "observedtimeunixnano", "instant", "record.time", "log_time", "time_local"),
    *("time_iso8601", "timegenerated", "created", "logtime"),
    *("log_timestamp", "logtimestamp", "timestampseconds", "timestamp_ms", "eventtimestamp", "@time"),
)
# Nested objects that are a time: MongoDB's, loguru's.
_INNER_TIME_KEYS = ("$date", "timestamp", "repr")
# zap's short names and MongoDB's: too short to mean the same in other letters.
_SHORT_SUMMARY, _SHORT_LEVEL, _SHORT_TIME = "M", "L", "T"

Fields = dict[str, object]


def _with_roots(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Each name, and the one of its outermost object."""
    return tuple((name, name.partition(".")[0]) for name in names)


_SUMMARY_ROOTS, _WORD_ROOTS, _TIME_ROOTS = map(_with_roots, (SUMMARY_KEYS, WORD_KEYS, TIME_KEYS))
_SCALED_ROOTS = _with_roots(SCALED_KEYS)


class LoggerFields:
    """The fields of one line, by the names that loggers use."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields
        self._by_name: Fields = {}
        for name, value in fields.items():
            self._by_name.setdefault(name.lower(), value)

    def messages(self) -> Iterator[tuple[str, str]]:
        """Texts that may be the message, the best one first, each with its name."""
        for name, value in self._present(_SUMMARY_ROOTS):
            if text := text_of(value):
                yield name, text
        if text := text_of(self._fields.get(_SHORT_SUMMARY)):
            yield _SHORT_SUMMARY, text

    def severity(self, levels: str | None) -> str | None:
        """What the fields say about the severity: words before numbers. None when they say nothing, or nothing known.

        A number is believed when its scale is known: by its name, by `levels`, or by fields that one logger alone has.
        """
        for _, value in self._present(_WORD_ROOTS):
            text = text_of(value)
            if text and (severity := severity_of_word(without_sequences(text))):
                return severity
        if severity := self._short_severity():
            return severity
        for name, value in self._present(_SCALED_ROOTS):
            number = _whole(value)
            if number is not None and (severity := severity_of_number(number, SCALED_KEYS[name])):
                return severity
        scale = levels or self._scale_of_siblings()
        numbers = (_whole(self._by_name.get(name)) for name in NUMBER_KEYS if scale)
        for number in numbers:
            if scale and number is not None and (severity := severity_of_number(number, scale)):
                return severity
        number = _whole(self._fields.get("PRIORITY"))
        return None if number is None else severity_of_number(number, "syslog")

    def moment(self, clock: Clock) -> datetime.datetime | None:
        """When it happened: the first of the fields that holds a moment."""
        journal = text_of(self._fields.get("__REALTIME_TIMESTAMP"))
        if journal and (moment := moment_of_digits(journal)):
            return moment
        values = (value for _, value in self._present(_TIME_ROOTS))
        moments = (_moment_of(value, clock) for value in (*values, self._fields.get(_SHORT_TIME)))
        return next((moment for moment in moments if moment), None)

    def say_something(self, clock: Clock) -> bool:
        """Whether there is a message, a level or a time among them."""
        return next(self.messages(), None) is not None or bool(self.severity(None) or self.moment(clock))

    def _present(self, names: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, object]]:
        """Those of the names that may be there, in their order, with their values: most objects have few of them."""
        for name, root in names:
            if root in self._by_name or name in self._by_name:
                yield name, self._value(name)

    def _value(self, name: str) -> object:
        if name in self._by_name:
            return self._by_name[name]
        if "." not in name:
            return None
        value: object = self._by_name
        for part in name.split("."):
            if not isinstance(value, dict):
                return None
            value = value.get(part) if part in value else _other_case(value, part)
        return value

    def _short_severity(self) -> str | None:
        """zap's `L`; MongoDB's letter `s`, beside its `c` and `ctx`."""
        short = self._fields.get(_SHORT_LEVEL)
        if isinstance(short, str) and (severity := severity_of_word(short)):
            return severity
        letter = self._fields.get("s")
        if isinstance(letter, str) and letter and {"c", "ctx", "msg"} <= self._fields.keys():
            return {"F": "critical", "E": "error", "W": "warn", "I": "info", "D": "info"}.get(letter[0])
        return None

    def _scale_of_siblings(self) -> str | None:
        names = self._by_name.keys()
        if {"version", "short_message"} <= names or "facility" in names or "facility_label" in names:
            return "syslog"
        if "channel" in names and names & {"context", "extra"}:
            return "monolog"
        if {"reqid", "app"} <= names:
            return "0-4"
        if names & {"eventid", "eventrecordid"} and names & {"provider", "providername", "channel"}:
            return "windows"
        if {"pid", "hostname"} <= names or ("msg" in names and _is_milliseconds(self._by_name.get("time"))):
            return "pino"
        return None


def text_of(value: object) -> str:
    """A message as text; empty for what is none.

    journald writes bytes that are not UTF-8 as a list of numbers, and a field that is there twice as a list of values.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        return ""
    if all(isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 255 for item in value):
        return bytes(value).decode("utf-8", errors="replace")
    return text_of(value[0]) if isinstance(value[0], str | list) and not _is_deep(value[0]) else ""


def _is_deep(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], list)


def _other_case(value: Fields, part: str) -> object:
    return next((item for name, item in value.items() if name.lower() == part), None)


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    text = text_of(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _is_milliseconds(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 10**12 <= value < 10**14


def _moment_of(value: object, clock: Clock) -> datetime.datetime | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return moment_of_number(value)
    if isinstance(value, dict):
        inner = (
            _moment_of(value.get(name), clock) for name in _INNER_TIME_KEYS if not isinstance(value.get(name), dict)
        )
        return moment_of_parts(value) or next((moment for moment in inner if moment), None)
    text = text_of(value)
    return moment_of_text(text[:64], clock) if text else None
