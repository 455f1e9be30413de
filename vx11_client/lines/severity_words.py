"""The names and numbers that other programs give to our four severities. Pure."""

import re

_BY_WORD = {
    "critical": (
        *("emerg", "emergency", "panic", "pani", "dpanic", "alert", "crit", "critical", "fatal", "fata", "ftl", "fatl"),
    ),
    "error": ("err", "erro", "eror", "error", "severe", "fail", "failed", "failure", "exception", "errors"),
    "warn": ("warn", "warning", "wrn", "warnin", "deprecated"),
    "info": (
        *("notice", "note", "info", "inf", "information", "informational", "success", "log", "system", "config"),
        *("debug", "debg", "debu", "dbug", "dbg", "trace", "trac", "trce", "trc"),
        *("verbose", "verb", "vrb", "fine", "finer", "finest", "default"),
    ),
}
SEVERITY_OF_WORD = {word: severity for severity, words in _BY_WORD.items() for word in words}
# Words that are ordinary names too: in a text line they count only where they are written as a level.
WEAK_WORDS = frozenset(
    {"note", "success", "log", "system", "config", "default", "fine", "exception", "errors", "deprecated", "verb"}
)
# Words that are a level also in lower case, where a level is expected.
PLAIN_WORDS = frozenset(
    {
        "emerg",
        "alert",
        "crit",
        "critical",
        "fatal",
        "err",
        "error",
        "warn",
        "warning",
        "notice",
        "info",
        "debug",
        "trace",
    }
)
SEVERITY_OF_LETTER = {
    **{"F": "critical", "C": "critical", "E": "error", "W": "warn"},
    **dict.fromkeys("ANIDVTU", "info"),
}
WORD_LIMIT_CHARACTERS = 40

# RFC 5424: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, 5 notice, 6 informational, 7 debug.
SYSLOG_SEVERITIES = ("critical", "critical", "critical", "error", "warn", "info", "info", "info")
# Windows: 0 always, 1 critical, 2 error, 3 warning, 4 information, 5 verbose.
_WINDOWS_SEVERITIES = ("info", "critical", "error", "warn", "info", "info")
# Scales that rise: the least number of critical, error, warn and info.
_RISING = {
    "0-4": (4, 3, 2, 0),
    "dotnet": (5, 4, 3, 0),
    "pino": (60, 50, 40, 10),
    "python": (50, 40, 30, 1),
    "monolog": (500, 400, 300, 100),
    "otel": (21, 17, 13, 1),
    "log4j": (50_000, 40_000, 30_000, 1),
}
SCALES = ("syslog", *_RISING, "windows")

_DECORATION = re.compile(r"[\s\[\](){}<>:|!*\"']+")
_STEP = re.compile(r"[0-9]|[+-][0-9]{1,3}")


def severity_of_word(text: str) -> str | None:
    """The severity that a word names: `WARN`, `[error]`, `DEBUG2`, `ERROR+2`; None for any other text."""
    if len(text) > WORD_LIMIT_CHARACTERS:
        return None
    word = _DECORATION.sub("", text).lower()
    if word in SEVERITY_OF_WORD:
        return SEVERITY_OF_WORD[word]
    name, _, last = word.rpartition(".")
    if name and last in SEVERITY_OF_WORD:
        return SEVERITY_OF_WORD[last]
    return SEVERITY_OF_WORD.get(_STEP.sub("", word))


def severity_of_number(number: int, scale: str) -> str | None:
    """The severity of a number on one of SCALES; None for one that is not on it."""
    if scale in ("syslog", "windows"):
        names = SYSLOG_SEVERITIES if scale == "syslog" else _WINDOWS_SEVERITIES
        return names[number] if 0 <= number < len(names) else None
    steps = zip(_RISING[scale], ("critical", "error", "warn", "info"), strict=True)
    return next((severity for minimum, severity in steps if number >= minimum), None)
