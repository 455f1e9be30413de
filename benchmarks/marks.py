"""Marks: what every published event carries, so that a reader can tell it and time it by its bytes alone. Pure.

A mark is the event's number and the moment of its publishing. Its width is fixed: a request is made ready once, and
for each event the mark is put into its place. Nothing else that servers write holds a `#`.
"""

import re
import time

_FORM = b"#%08d@%016d"
# Stands in a request that has been made ready.
PLACE = _FORM % (0, 0)
LENGTH_BYTES = len(PLACE)
NUMBERS = re.compile(rb"#(\d{8})@\d{16}")
NUMBERS_AND_MOMENTS = re.compile(rb"#(\d{8})@(\d{16})")


def moment() -> int:
    """Now, in microseconds: comparable between processes of one machine."""
    return time.perf_counter_ns() // 1000


def mark(number: int, published_at: int) -> bytes:
    return _FORM % (number, published_at)


def cut_off(data: bytes) -> bytes:
    """The beginning of a mark whose end has not come yet; empty when data ends otherwise."""
    start = data.rfind(b"#", -LENGTH_BYTES + 1)
    return data[start:] if start >= 0 else b""
