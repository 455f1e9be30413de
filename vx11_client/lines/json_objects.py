"""JSON objects of lines: read whole and exactly, or as far as they can be read. Pure."""

import json
import json.decoder
import re

import orjson

from vx11_client import exact_json
from vx11_client.lines.plain_text import storable, storable_text

# The server refuses a request nested deeper than 32 levels, four of which are the batch around a payload. JSON that is
# nested deeper than this is taken as text.
JSON_DEPTH = 24
# Of an object that cannot be read whole: so many fields are looked at, at its start and at its end.
FIELDS_LIMIT = 64
# A value that is not finished, or that is nested, is skipped only when it is shorter than this.
NESTED_LIMIT_CHARACTERS = 2000

Fields = dict[str, object]

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"\s*")
_COMMA = re.compile(r',\s*(?=")')


def json_object(text: str) -> Fields | None:
    """The object that the whole text is, with values that can be sent; None when it is none, too deep or ambiguous."""
    text = text.strip()
    if not text.startswith("{"):
        return None
    try:
        # Which knows what is no JSON, half a surrogate pair too; and reads numbers as doubles.
        orjson.loads(text)
        found = exact_json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or _deeper_than(found, JSON_DEPTH):
        return None
    return {storable_text(name): storable(value) for name, value in found.items()}


def loose_object(text: str, tail: str = "") -> Fields:
    """The fields of the outermost object that can be read, of a text that is no JSON, too deep, or cut off.

    `tail` is the end of an object whose middle is missing. Empty when there is nothing to read.
    """
    if not text.lstrip().startswith("{"):
        return {}
    return {name: _without_halves(value) for name, value in (_from_end(tail) | _from_start(text.lstrip())).items()}


def _without_halves(value: object) -> object:
    """Without halves of surrogate pairs, which UTF-8 cannot hold, and without what is nested deeper."""
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace").decode()
    if isinstance(value, list):
        return [_without_halves(item) for item in value if not isinstance(item, dict | list)]
    if isinstance(value, dict):
        return {
            name: _without_halves(item if not isinstance(item, dict) else _flat(item)) for name, item in value.items()
        }
    return value


def _flat(value: Fields) -> Fields:
    return {name: item for name, item in value.items() if not isinstance(item, dict | list)}


def _from_start(text: str) -> Fields:
    fields: Fields = {}
    at = 1
    for _ in range(FIELDS_LIMIT):
        at = _skip_space(text, at)
        if text[at : at + 1] == ",":
            at = _skip_space(text, at + 1)
        if text[at : at + 1] != '"':
            break
        try:
            name, at = json.decoder.scanstring(text, at + 1)  # type: ignore[attr-defined]
        except ValueError:
            break
        at = _skip_space(text, at)
        if text[at : at + 1] != ":":
            break
        value, at = _value_at(text, _skip_space(text, at + 1))
        fields.setdefault(name, value)
        if at < 0:
            break
    return fields


def _value_at(text: str, at: int) -> tuple[object, int]:
    """The value at this place and where it ends; -1 when it does not end. Of a text, what there is."""
    if text[at : at + 1] in ("{", "["):
        window = text[at : at + NESTED_LIMIT_CHARACTERS]
        try:
            value, length = _DECODER.raw_decode(window)
        except (ValueError, RecursionError):
            return None, -1
        return value, at + length
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        is_text = text[at : at + 1] == '"'
        return (text[at + 1 :].replace('\\"', '"') if is_text else None), -1
    return value, end


def _from_end(tail: str) -> Fields:
    """The last fields, from the first comma on behind which the rest is whole: nested ones have a brace too many."""
    for count, comma in enumerate(_COMMA.finditer(tail)):
        if count >= FIELDS_LIMIT:
            break
        try:
            found = json.loads("{" + tail[comma.end() :])
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _deeper_than(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in items)
