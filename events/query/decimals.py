"""Numbers as they were written, compared exactly. Pure.

Doubles would make one number of 9007199254740993 and 9007199254740992, and JavaScript would make others of them than
Python. So numbers are compared as decimals: 1e2 is 100 and 100.0; 0.1 is not 0.1000000000000000055511.
"""

import re
from typing import NamedTuple

# What JSON calls a number; Python's float() takes "nan", "1_0" and " 1" too.
_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
# Exponents are exact up to so many digits, and larger ones all the same: a number with one takes no time to compare.
_EXPONENT_LIMIT_DIGITS = 15
_EXPONENT_LIMIT = 1_000_000_000_000_000


class Decimal(NamedTuple):
    """sign * 0.digits * 10**exponent, in one way only: without zeros at the ends. Zero is (0, 0, "")."""

    sign: int
    exponent: int
    digits: str


ZERO = Decimal(0, 0, "")


def read(text: str) -> Decimal | None:
    """None for what JSON does not call a number."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    minus, whole, fraction, exponent_sign, exponent = found.groups(default="")
    written = whole + fraction
    digits = written.lstrip("0")
    if not digits:
        return ZERO
    shift = _exponent(exponent) if exponent_sign != "-" else -_exponent(exponent)
    zeros = len(written) - len(digits)
    return Decimal(-1 if minus else 1, len(whole) - zeros + shift, digits.rstrip("0"))


def order(one: Decimal, other: Decimal) -> int:
    """Less than 0 if `one` is the smaller, 0 if they are equal, else more."""
    if one.sign != other.sign:
        return one.sign - other.sign
    here, there = (one.exponent, one.digits), (other.exponent, other.digits)
    if here == there:
        return 0
    return one.sign if here > there else -one.sign


def _exponent(digits: str) -> int:
    significant = digits.lstrip("0")
    if len(significant) > _EXPONENT_LIMIT_DIGITS:
        return _EXPONENT_LIMIT
    return int(significant or "0")
