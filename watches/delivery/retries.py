"""When a failed delivery is tried again: a growing wait with jitter, and not before the receiver asked for it. Pure."""

import random
from datetime import timedelta

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 900.0
# A receiver may ask for a longer wait than ours, but not for a day.
ASKED_SECONDS_MAX = 3_600.0


def wait_after(failures: int, *, asked_seconds: float = 0.0) -> timedelta:
    """After so many failures in a row, of which there is at least one: half to all of the doubled step."""
    step = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16))
    return timedelta(seconds=max(min(asked_seconds, ASKED_SECONDS_MAX), random.uniform(step / 2, step)))
