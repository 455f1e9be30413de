"""A clock for how old knowledge is. It is never set, and goes on while the machine is suspended.

Not time.monotonic(), which on Linux stands still during a suspension: rights of before it would count as fresh.
"""

import time

# Linux has it; elsewhere time.monotonic() has to do, which goes on during a suspension on some systems.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def uptime_seconds() -> float:
    """Since a moment in the past that is the same for the whole process."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
