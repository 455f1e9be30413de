"""Times as people write them in options and settings: 90d, 36h, 10m, 5s. No Django."""

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Six digits: 2700 years of days, so that a point in time can be reckoned from every one of them.
_FORM = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)


def read_duration(text: str, *, units: str = "smhd") -> timedelta | None:
    """A number and one of these units; None for all other texts."""
    found = _FORM.fullmatch(text)
    if found is None or found[2] not in units:
        return None
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
