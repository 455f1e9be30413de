"""Text as an event may hold it: no terminal sequences and no line ends in a summary, no NUL anywhere. Pure."""

import re

from vx11_client.wire_limits import SUMMARY_LIMIT_CHARACTERS

REPLACEMENT = "\ufffd"
# What 64 bits hold, with a sign or without.
MIN_WHOLE, MAX_WHOLE = -(2**63), 2**64 - 1

# ECMA-48, with seven bits or eight: control sequences (colours), strings (titles), shorter escapes. A string ends
# before the start of another one: so no text makes a search go over the same characters twice.
_TERMINAL_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
    # As rsyslog writes an escape.
    r"|#033\[[0-9;]*m"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPACE_CONTROLS = str.maketrans("\t\r\n\v\f", "     ")


def without_sequences(text: str) -> str:
    """The text without what drives a terminal; control characters by themselves stay."""
    # Most lines have none, and finding that out is faster than a search.
    if "\x1b" in text or "#033[" in text or not text.isascii():
        return _TERMINAL_SEQUENCE.sub("", text)
    return text


def one_line(text: str) -> str:
    """Text as a summary may hold it: one line, no terminal sequences, no control characters."""
    spaced = without_sequences(text).translate(_SPACE_CONTROLS)
    return _CONTROL.sub(REPLACEMENT, spaced).strip()


def summary_of(text: str) -> str:
    """One line, and not longer than a summary may be."""
    return one_line(text)[:SUMMARY_LIMIT_CHARACTERS].strip()


def storable_text(text: str) -> str:
    """Text without NUL, which the server refuses anywhere."""
    return text.replace("\0", REPLACEMENT)


def storable(value: object) -> object:
    """A JSON value with storable text in every place, and whole numbers beyond 64 bits as texts."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(name): storable(item) for name, item in value.items()}
    is_long = isinstance(value, int) and not MIN_WHOLE <= value <= MAX_WHOLE
    return str(value) if is_long else value
