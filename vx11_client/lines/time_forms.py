"""The forms in which logs write a time, at a place of a text. Pure."""

import dataclasses
import datetime
import re
import zoneinfo
from collections.abc import Callable

from vx11_client.lines.moments import Clock, moment_of_digits, moment_of_number

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_DAYS = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})
# Abbreviations that mean one zone: those of RFC 2822, and of Europe and Japan. Others (IST, CST of China) do not count.
_ZONES = {
    **{"Z": 0.0, "z": 0.0, "UTC": 0.0, "GMT": 0.0, "WET": 0.0, "WEST": 1.0, "CET": 1.0, "CEST": 2.0, "EET": 2.0},
    **{"EEST": 3.0, "MSK": 3.0, "JST": 9.0, "EST": -5.0, "EDT": -4.0, "CST": -6.0, "CDT": -5.0, "MST": -7.0},
    **{"MDT": -6.0, "PST": -8.0, "PDT": -7.0},
}
_HOURS_OF_HALF_A_DAY = 12
# A number that stands alone is an epoch only when it has one of these lengths.
_FIRST_EPOCH_YEAR = 2001

_MONTH = r"(?P<name>[A-Za-z]{3})[a-z]{0,6}\.?"
_CLOCK = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)[:.](?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,9}))?(?!\d)"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\b)?"
)
# The same without seconds.
_SHORT_CLOCK = _CLOCK.replace("[:.](?P<second>", "(?:[:.](?P<second>").replace("{1,9}))?(?!", "{1,9}))?)?(?!")
# ISO and its relatives: `T`, a space, a dash or an underscore before the clock; 2026/01/04, 2026.01.04.
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?)(?:[Tt_;,-]| {{1,2}}){_SHORT_CLOCK}", re.ASCII
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)[T _-]?(?P<hour>\d\d):?(?P<minute>\d\d):?(?P<second>\d\d)"
    r"(?:[.,:](?P<fraction>\d{1,9}))?(?!\d)",
    re.ASCII,
)
# 10/Oct/2000:13:55:36, 04-Jan-2026 01:34:28, 04 Jan 2026 01:34:28, 04 Jan 01:34:28.
_DAY_FIRST = re.compile(rf"(?P<day>\d\d?)[-/ ]{_MONTH}(?:[-/ ](?P<year>\d{{4}}))?[:, ] ?{_CLOCK}", re.ASCII)
# 26/01/04 01:34:28 (the year first), 260104 01:34:28, 260104 013428.
_SHORT_YEAR = re.compile(
    r"(?P<year>\d\d)/?(?P<month>\d\d)/?(?P<day>\d\d) {1,2}(?P<hour>\d\d?):?(?P<minute>\d\d):?(?P<second>\d\d)"
    r"(?:[.,](?P<fraction>\d{1,9}))?(?![\d:/])",
    re.ASCII,
)
_SLASHED = re.compile(rf"(?P<first>\d\d?)[/.](?P<then>\d\d?)[/.](?P<year>\d{{4}}),? {{1,2}}{_CLOCK}", re.ASCII)
# Android's and geth's: no year.
_MONTH_DAY = re.compile(rf"(?P<month>\d\d)-(?P<day>\d\d)[ |]{_CLOCK}", re.ASCII)
_CLOCK_ONLY = re.compile(rf"{_CLOCK}(?![\w:])|\d{{1,2}}:\d\d ?[AaPp][Mm]\b", re.ASCII)
_EPOCH = re.compile(r"(?:\d{10}(?:[.,]\d{1,9})?|\d{13}|\d{16}|\d{19})(?![\w.,-])", re.ASCII)
# Jan  4 01:34:28, Sun Jan  4 01:34:28 UTC 2026, Jan 04, 2026 1:34:28 PM, Jan  4 2026 01:34:28.
_NAMED = re.compile(
    rf"(?:[A-Za-z]{{3,9}},? )?{_MONTH} {{1,2}}(?P<day>\d{{1,2}})(?:,? (?P<year>\d{{4}}))?,? {_CLOCK}", re.ASCII
)
_MAIL = re.compile(rf"[A-Za-z]{{3}},? (?P<day>\d\d?) {_MONTH} (?P<year>\d{{4}}),? {_CLOCK}", re.ASCII)
_YEAR_LAST = re.compile(r" (?:[A-Z]{1,5} )?(\d{4})(?![\d:.])", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?(?!\d)|(?: )([+-])(\d\d):?(\d\d)(?!\d)", re.ASCII)
_NAMED_ZONE = re.compile(r" ?([A-Z]{1,4}|z)(?![\w/])| ([A-Z][A-Za-z]{2,14}/[A-Z][A-Za-z_]{2,20})(?!\w)", re.ASCII)
_TAI = re.compile(r"@(4[0-9a-f]{15})([0-9a-f]{8})(?!\w)", re.ASCII)
_KLOG = re.compile(rf"[A-Z](?P<year>\d{{4}})?(?P<month>\d\d)(?P<day>\d\d) {{1,2}}{_CLOCK} ", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Stamp:
    """A time in a text: where it ends, and the moment if the text says enough. `is_syslog`: a host may come next."""

    end: int
    moment: datetime.datetime | None = None
    is_syslog: bool = False


def time_at(text: str, at: int, clock: Clock) -> Stamp | None:
    """The time that begins at this place of the text; None when there is none."""
    first = text[at : at + 1]
    if first.isdigit():
        return next((stamp for form in _DIGIT_FORMS if (stamp := form(text, at, clock))), None)
    if first == "@":
        return _tai(text, at)
    name = text[at : at + 3].lower()
    if name in _MONTHS or name in _DAYS:
        return _mail(text, at, clock) or _named(text, at, clock)
    return None


def klog_at(text: str, at: int, clock: Clock) -> Stamp | None:
    """The time of klog and glog, whose letter of the level stands before it: `E0104 01:34:28.123456 `."""
    return _dated(_KLOG, text, at, clock)


def moment_of_text(text: str, clock: Clock) -> datetime.datetime | None:
    """The moment that a whole text means: an epoch, ISO, or any form that a line may begin with."""
    text = text.strip()
    if moment := moment_of_digits(text):
        return moment
    try:
        return clock.settle(datetime.datetime.fromisoformat(text)) if ":" in text else None
    except ValueError:
        stamp = time_at(text.strip("[]"), 0, clock)
    return stamp.moment if stamp else None


def _zone_at(text: str, at: int) -> tuple[int, datetime.tzinfo | None]:
    """The zone behind a time and where it ends; the same place when there is none."""
    if found := _OFFSET.match(text, at):
        sign, hours, minutes = (found[1], found[2], found[3]) if found[1] else (found[4], found[5], found[6])
        offset = datetime.timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset < datetime.timedelta(hours=24):
            end = found.end() + (4 if text.startswith(" UTC", found.end()) else 0)
            return end, datetime.timezone(-offset if sign == "-" else offset)
    found = _NAMED_ZONE.match(text, at)
    if found and found[1] in _ZONES:
        return found.end(), datetime.timezone(datetime.timedelta(hours=_ZONES[found[1]]))
    if found and found[2]:
        try:
            return found.end(), zoneinfo.ZoneInfo(found[2])
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            return at, None
    return at, None


def _time_of(found: re.Match[str]) -> datetime.time | None:
    groups = found.groupdict()
    hour, minute, second = (int(groups[name] or 0) for name in ("hour", "minute", "second"))
    if half := groups.get("half"):
        hour = hour % _HOURS_OF_HALF_A_DAY + (_HOURS_OF_HALF_A_DAY if half in "pP" else 0)
    try:
        # A leap second is the end of its minute.
        return datetime.time(hour, minute, min(second, 59), int((groups["fraction"] or "")[:6].ljust(6, "0")))
    except ValueError:
        return None


def _month_of(groups: dict[str, str | None]) -> int:
    return _MONTHS.get((groups.get("name") or "").lower(), 0) or int(groups.get("month") or 0)


def _dated(pattern: re.Pattern[str], text: str, at: int, clock: Clock, *, century: int = 0) -> Stamp | None:
    """The time of a pattern with named groups for a date and a clock; without a year, the newest that is not ahead."""
    found = pattern.match(text, at)
    time = _time_of(found) if found else None
    if found is None or time is None:
        return None
    groups = found.groupdict()
    end, zone = _zone_at(text, found.end())
    year = int(groups["year"]) + century if groups.get("year") else None
    if year is None and groups.get("name") and (last := _YEAR_LAST.match(text, end)):
        end, year = last.end(), int(last[1])
    month, day = _month_of(groups), int(groups["day"])
    try:
        date = None if year is None else datetime.date(year, month, day)
        moment = datetime.datetime.combine(date, time) if date else clock.newest_year(month, day, time)
    except ValueError:
        return None
    if moment is None:
        return None
    settled = clock.settle(moment.replace(tzinfo=zone) if zone else moment)
    return Stamp(end, settled, is_syslog=bool(groups.get("name")) and "[" not in text[max(0, at - 1) : at])


def _form(pattern: re.Pattern[str], *, century: int = 0) -> Callable[[str, int, Clock], Stamp | None]:
    return lambda text, at, clock: _dated(pattern, text, at, clock, century=century)


def _slashed(text: str, at: int, clock: Clock) -> Stamp | None:
    """04/01/2026 may be two days: the moment is known only when one of the numbers is no month, or AM or PM follows."""
    found = _SLASHED.match(text, at)
    time = _time_of(found) if found else None
    if found is None or time is None:
        return None
    first, then = int(found["first"]), int(found["then"])
    end, zone = _zone_at(text, found.end())
    if first <= 12 and then <= 12 and first != then and not found["half"]:
        return Stamp(end)
    month, day = (then, first) if first > 12 else (first, then)
    try:
        moment = datetime.datetime.combine(datetime.date(int(found["year"]), month, day), time)
    except ValueError:
        return None
    return Stamp(end, clock.settle(moment.replace(tzinfo=zone) if zone else moment))


def _epoch(text: str, at: int, _clock: Clock) -> Stamp | None:
    found = _EPOCH.match(text, at)
    moment = moment_of_digits(found[0]) if found else None
    return Stamp(found.end(), moment) if found and moment and moment.year >= _FIRST_EPOCH_YEAR else None


def _tai(text: str, at: int) -> Stamp | None:
    """TAI64N of daemontools and svlogd: seconds that count leap seconds too, of which there were 10 in 1970."""
    found = _TAI.match(text, at)
    moment = moment_of_number(int(found[1], 16) - 2**62 - 10) if found else None
    if found is None or moment is None:
        return None
    return Stamp(found.end(), moment + datetime.timedelta(microseconds=int(found[2], 16) // 1000))


def _clock_only(text: str, at: int, _clock: Clock) -> Stamp | None:
    """A time of day without a day says only where the line's head goes on."""
    found = _CLOCK_ONLY.match(text, at)
    return Stamp(found.end()) if found else None


_DIGIT_FORMS = (
    _form(_YEAR_FIRST),
    _form(_COMPACT),
    _form(_DAY_FIRST),
    _form(_SHORT_YEAR, century=2000),
    _slashed,
    _form(_MONTH_DAY),
    _clock_only,
    _epoch,
)
_mail = _form(_MAIL)
_named = _form(_NAMED)
