"""The head of a text line: its time and its level, which stand before the message. Pure.

A level counts only where a level stands: at the start of the line, behind the time, in brackets, behind a name that
ends with a colon, or in a level field. The walk ends at the first word that is none of these: from there on it is the
message, in which `error` is a word like any other.
"""

import dataclasses
import datetime
import re

from vx11_client.lines.level_labels import (
    Found,
    level_of_bracket,
    level_of_letter,
    level_of_token,
    level_of_two_words,
    syslog_priority,
)
from vx11_client.lines.moments import Clock
from vx11_client.lines.pair_lines import LEVEL_KEYS, pairs_at
from vx11_client.lines.time_forms import klog_at, time_at

# A level further on is a part of the message.
HEAD_CHARACTERS = 400
# A level field may stand behind a long message field.
PAIRS_CHARACTERS = 4000
TOKENS_LIMIT = 12
BRACKET_CHARACTERS = 160
# Names, numbers and brackets between the time and the level.
NAMES_LIMIT = 6
# So many names stand in front of the time of an access log.
ACCESS_NAMES = (3, 6)

_CLOSING = {"[": "]", "(": ")", "<": ">"}
_SEPARATORS = re.compile(r"[\s|,;:>*=.!-]*")
_TOKEN = re.compile(r"[^\s|]{1,120}")
_KLOG = re.compile(r"[IWEF](?:\d{4})?\d{4} {1,2}\d\d:", re.ASCII)
_LOGCAT = re.compile(r"([VDIWEFA])/[\w.$-]{1,60} *\( *\d{1,7}\):", re.ASCII)
_REDIS = re.compile(r"\d{1,9}:[XCSM] (?=\d)", re.ASCII)
_REDIS_SIGNS = {"#": "warn", "*": "info", "-": "info", ".": "info"}
_LETTER_FIRST = re.compile(r"([DIWEFVT]) (?=\d)", re.ASCII)
# Programs that write their name and then a level in small letters.
_TOOLS = frozenset({"npm", "pnpm", "yarn"})
_RUBY = re.compile(r"[DIWEFAU], (?=\[)", re.ASCII)
_AUDIT = re.compile(r"(?:node=\S{1,80} )?type=\w{1,40} msg=audit\((?=\d{10})", re.ASCII)
_ACCESS_TIME = re.compile(r"\[\d\d/[A-Z][a-z]{2}/", re.ASCII)
_IDENTIFIER = re.compile(r"[\d._/@#$\[(\\-]|[a-z][A-Z]|:$")
_NAME = re.compile(r"[a-z]{1,40}", re.ASCII)
_PROGRAM_NEXT = re.compile(r"\s{1,8}[\w./()-]{1,60}(?:\[\d{1,9}\])?:(?=\s|$)", re.ASCII)
_CAPITAL_NEXT = re.compile(r"\s{1,8}(?:- |\| )?[\[]?[A-Z]{3,9}[\]!:]?(?=\s|:|$)")


@dataclasses.dataclass(slots=True)
class Head:
    """What a line says before its message begins at `end`. `severity` and `moment` are None when it does not say."""

    severity: str | None = None
    moment: datetime.datetime | None = None
    end: int = 0
    has_time: bool = False


def read_head(text: str, clock: Clock) -> Head:
    """The head of one line, whose terminal sequences have been taken out."""
    return _Walk(text[:PAIRS_CHARACTERS], clock).read()


class _Walk:
    """One pass over a head, from token to token."""

    def __init__(self, text: str, clock: Clock) -> None:
        self._text = text[:HEAD_CHARACTERS]
        self._pairs_text = text
        self._clock = clock
        self._head = Head()
        self._at = 0
        self._names = 0
        # Names that are not in brackets.
        self._words = 0
        self._after_time = False
        self._expects_host = False

    def read(self) -> Head:
        if not self._fixed_form():
            for _ in range(TOKENS_LIMIT):
                found = _SEPARATORS.match(self._text, self._at)
                self._at = found.end() if found else self._at
                if self._at >= len(self._text) or not self._step():
                    break
        self._head.end = self._at
        return self._head

    def _fixed_form(self) -> bool:
        """Forms that are no sequence of tokens; whether nothing is left to be found."""
        head, text = self._head, self._text
        self._at = len(text) - len(text.lstrip())
        if found := syslog_priority(text, self._at):
            head.severity, self._at = found.severity, found.end
        elif _KLOG.match(text, self._at) and (stamp := klog_at(text, self._at, self._clock)):
            head.severity, head.moment, head.has_time = level_of_letter(text[self._at]), stamp.moment, True
            self._at = stamp.end
            return True
        elif form := _LOGCAT.match(text, self._at):
            head.severity, self._at = level_of_letter(form[1]), form.end()
            return True
        elif form := _REDIS.match(text, self._at):
            return self._redis(form.end())
        elif form := _AUDIT.match(text, self._at):
            self._take_time(form.end())
            return True
        elif (bracket := _access_time(text, self._at)) is not None:
            self._at = bracket
            self._bracket("]")
            return True
        elif (form := _LETTER_FIRST.match(text, self._at)) and time_at(text, form.end(), self._clock):
            head.severity, self._at = level_of_letter(form[1]), form.end()
        elif form := _RUBY.match(text, self._at):
            self._at = form.end()
        return False

    def _redis(self, at: int) -> bool:
        if self._take_time(at):
            self._head.severity = _REDIS_SIGNS.get(self._text[self._at : self._at + 2].strip())
        return self._head.severity is not None

    def _take_time(self, at: int) -> bool:
        # Some write the time behind the level, a thread in brackets or a file's name. Further on it is the message's.
        if self._head.has_time or self._words > 1:
            return False
        stamp = time_at(self._text, at, self._clock)
        if stamp is None:
            return False
        self._head.moment, self._head.has_time = stamp.moment, True
        self._at, self._after_time, self._expects_host = stamp.end, True, stamp.is_syslog
        return True

    def _step(self) -> bool:
        """Go on by one token; whether the head may go on behind it."""
        first = self._text[self._at]
        if self._take_time(self._at):
            return True
        if first in _CLOSING:
            return self._bracket(_CLOSING[first])
        return first not in "\"'{`" and self._token()

    def _bracket(self, closing: str) -> bool:
        end = self._text.find(closing, self._at, self._at + BRACKET_CHARACTERS)
        if end < 0:
            return False
        self._names += 1
        inner = self._text[self._at + 1 : end].strip()
        letter = inner[:2].rstrip()
        shift = 2 if len(letter) == 1 and letter.isupper() and not inner[1:2].isalpha() else 0
        stamp = None if self._head.has_time else time_at(inner, shift, self._clock)
        if stamp:
            self._head.moment, self._head.has_time, self._after_time = stamp.moment, True, True
        if self._head.severity is None:
            if stamp and shift:
                self._head.severity = level_of_letter(letter)
            else:
                rest = inner[stamp.end :] if stamp else inner
                self._head.severity = level_of_bracket(rest.strip(" :,|"), is_behind_time=stamp is not None)
            # What follows a thread or a request is the message, but for a level in capitals.
            self._after_time = self._after_time and (stamp is not None or inner.isdigit())
        self._at = end + 1
        return self._names <= NAMES_LIMIT

    def _token(self) -> bool:
        text = self._text
        if self._head.severity is None and (found := self._level_here()):
            self._head.severity, self._at = found
            return True
        token = _TOKEN.match(text, self._at)
        if token is None:
            return False
        if "=" in token[0] and (pairs := pairs_at(self._pairs_text, self._at, self._clock)):
            severity, moment = pairs
            self._head.severity = self._head.severity or severity
            if not self._head.has_time:
                self._head.moment, self._head.has_time = moment, moment is not None
            return False
        if not self._is_name(token[0], token.end()):
            return False
        self._names += 1
        self._words += 1
        # A number behind the time (a process, a thread) does not separate the level from it.
        is_number = token[0].isdigit()
        is_label = token[0] in _TOOLS or token[0].rstrip(":").lower() in LEVEL_KEYS
        self._after_time = (self._after_time and is_number) or is_label
        self._expects_host = False
        self._at = token.end()
        return self._names <= NAMES_LIMIT

    def _level_here(self) -> Found | None:
        return level_of_two_words(self._text, self._at) or level_of_token(
            self._text, self._at, is_behind_time=self._after_time, is_first=self._names == 0
        )

    def _is_name(self, token: str, end: int) -> bool:
        """Whether a token names something (a host, a process, a logger) and is not a word of the message."""
        if self._expects_host or token in _TOOLS:
            return True
        if _IDENTIFIER.search(token):
            # Without a time before it, a number or a path may as well begin the message: `HTTP/1.1 500 ERROR`.
            return self._head.has_time or self._names > self._words or not ("/" in token or token.isdigit())
        if _NAME.fullmatch(token) is None or not self._after_time:
            return False
        # Behind a time, a plain word is a name only in front of a level in capitals, or of a program and its colon.
        return bool(_CAPITAL_NEXT.match(self._text, end) or _PROGRAM_NEXT.match(self._text, end))


def _access_time(text: str, at: int) -> int | None:
    """Where the time of an access log begins: behind the client and two names or more, in brackets.

    Such a line has no level; what stands in quotes is what the client asked for.
    """
    bracket = text.find("[", at)
    if bracket < 0 or not _ACCESS_TIME.match(text, bracket):
        return None
    before = text[at:bracket]
    return bracket if '"' not in before and ACCESS_NAMES[0] <= len(before.split()) <= ACCESS_NAMES[1] else None
