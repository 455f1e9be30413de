"""Terms by which an index finds the numbers at a path that are larger or smaller than another. Pure.

The numbers are divided into buckets, in their order: sixteen to each power of two, so that a bucket holds what differs
by 3 to 6 %. A number has a term for its bucket, one for its power of two, and a negative one another for its sign. So
what is larger than a number is named by some dozens of terms, however many such numbers there are. Buckets let too much
through and never too little: a number that is larger is in no smaller bucket.
"""

import functools
import math
import zlib
from collections.abc import Iterator, Sequence

PARTS = 16
# As math.frexp says them. What is closer to zero than 1/512 or beyond 10**14 is in the first or the last bucket.
MIN_EXPONENT, MAX_EXPONENT = -8, 48
BUCKETS = (MAX_EXPONENT - MIN_EXPONENT + 1) * PARTS
# Of paths and terms; those of a log are few.
KEPT_PATHS, KEPT_TERMS = 4_096, 65_536
ZERO, NEGATIVE = "z", "n"
# The letters of a bucket and of a power of two, for positive and for negative numbers.
_POSITIVE, _NEGATIVE = ("a", "b"), ("c", "d")


def bucket(number: float) -> int:
    """From -BUCKETS to BUCKETS; 0 for zero alone. It never falls when the number rises."""
    if not number:
        return 0
    if math.isinf(number):
        return BUCKETS if number > 0 else -BUCKETS
    fraction, exponent = math.frexp(abs(number))
    if exponent > MAX_EXPONENT:
        place = BUCKETS
    elif exponent < MIN_EXPONENT:
        place = 1
    else:
        # The fraction is 0.5 or more, and less than 1.
        place = (exponent - MIN_EXPONENT) * PARTS + int((fraction - 0.5) * 2 * PARTS) + 1
    return place if number > 0 else -place


def number_terms(path: Sequence[str], number: float) -> tuple[str, ...]:
    """Of a number at this path; of its double, as a double is equal or in the same order as what was written."""
    return _terms(_path(tuple(path)), bucket(number))


def terms_between(path: Sequence[str], low: int, high: int) -> list[str]:
    """One of these is a term of each number at the path whose bucket is from `low` to `high`."""
    start = _path(tuple(path))
    found = [*_cover(max(low, 1), high, _POSITIVE)]
    if low <= 0 <= high:
        found.append(ZERO)
    if low <= -BUCKETS and high >= -1:
        found.append(NEGATIVE)
    else:
        found += _cover(max(-high, 1), -low, _NEGATIVE)
    return [f"{start}{written}" for written in found]


def _cover(first: int, last: int, letters: tuple[str, str]) -> Iterator[str]:
    """Whole powers of two, and single buckets at the ends."""
    one, power = letters
    while first <= last:
        if (first - 1) % PARTS == 0 and first + PARTS - 1 <= last:
            yield f"{power}{(first - 1) // PARTS}"
            first += PARTS
        else:
            yield f"{one}{first}"
            first += 1


@functools.lru_cache(maxsize=KEPT_PATHS)
def _path(path: tuple[str, ...]) -> str:
    """What all terms of a path begin with. Two paths may have the same: an index may let too much through."""
    # Surrogates, which JSON can hold, are no UTF-8.
    return f"r:{zlib.crc32(chr(0).join(path).encode(errors='surrogatepass')):08x}:"


@functools.lru_cache(maxsize=KEPT_TERMS)
def _terms(start: str, place: int) -> tuple[str, ...]:
    if place == 0:
        return (f"{start}{ZERO}",)
    one, power = _POSITIVE if place > 0 else _NEGATIVE
    own = f"{start}{one}{abs(place)}", f"{start}{power}{(abs(place) - 1) // PARTS}"
    return own if place > 0 else (*own, f"{start}{NEGATIVE}")
