"""What fired, as the API lists it: each firing with its watch as it is now, and with the times of its events.

A console opens a firing in its feed by the query and these times, without a second request.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q

from events import log
from events.log import Cursor, timestamp
from gateway.filters import BadFilter
from gateway.identity.principals import Principal
from watches.models import Firing, Watch

FIRINGS_DEFAULT, FIRINGS_MAX = 50, 500
# Microseconds since 1970, up to the year 5138, and an id.
PLACE_FORM = re.compile(r"([0-9]{1,17})-([0-9a-f]{32})")
_ORIGIN, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def concerning(watches: Iterable[Watch], viewer: Principal) -> list[Watch]:
    """Own and shared ones. Administrators see those of others, too; what these wait for need not concern them."""
    return [watch for watch in watches if watch.shared or watch.owner_id == viewer.public_id]


class Place(NamedTuple):
    """Of a firing in the list. It holds also when that firing is not there any more."""

    fired_at: datetime
    firing_id: UUID

    def __str__(self) -> str:
        return f"{(self.fired_at - _ORIGIN) // _MICROSECOND}-{self.firing_id.hex}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Raises BadFilter."""
        found = PLACE_FORM.fullmatch(text)
        if found is None:
            raise BadFilter("before", "`next` of an answer before")
        return cls(_ORIGIN + int(found[1]) * _MICROSECOND, UUID(hex=found[2]))


def fired(watches: Iterable[Watch], viewer: Principal, *, limit: int, before: Place | None = None) -> dict[str, Any]:
    """A page of the firings of these watches, newest first, and the place behind which the next one begins; null if
    this is the last. In a thread."""
    by_id = {watch.pk: watch for watch in watches}
    rows = Firing.objects.filter(watch__in=by_id).order_by("-fired_at", "-pk")
    if before is not None:
        same_moment = Q(fired_at=before.fired_at, pk__lt=before.firing_id)
        rows = rows.filter(Q(fired_at__lt=before.fired_at) | same_moment, fired_at__lte=before.fired_at)
    found = list(rows[: limit + 1])
    firings, last = found[:limit], found[limit - 1] if len(found) > limit else None
    times = _times(firings)
    return {
        "firings": [_shown(firing, by_id[firing.watch_id], viewer, times) for firing in firings],
        "next": last and str(Place(last.fired_at, last.pk)),
    }


def _shown(firing: Firing, watch: Watch, viewer: Principal, times: dict[str, str]) -> dict[str, Any]:
    return {
        "firing_id": str(firing.pk),
        "watch_id": firing.watch_id,
        "name": watch.name,
        "query": watch.query,
        "group_by": watch.group_by or None,
        "owner": watch.owner_name or watch.owner_id,
        "mine": watch.owner_id == viewer.public_id,
        "muted_until": watch.muted_until and timestamp(watch.muted_until),
        "group": firing.group,
        "fired_at": timestamp(firing.fired_at),
        "resolved_at": firing.resolved_at and timestamp(firing.resolved_at),
        "count": firing.count,
        "values": firing.values,
        "first": firing.first or None,
        "last": firing.last or None,
        "first_at": times.get(firing.first),
        "last_at": times.get(firing.last),
        "cursor": firing.cursor,
        "muted": firing.muted,
    }


def _times(firings: Sequence[Firing]) -> dict[str, str]:
    """When the events of these cursors were stored; without those that are not there any more."""
    epoch = log.head().epoch
    cursors = {Cursor.parse(text) for firing in firings for text in (firing.first, firing.last) if text}
    # A restored log has other events under the same numbers.
    here = [cursor for cursor in cursors if cursor.epoch == epoch]
    times = log.created_at(*(cursor.seq for cursor in here))
    return {str(cursor): timestamp(at) for cursor, at in zip(here, times, strict=True) if at is not None}
