"""The names that other programs give to our four severities. Pure."""

import re
from collections.abc import Mapping

_BY_WORD = {
    "critical": ("emerg", "emergency", "panic", "alert", "crit", "critical", "fatal"),
    "error": ("err", "error", "severe"),
    "warn": ("warn", "warning"),
    "info": ("notice", "info", "information", "informational", "debug", "trace", "verbose"),
}
SEVERITY_OF_WORD = {word: severity for severity, words in _BY_WORD.items() for word in words}
SEVERITY_KEYS = ("severity", "level", "levelname", "lvl", "log.level", "PRIORITY")
# RFC 5424: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, 5 notice, 6 informational, 7 debug.
SYSLOG_SEVERITIES = ("critical", "critical", "critical", "error", "warn", "info", "info", "info")
# bunyan and pino; the step that a number reaches counts. (Python's logging has other numbers, but writes words.)
LEVEL_STEPS = ((50, "error"), (40, "warn"), (10, "info"))
FATAL_LEVEL = 60
# A word further on is a part of the message and not its label.
LABEL_WITHIN_CHARACTERS = 160

_WORDS = "|".join(sorted(SEVERITY_OF_WORD, key=len, reverse=True))
# Capitals, a bracket around the word, a colon after it or a key before it: in "no error found" it is none of these.
_LABEL = re.compile(
    rf"\b(?P<capitals>{_WORDS.upper()})\b"
    rf"|[\[<(](?i:(?P<bracket>{_WORDS}))[\])>]"
    rf"|\b(?i:(?P<colon>{_WORDS})):"
    rf"|\b(?i:level|lvl|severity)=\"?(?i:(?P<key>{_WORDS}))\b"
)


def severity_of_text(text: str) -> str | None:
    """The severity that a line is labelled with, taken from its first label; None when there is none."""
    found = _LABEL.search(text, 0, LABEL_WITHIN_CHARACTERS)
    if found is None:
        return None
    word = next(group for group in found.groups() if group is not None)
    return SEVERITY_OF_WORD[word.lower()]


def severity_of_fields(fields: Mapping[str, object]) -> str | None:
    """What the fields of a log record say about its severity; None when they say nothing, or use unknown words."""
    severities = (severity_of_value(fields[key]) for key in SEVERITY_KEYS if key in fields)
    return next((severity for severity in severities if severity), None)


def severity_of_value(value: object) -> str | None:
    """A word, a syslog number (0-7, also as text, as journald has it) or a level of bunyan and pino (10-60)."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        return SEVERITY_OF_WORD.get(value.strip().lower())
    number = int(value) if isinstance(value, int) else int(value[:9])
    if 0 <= number < len(SYSLOG_SEVERITIES):
        return SYSLOG_SEVERITIES[number]
    if number >= FATAL_LEVEL:
        return "critical"
    return next((severity for minimum, severity in LEVEL_STEPS if number >= minimum), None)
