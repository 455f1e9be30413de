"""CEF, the Common Event Format: `CEF:0|vendor|product|version|id|name|severity|key=value key=value`. Pure."""

import dataclasses
import datetime
import re

from vx11_client.lines.moments import Clock
from vx11_client.lines.plain_text import storable_text
from vx11_client.lines.severity_words import severity_of_word
from vx11_client.lines.time_forms import moment_of_text

# What stands before it in its line: time and host of syslog.
PREFIX_CHARACTERS = 300
HEADER_FIELDS = ("deviceVendor", "deviceProduct", "deviceVersion", "signatureId", "name", "deviceSeverity")
TIME_KEYS = ("rt", "end", "start", "deviceReceiptTime")
# The least number of critical, error and warn: 0-3 low, 4-6 medium, 7-8 high, 9-10 very high.
_STEPS = ((9, "critical"), (7, "error"), (4, "warn"), (0, "info"))
_WORDS = {"low": "info", "medium": "warn", "high": "error", "very-high": "critical", "unknown": "info"}

_START = re.compile(r"(?:^|[\s:])(CEF: ?\d{1,2}\|)", re.ASCII)
_HEADER_END = re.compile(r"(?<!\\)(?:\\\\)*\|")
_KEY = re.compile(r"(?:^|\s)([A-Za-z0-9_.\[\]-]{1,64})=", re.ASCII)
_ESCAPED = re.compile(r"\\([\\|=nr])")
_PLAIN = {"n": "\n", "r": "\r"}


@dataclasses.dataclass(frozen=True, slots=True)
class CefEvent:
    """What a line says. `fields` has all of it, under CEF's own names; `prefix` is what stood before it."""

    summary: str
    severity: str | None
    moment: datetime.datetime | None
    fields: dict[str, object]
    prefix: str


def read_cef(text: str, clock: Clock) -> CefEvent | None:
    """None for a line that is not CEF."""
    found = _START.search(text[:PREFIX_CHARACTERS]) if "CEF:" in text[:PREFIX_CHARACTERS] else None
    # Within an object of JSON it is a text like any other.
    if found is None or "{" in text[: found.start(1)]:
        return None
    header, extension = _header(text[found.end() :])
    if len(header) < len(HEADER_FIELDS):
        return None
    values = [storable_text(_plain(part)) for part in header]
    fields: dict[str, object] = {**_extension(extension), **dict(zip(HEADER_FIELDS, values, strict=True))}
    name, detail = values[4], str(fields.get("msg", ""))
    times = (str(fields[key])[:64] for key in TIME_KEYS if key in fields)
    moment = next((moment for time in times if (moment := moment_of_text(time, clock))), None)
    summary = f"{name}: {detail}" if name and detail and detail != name else name or detail or values[3]
    return CefEvent(summary, _severity(values[5]), moment, fields, text[: found.start(1)])


def _header(text: str) -> tuple[list[str], str]:
    """The fields of the header and what is behind them."""
    parts: list[str] = []
    at = 0
    while len(parts) < len(HEADER_FIELDS):
        end = _HEADER_END.search(text, at)
        if end is None:
            # Some devices end the line behind the severity.
            return ([*parts, text[at:].strip()] if len(parts) == len(HEADER_FIELDS) - 1 else parts), ""
        parts.append(text[at : end.end() - 1].strip())
        at = end.end()
    return parts, text[at:]


def _extension(text: str) -> dict[str, object]:
    """Pairs; a value goes on up to the next key, spaces included. An escaped `=` is none of a key."""
    found: dict[str, object] = {}
    key, begin = "", 0
    for match in _KEY.finditer(text):
        if key:
            found[key] = storable_text(_plain(text[begin : match.start()].strip()))
        key, begin = match[1], match.end()
    if key:
        found[key] = storable_text(_plain(text[begin:].strip()))
    return found


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), text) if "\\" in text else text


def _severity(text: str) -> str | None:
    if text.isascii() and text.isdigit() and len(text) <= 2:
        return next((severity for least, severity in _STEPS if int(text) >= least and int(text) <= 10), None)
    return _WORDS.get(text.lower()) or severity_of_word(text)
