"""How long to wait before the next try: growing, with jitter, never less than the server asked for. Pure."""

import datetime
import email.utils
import random

FIRST_SECONDS = 0.25
# A server that was away for an hour is found again within this time of its return.
LONGEST_SECONDS = 15.0
# The longest wait that a server may ask for: a wrong clock or a typing error must not stop a client for a day.
LONGEST_ASKED_SECONDS = 300.0


class Backoff:
    """Waits that double from one failure to the next; `reset` after a success."""

    def __init__(self, *, first_seconds: float = FIRST_SECONDS, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self.failures = 0

    def reset(self) -> None:
        self.failures = 0

    def next_seconds(self, *, least_seconds: float = 0.0) -> float:
        """The next wait: half to all of the doubled step, on top of what the server asked for.

        The two are added, because many clients may have been given the same figure: they must not all return at once.
        """
        step = min(self._longest_seconds, self._first_seconds * 2.0 ** min(self.failures, 32))
        self.failures += 1
        jittered = random.uniform(step / 2, step)
        return min(least_seconds, LONGEST_ASKED_SECONDS) + jittered


def retry_after_seconds(header: str | None, *, now: datetime.datetime) -> float:
    """`Retry-After` in either of its forms (seconds, HTTP date) as seconds from `now`; 0 when absent or unreadable."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - now).total_seconds())
