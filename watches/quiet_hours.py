"""Hours in which no notice is sent: those that come then are one notice at their end. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class BadQuietHours(ValueError):
    """The text says what is wrong."""


def check(quiet: Mapping[str, Any]) -> dict[str, str]:
    """{"from": "22:00", "to": "07:00", "zone": "Europe/Madrid"} as it is stored. Raises BadQuietHours."""
    if unknown := sorted(set(quiet) - {"from", "to", "zone"}):
        raise BadQuietHours(f"unknown field {unknown[0][:64]!r}; use from, to and zone")
    texts = {name: quiet.get(name, "UTC" if name == "zone" else None) for name in ("from", "to", "zone")}
    begin, end = _time(texts["from"]), _time(texts["to"])
    if begin == end:
        raise BadQuietHours("from and to are equal; to be sent nothing, mute the watch")
    _zone(texts["zone"])
    return {"from": f"{begin:%H:%M}", "to": f"{end:%H:%M}", "zone": str(texts["zone"])}


def end_after(quiet: Mapping[str, str] | None, moment: datetime) -> datetime | None:
    """When the quiet hours end in which this moment lies; None if it lies in none."""
    if not quiet:
        return None
    here = moment.astimezone(_zone(quiet["zone"]))
    begin, end, now = _time(quiet["from"]), _time(quiet["to"]), here.time()
    is_quiet = begin <= now < end if begin < end else now >= begin or now < end
    if not is_quiet:
        return None
    day = here.date() + timedelta(days=1) if now >= end else here.date()
    # By the clock on the wall: a night in which the clock is changed is an hour shorter or longer.
    return datetime.combine(day, end, tzinfo=here.tzinfo).astimezone(UTC)


def _time(text: Any) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day, in the zone that stands beside it
    except (TypeError, ValueError):
        raise BadQuietHours("from and to are times of day, such as 22:00") from None


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError):
        raise BadQuietHours("zone is the name of a time zone, such as Europe/Madrid or UTC") from None
