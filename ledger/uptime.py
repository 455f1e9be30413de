"""A clock for the age of what was read, such as rights. It is never set, and goes on while the machine is suspended.

Not time.monotonic(), which on Linux stands still during a suspension: rights of before it would count as fresh.
"""

import functools
import time
from collections.abc import Callable

# Linux has this clock. Elsewhere time.monotonic() is used, which goes on during a suspension on some systems.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


# Seconds since a moment in the past that is the same for the whole process.
uptime_seconds: Callable[[], float] = (
    time.monotonic if _CLOCK is None else functools.partial(time.clock_gettime, _CLOCK)
)
