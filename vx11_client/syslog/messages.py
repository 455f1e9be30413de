"""What does a record of syslog say? RFC 5424, RFC 3164 and what devices make of it. Pure; never fails.

What cannot be understood is text: a record is never refused for its form.
"""

import dataclasses
import datetime
import re

from vx11_client.lines.moments import Clock
from vx11_client.lines.severity_words import SYSLOG_SEVERITIES
from vx11_client.lines.time_forms import time_at

LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "security", "console", "solaris-cron", "local0", "local1", "local2", "local3", "local4", "local5"),
    *("local6", "local7"),
)
PRIORITY_LIMIT = len(FACILITIES) * len(LEVELS) - 1
NIL = "-"

StructuredData = dict[str, dict[str, str | list[str]]]

_PRIORITY = re.compile(r"<([0-9]{1,3})>")
# Version, time, host, app, process, message id.
_RFC5424 = re.compile(r"[1-9][0-9]{0,2} (\S{1,64}) (\S{1,255}) (\S{1,255}) (\S{1,255}) (\S{1,255})(?: |\Z)")
_ELEMENT = re.compile(r'\[([^\s=\]"]{1,255})')
# Each character of a value has one way to match, and a run of spaces has one beginning, so this takes linear time.
_PARAMETER = re.compile(r'(?<! ) +([^\s=\]"]{1,255})="((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')
# Of Cisco's devices: a counter, perhaps a host, and a sign that the clock is not set.
_CISCO = re.compile(r"[0-9]{1,10}: (?:([\w.-]{1,255}): )?[*.]?(?=[A-Z][a-z]{2} |[0-9]{4}-)", re.ASCII)
_HOST = re.compile(r" ([^\s\[]{0,254}[^\s\[:]) ")
_TAG = re.compile(r"[ :]{0,2}([^\s:\[\]]{1,128})(?:\[([^\]\s]{1,64})\])?:(?: |\Z)")


@dataclasses.dataclass(slots=True)
class SyslogMessage:
    """The parts of a record; empty or None where it does not say. `severity` is one of ours, `level` syslog's word."""

    text: str
    severity: str | None = None
    facility: str = ""
    level: str = ""
    moment: datetime.datetime | None = None
    host: str = ""
    app: str = ""
    procid: str = ""
    msgid: str = ""
    structured_data: StructuredData | None = None


def read_message(text: str, clock: Clock) -> SyslogMessage:
    """A record of either form. `clock` has the zone and the year of times that name none."""
    text = text.lstrip("\ufeff")
    message = SyslogMessage(text)
    at = 0
    if (found := _PRIORITY.match(text)) and int(found[1]) <= PRIORITY_LIMIT:
        facility, level = divmod(int(found[1]), len(LEVELS))
        message.severity = SYSLOG_SEVERITIES[level]
        message.facility, message.level = FACILITIES[facility], LEVELS[level]
        at = found.end()
        if header := _RFC5424.match(text, at):
            _read_new(message, header, clock)
            return message
    _read_old(message, at, clock)
    return message


def _read_new(message: SyslogMessage, header: "re.Match[str]", clock: Clock) -> None:
    """RFC 5424."""
    time, host, app, procid, msgid = (value if value != NIL else "" for value in header.groups())
    message.moment = _moment(time, clock)
    message.host, message.app, message.procid, message.msgid = host, app, procid, msgid
    text, at = message.text, header.end()
    if text.startswith(NIL, at):
        at += 1
    elif found := _structured_data(text, at):
        message.structured_data, at = found
    message.text = text[at:].removeprefix(" ").removeprefix("\ufeff")


def _moment(text: str, clock: Clock) -> datetime.datetime | None:
    try:
        return clock.settle(datetime.datetime.fromisoformat(text)) if "T" in text else None
    except ValueError:
        return None


def _structured_data(text: str, at: int) -> tuple[StructuredData, int] | None:
    """The elements and where they end; None when they are not well formed: then they are text."""
    elements: StructuredData = {}
    while element := _ELEMENT.match(text, at):
        at = element.end()
        parameters = elements.setdefault(element[1], {})
        while parameter := _PARAMETER.match(text, at):
            at = parameter.end()
            _add_parameter(parameters, parameter[1], _ESCAPED.sub(r"\1", parameter[2]))
        if not text.startswith("]", at):
            return None
        at += 1
    return (elements, at) if elements and (at == len(text) or text[at] == " ") else None


def _add_parameter(parameters: dict[str, str | list[str]], name: str, value: str) -> None:
    """A name may stand more than once (RFC 5424, 6.3.3)."""
    before = parameters.get(name)
    if before is None:
        parameters[name] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        parameters[name] = [before, value]


def _read_old(message: SyslogMessage, at: int, clock: Clock) -> None:
    """RFC 3164, which describes what programs did: each part may be missing."""
    text = message.text
    if cisco := _CISCO.match(text, at):
        message.host, at = cisco[1] or "", cisco.end()
    stamp = time_at(text, at, clock)
    # Of a year that no log can mean, the day is left out, and what stands behind it is read all the same.
    if stamp and (stamp.moment or stamp.is_syslog):
        message.moment, at = stamp.moment, stamp.end
        if host := _HOST.match(text, at):
            message.host = host[1]
            # The space stays: what stands behind it may be a tag or text.
            at = host.end() - 1
    # Without any of these before it, `error: no disk` is a line of text.
    if at and (tag := _TAG.match(text, at)):
        message.app, message.procid, at = tag[1], tag[2] or "", tag.end()
    message.text = text[at:].removeprefix(" ").removeprefix("\ufeff")
