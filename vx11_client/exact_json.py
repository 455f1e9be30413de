"""JSON whose numbers stay as they were written: a reader gets what a publisher sent. Pure.

Python and JavaScript read `1e5`, `0.10`, `-0` and `0.1000000000000000055511` as doubles and write something else. A
number that would not come out as it went in is kept as a Number, which remembers its text.
"""

import decimal
import json
import math
from typing import Any

import orjson

# Python writes no double longer: -2.2250738585072014e-308.
REPR_LENGTH_LIMIT = 24


class Number(float):
    """A number and its text, where the text says more than the double does."""

    __slots__ = ("text",)

    def __new__(cls, text: str, value: float) -> "Number":
        """`value` is float(text)."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    text: str


def loads(text: str) -> Any:
    """Any JSON value. Raises ValueError (also for a key that stands twice, NaN and infinity), RecursionError."""
    return json.loads(
        text,
        object_pairs_hook=_unique,
        parse_float=_real,
        # Most texts have no -0, and parsing is faster without a call for each whole number.
        parse_int=_whole if "-0" in text else None,
        parse_constant=_no_constant,
    )


def dumps(value: Any, *, option: int = 0) -> bytes:
    """Compact JSON, numbers as they were written. Raises orjson.JSONEncodeError for whole numbers beyond 64 bits."""
    return orjson.dumps(value, default=_as_written, option=option)


def canonical(value: Any, *, option: int = orjson.OPT_SORT_KEYS) -> bytes:
    """The same bytes for the same content: the spelling of numbers and, by default, the order of keys do not matter."""
    return orjson.dumps(value, default=_as_meant, option=option)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return fields


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    # What has an exponent is written in more ways than one; the rest comes out the same if repr() gives it back.
    if len(text) <= REPR_LENGTH_LIMIT and "e" not in text and repr(value) == text:
        return value
    return Number(text, value)


def _whole(text: str) -> int | float:
    if text == "-0":
        return Number(text, -0.0)
    return int(text)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _as_written(value: Any) -> Any:
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError


def _as_meant(value: Any) -> Any:
    if not isinstance(value, Number):
        raise TypeError
    if value.text == "-0":
        return 0
    try:
        exact = decimal.Decimal(value.text) == decimal.Decimal(repr(float(value)))
    except decimal.InvalidOperation:
        exact = False
    return float(value) if exact else orjson.Fragment(value.text)
