"""When something happened: numbers, nested values and texts of JSON become moments. Pure."""

import dataclasses
import datetime
import re
from collections.abc import Callable

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# A counter since boot or a sentinel of year 9999 is no time of day.
FIRST_YEAR, LAST_YEAR = 1990, 2100
# How many units of an epoch make a second: by size, as these never overlap between the years above.
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3), (0, 1))
# Yearless times: a 29th of February may be four years ago.
YEARS_BACK = 4
# Clocks differ, and a zone may not be known: so far a time may lie ahead. What lies further ahead was a year ago.
AHEAD = datetime.timedelta(days=2)
_DIGITS = re.compile(r"-?[0-9]{1,20}(?:[.,][0-9]{1,18})?")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass(frozen=True)
class Clock:
    """What a time needs that does not say all: the zone (None: that of this machine), and now, for its year."""

    zone: datetime.tzinfo | None = None
    now: Callable[[], datetime.datetime] = _now

    def settle(self, moment: datetime.datetime) -> datetime.datetime | None:
        """The moment in UTC; None for one that no log can mean."""
        try:
            if moment.tzinfo is None and self.zone is not None:
                moment = moment.replace(tzinfo=self.zone)
            moment = moment.astimezone(datetime.UTC)
        except (OverflowError, ValueError, OSError):
            return None
        return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None

    def newest_year(self, month: int, day: int, time: datetime.time) -> datetime.datetime | None:
        """The moment without zone on that day, in the newest year in which it is not ahead of now."""
        now = self.now()
        found = []
        for year in range(now.year - YEARS_BACK, now.year + 2):
            try:
                found.append(datetime.datetime.combine(datetime.date(year, month, day), time))
            except ValueError:
                continue
        latest = now.replace(tzinfo=None) + AHEAD
        return max((moment for moment in found if moment <= latest), default=None)


def moment_of_number(number: float) -> datetime.datetime | None:
    """An epoch in seconds, milliseconds, microseconds or nanoseconds; None for a number that is none of these."""
    try:
        size = abs(number)
        per_second = next(per_second for minimum, per_second in _UNITS if size >= minimum)
        if isinstance(number, int):
            # Exact: a double has no room for nanoseconds.
            microseconds = number * 1_000_000 // per_second
        else:
            microseconds = round(number * (1_000_000 / per_second))
        moment = EPOCH + datetime.timedelta(microseconds=microseconds)
    except (OverflowError, ValueError, StopIteration):
        return None
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def moment_of_digits(text: str) -> datetime.datetime | None:
    """An epoch that is written as text, with a fraction or without."""
    if not _DIGITS.fullmatch(text):
        return None
    whole, _, fraction = text.replace(",", ".").partition(".")
    if not fraction:
        return moment_of_number(int(whole))
    moment = moment_of_number(int(whole))
    return moment and moment + datetime.timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


def moment_of_parts(value: dict[str, object]) -> datetime.datetime | None:
    """Of log4j's `{"epochSecond", "nanoOfSecond"}` and of `{"seconds", "nanos"}`; None for other objects."""
    seconds = value.get("epochSecond", value.get("seconds"))
    nanoseconds = value.get("nanoOfSecond", value.get("nanos", 0))
    if isinstance(seconds, int) and isinstance(nanoseconds, int) and 0 <= nanoseconds < 10**9:
        moment = moment_of_number(seconds)
        return moment and moment + datetime.timedelta(microseconds=nanoseconds // 1000)
    return None
