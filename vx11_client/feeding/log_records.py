"""What a record of Python's logging becomes: an event as the server takes it. Pure.

The message is the summary; where the record comes from, its exception and its extra fields are the payload. A formatter
is not used, because time, level and logger are fields of their own.
"""

import datetime
import itertools
import logging
import math
import re

from vx11_client import exact_json
from vx11_client.lines.plain_text import MAX_WHOLE, MIN_WHOLE, REPLACEMENT, one_line
from vx11_client.wire_limits import EVENT_LIMIT_BYTES, SUMMARY_LIMIT_CHARACTERS
from vx11_client.wire_names import ID_FORM, TYPE_FORM

DEFAULT_EVENT_TYPE = "log.record"
# Room for the other fields of an event.
PAYLOAD_LIMIT_BYTES = EVENT_LIMIT_BYTES - 4096
# A character takes at most six bytes of JSON: message and exception together always fit into a payload.
LONG_TEXT_CHARACTERS = 4000
# Of one extra field: how deep it may be nested, and how many values are looked at.
EXTRA_DEPTH = 6
EXTRA_VALUES = 1000
_STEPS = ((logging.CRITICAL, "critical"), (logging.ERROR, "error"), (logging.WARNING, "warn"))
# What each record has: all else came in as `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FORMATTER = logging.Formatter()

Fields = dict[str, object]


def severity_of_level(level: int) -> str:
    """CRITICAL and above, ERROR, WARNING and all below (`info`); levels in between count as the one below them."""
    return next((severity for minimum, severity in _STEPS if level >= minimum), "info")


def event_of_record(record: logging.LogRecord, *, event_type: str = DEFAULT_EVENT_TYPE, module: str = "") -> Fields:
    """The event for a record. Raises what the record's own arguments raise when they are made into text.

    `correlation_id` and `event_type` of the record's extra fields become those of the event when they have the form.
    """
    message = record.getMessage()
    extra = {name: value for name, value in vars(record).items() if name not in _OWN}
    event: Fields = {
        "event_type": _taken(extra, "event_type", TYPE_FORM) or event_type,
        "summary": (one_line(_storable(message)) or record.name or "-")[:SUMMARY_LIMIT_CHARACTERS],
        "severity": severity_of_level(record.levelno),
        "occurred_at": datetime.datetime.fromtimestamp(record.created, tz=datetime.UTC).isoformat(),
    }
    if correlation_id := _taken(extra, "correlation_id", ID_FORM):
        event["correlation_id"] = correlation_id
    if module:
        event["module"] = module
    return event | {"payload": _payload(record, message, extra, str(event["summary"]))}


def _payload(record: logging.LogRecord, message: str, extra: Fields, summary: str) -> Fields:
    own: Fields = {
        "logger": _storable(record.name),
        "level": record.levelname,
        "file": _storable(record.pathname),
        "line": record.lineno,
        "function": _storable(record.funcName or ""),
        "process": record.process,
        "thread": _storable(record.threadName or ""),
    }
    texts = {"message": message if message != summary else "", "exception": _exception(record)}
    own |= {name: _storable(text) for name, text in texts.items() if text}
    found = {f"extra_{name}" if name in own else _storable(name): _json_value(value) for name, value in extra.items()}
    if len(exact_json.dumps(found | own)) <= PAYLOAD_LIMIT_BYTES:
        return found | own
    # The end of a traceback names the error; the start of a message says what it is about.
    short = {
        "message": message[:LONG_TEXT_CHARACTERS] if texts["message"] else "",
        "exception": texts["exception"][-LONG_TEXT_CHARACTERS:],
    }
    kept = own | {name: _storable(text) for name, text in short.items() if text}
    if len(exact_json.dumps(found | kept)) <= PAYLOAD_LIMIT_BYTES:
        return found | kept
    return kept | {"left_out": sorted(found)[:EXTRA_DEPTH]}


def _exception(record: logging.LogRecord) -> str:
    """Traceback and stack as logging writes them; empty without."""
    texts = [record.exc_text or (_FORMATTER.formatException(record.exc_info) if record.exc_info else "")]
    texts += [record.stack_info] if record.stack_info else []
    return "\n".join(text for text in texts if text)


def _taken(extra: Fields, name: str, form: re.Pattern[str]) -> str:
    """An extra field that is one of the event; it stays in the payload when it has not the form."""
    value = extra.get(name)
    if isinstance(value, str) and form.fullmatch(value):
        del extra[name]
        return value
    return ""


class _Room:
    """How many more values of one extra field are looked at: a value may hold itself."""

    def __init__(self) -> None:
        self.left = EXTRA_VALUES


def _json_value(value: object, room: _Room | None = None, depth: int = EXTRA_DEPTH) -> object:
    """`value` as JSON: what JSON has no form for becomes text; what is too deep or too much becomes `...`."""
    room = room or _Room()
    room.left -= 1
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if MIN_WHOLE <= value <= MAX_WHOLE else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, dict | list | tuple | set | frozenset):
        if depth == 0 or room.left <= 0:
            return "..."
        if isinstance(value, dict):
            pairs = itertools.islice(value.items(), room.left)
            return {_storable(str(name)): _json_value(item, room, depth - 1) for name, item in pairs}
        return [_json_value(item, room, depth - 1) for item in itertools.islice(value, room.left)]
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return _storable(str(value))


def _storable(text: str) -> str:
    """Text that UTF-8 can hold, without NUL, which the server refuses."""
    return text.encode("utf-8", errors="replace").decode().replace("\0", REPLACEMENT)
