"""Lines of `key=value` pairs, with quotes or without: their level and their time. Pure."""

import datetime
import re

from vx11_client.lines.moments import Clock
from vx11_client.lines.severity_words import severity_of_word
from vx11_client.lines.time_forms import moment_of_text

PAIRS_LIMIT = 24
LEVEL_KEYS = frozenset({"level", "lvl", "severity", "loglevel", "log_level", "log.level", "levelname", "sev"})
TIME_KEYS = frozenset({"time", "ts", "t", "timestamp", "@timestamp", "datetime", "at"})

_KEY = re.compile(r"([A-Za-z_@][\w.@-]{0,60})=")
_SPACE = re.compile(r"\s+|$")


def pairs_at(text: str, at: int, clock: Clock) -> tuple[str | None, datetime.datetime | None] | None:
    """Level and time of the pairs that begin at this place; None when no pair begins there."""
    severity: str | None = None
    moment: datetime.datetime | None = None
    count = 0
    while count < PAIRS_LIMIT and (found := _KEY.match(text, at)):
        key = found[1].lower()
        value, at = _value_at(text, found.end())
        if severity is None and key in LEVEL_KEYS:
            severity = severity_of_word(value)
        elif moment is None and key in TIME_KEYS:
            moment = moment_of_text(value, clock)
        count += 1
    return (severity, moment) if count else None


def _value_at(text: str, at: int) -> tuple[str, int]:
    """The value, in quotes or up to the next space, and where the next pair begins."""
    end = _end_of_quotes(text, at) if text[at : at + 1] == '"' else None
    space = _SPACE.search(text, at if end is None else end)
    begin, behind = (space.start(), space.end()) if space else (len(text), len(text))
    return (text[at:begin] if end is None else text[at + 1 : end - 1]), behind


def _end_of_quotes(text: str, at: int) -> int | None:
    """Behind the closing quotation mark; a backslash takes the next character along."""
    at += 1
    while (quote := text.find('"', at)) >= 0:
        backslashes = len(text[at:quote]) - len(text[at:quote].rstrip("\\"))
        at = quote + 1
        if backslashes % 2 == 0:
            return at
    return None
