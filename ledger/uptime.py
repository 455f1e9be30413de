"""A clock for how old knowledge is. It is never set, and goes on while the machine is suspended.

Not time.monotonic(), which on Linux stands still during a suspension: rights of before it would count as fresh.
"""

import functools
import time
from collections.abc import Callable

# Linux has it; elsewhere time.monotonic() has to do, which goes on during a suspension on some systems.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


# Since a moment in the past that is the same for the whole process.
uptime_seconds: Callable[[], float] = (
    time.monotonic if _CLOCK is None else functools.partial(time.clock_gettime, _CLOCK)
)
