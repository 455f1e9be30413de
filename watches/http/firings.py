"""What fired, as the API lists it: each firing with its watch as it is now, and with the times of its events.

A console opens a firing in its feed by the query and these times, without a second request.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from events import log
from events.log import Cursor, timestamp
from gateway.identity.principals import Principal
from watches.models import Firing, Watch

FIRINGS_DEFAULT, FIRINGS_MAX = 50, 500


def concerning(watches: Iterable[Watch], viewer: Principal) -> list[Watch]:
    """Own and shared ones. Administrators see those of others, too; what these wait for need not concern them."""
    return [watch for watch in watches if watch.shared or watch.owner_id == viewer.public_id]


def fired(watches: Iterable[Watch], viewer: Principal, *, limit: int) -> list[dict[str, Any]]:
    """The newest firings of these watches, newest first. In a thread."""
    by_id = {watch.pk: watch for watch in watches}
    firings = list(Firing.objects.filter(watch__in=by_id)[:limit])
    times = _times(firings)
    return [_shown(firing, by_id[firing.watch_id], viewer, times) for firing in firings]


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
