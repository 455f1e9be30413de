"""Makes foreign text safe for a terminal: a person can read it, and the terminal does not obey it. Pure."""

import re
import unicodedata

# Controls, invisible format characters (the bidirectional overrides among them), halves of surrogate pairs, private
# use and unassigned code points, line and paragraph separators: none of them shows what it does.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ASCII_TEXT = re.compile(r"[ -~]*")
_ASCII_LINES = re.compile(r"[ -~\t\n]*")
_UNSEEN_IN_JSON = re.compile(r"[^ -~]")

RESET = "\x1b[0m"
SEVERITY_COLOURS = {"critical": "\x1b[1;37;41m", "error": "\x1b[1;31m", "warn": "\x1b[33m", "info": "\x1b[32m"}


def shown(text: str) -> str:
    """`text` with every character that a reader would not see written as its escape: `\\x1b`, `\\u202e`."""
    if _ASCII_TEXT.fullmatch(text):
        return text
    return "".join(_escape(character) if _unseen(character) else character for character in text)


def shown_lines(text: str) -> str:
    """As shown(), for text of several lines: their ends stay, and so do tabs."""
    if _ASCII_LINES.fullmatch(text):
        return text
    return "".join(
        _escape(character) if _unseen(character) and character not in "\t\n" else character for character in text
    )


def shown_json(json_text: str) -> str:
    """The same JSON value, with the unseen characters in its strings as JSON escapes."""
    return _UNSEEN_IN_JSON.sub(lambda found: _json_escape(found[0]) if _unseen(found[0]) else found[0], json_text)


def coloured(text: str, severity: str) -> str:
    colour = SEVERITY_COLOURS.get(severity)
    return f"{colour}{text}{RESET}" if colour else text


def _unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN_CATEGORIES


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
