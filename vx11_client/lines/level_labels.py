"""How a level is written in a line of text: as a word in capitals, in brackets, with a colon, as a letter. Pure."""

import re
from typing import NamedTuple

from vx11_client.lines.severity_words import (
    PLAIN_WORDS,
    SEVERITY_OF_LETTER,
    SEVERITY_OF_WORD,
    SYSLOG_SEVERITIES,
    WEAK_WORDS,
    severity_of_word,
)

# The largest priority of syslog: facility 23, severity 7.
PRIORITY_LIMIT = 191

_PRIORITY = re.compile(r"<(\d{1,3})>(?:1 (?=\d{4}-|- ))?", re.ASCII)
# The word alone: `ERROR-handler`, `error.log` and `/error` are names.
_WORD = re.compile(r"([A-Za-z]{3,13})\d?(?![\w./=@%&?\\-])(\[\w{1,12}\]|!)?([:|\]])?", re.ASCII)
_LETTER = re.compile(r"([A-Z])(?= [|\w\[]|\t| *$)", re.ASCII)
# Names and a level in one piece: `name:WARNING`, `10.0.0.7(9):user@db:[1]:ERROR:`.
_JOINED = re.compile(r"\S{1,100}:([A-Z]{4,9}):?(?=\s|$)", re.ASCII)
_RUST_PANIC = re.compile(r"thread '[^']{1,80}' (?:\(\d{1,9}\) )?panicked at ")
_FACILITY = re.compile(r"(?:kern|user|mail|daemon|auth|syslog|lpr|news|cron|authpriv|ftp|local\d) *:([a-z]{3,6}) *: ")
_CHANNEL = re.compile(r"[\w-]{1,60}\.([A-Z]{4,9}):(?= |$)", re.ASCII)
_MODULE = re.compile(r"[\w.-]{1,60}:([A-Za-z]{3,9})\d?", re.ASCII)
_LAST_PART = re.compile(r"[^/]{1,60}/([A-Z]{4,9})")
_BRACKET_WORD = re.compile(r"([A-Za-z]{3,13})\d?(?![\w.-])([:/|]?)", re.ASCII)
_TWO_WORDS = re.compile(
    r"(?:PHP )?(?:(?i:(fatal|parse|catchable fatal|recoverable fatal|compile|core) error)"
    r"|(Warning|Notice|Deprecated)): ",
    re.ASCII,
)
_XORG = {"EE": "error", "WW": "warn", "II": "info"}


class Found(NamedTuple):
    """A level, and where its label ends."""

    severity: str
    end: int


def syslog_priority(text: str, at: int) -> Found | None:
    """`<11>`, also with the version of RFC 5424 behind it."""
    found = _PRIORITY.match(text, at)
    if found is None or int(found[1]) > PRIORITY_LIMIT:
        return None
    return Found(SYSLOG_SEVERITIES[int(found[1]) % len(SYSLOG_SEVERITIES)], found.end())


def level_of_letter(letter: str) -> str | None:
    return SEVERITY_OF_LETTER.get(letter)


def level_of_two_words(text: str, at: int) -> Found | None:
    """`PHP Fatal error: `, `fatal error: `, `PHP Warning: `, `kern  :err  : `, and the panic of Rust."""
    if panic := _RUST_PANIC.match(text, at):
        return Found("critical", panic.end())
    facility = _FACILITY.match(text, at)
    if facility and (severity := severity_of_word(facility[1])):
        return Found(severity, facility.end())
    found = _TWO_WORDS.match(text, at)
    if found is None:
        return None
    if found[1]:
        return Found("critical" if "fatal" in found[1].lower() else "error", found.end())
    return Found("info" if found[2] == "Notice" else "warn", found.end())


def level_of_token(text: str, at: int, *, is_behind_time: bool, is_first: bool) -> Found | None:
    """The level that is the token at this place; None when the token is no level, or only a word."""
    if channel := _CHANNEL.match(text, at):
        severity = SEVERITY_OF_WORD.get(channel[1].lower())
        return Found(severity, channel.end()) if severity else None
    if is_behind_time and (letter := _LETTER.match(text, at)) and letter[1] in SEVERITY_OF_LETTER:
        return Found(SEVERITY_OF_LETTER[letter[1]], letter.end())
    found = _WORD.match(text, at)
    word = found[1].lower() if found else ""
    if found is None or word not in SEVERITY_OF_WORD:
        joined = _JOINED.match(text, at)
        severity = SEVERITY_OF_WORD.get(joined[1].lower()) if joined else None
        return Found(severity, joined.end()) if joined and severity else None
    is_marked = found[3] is not None or (found[2] or "").strip("[]").isdigit() or found[2] == "!"
    is_capital = found[1].isupper()
    if word in WEAK_WORDS and not (is_capital and (is_marked or is_behind_time or is_first)):
        return Found("info", found.end()) if word == "note" and is_marked else None
    if is_capital or is_marked or (is_behind_time and word in PLAIN_WORDS):
        return Found(SEVERITY_OF_WORD[word], found.end())
    return None


def level_of_bracket(inner: str, *, is_behind_time: bool) -> str | None:
    """The level that brackets hold: `error`, `core:error`, `ERROR/Worker-1`, or behind a time `ERROR crate::module`."""
    if severity := _XORG.get(inner):
        return severity
    if len(inner) == 1:
        return SEVERITY_OF_LETTER.get(inner)
    if thread := _LAST_PART.fullmatch(inner):
        return severity_of_word(thread[1])
    if module := _MODULE.fullmatch(inner):
        return severity_of_word(module[1])
    found = _BRACKET_WORD.match(inner)
    word = found[1].lower() if found else ""
    if found is None or word not in SEVERITY_OF_WORD or (word in WEAK_WORDS and found[1].islower()):
        return None
    is_alone = found.end() == len(inner) or found[2] or is_behind_time
    return SEVERITY_OF_WORD[word] if is_alone else None
