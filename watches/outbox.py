"""Notices that wait to be sent. A firing adds one for each target of its watch, in the transaction of its event.

A notice that no attempt was made for yet takes in what comes later of the same watch: many become one with a count.
One that was tried may have arrived, so it is not changed any more.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from events.log import timestamp
from watches import notices, quiet_hours
from watches.models import Notice, Target, Watch

# A receiver that does not take a notice for so long is not asked any more: a person sends it again.
LIFETIME = timedelta(days=1)


def add(watch: Watch, content: notices.Content, *, now: datetime, hold_seconds: float = 0.0) -> int:
    """For each target of the watch; how many. None while it is muted; at the end of quiet hours during them."""
    return add_many([(watch, content)], now=now, hold_seconds=hold_seconds)


def add_many(contents: Sequence[tuple[Watch, notices.Content]], *, now: datetime, hold_seconds: float = 0.0) -> int:
    """The same for several watches, each with one content."""
    loud = {watch.pk: (watch, content) for watch, content in contents if not _is_muted(watch, now)}
    if not loud:
        return 0
    links = Watch.targets.through.objects.filter(watch__in=loud).select_related("target")
    untried = _untried(loud)
    new = []
    for link in links:
        watch, content = loud[link.watch_id]
        there = untried.get((link.target_id, watch.pk))
        if there is None:
            due_at = quiet_hours.end_after(watch.quiet, now) or now + timedelta(seconds=hold_seconds)
            new.append(_notice(link.target, watch, content, now, due_at))
        else:
            there.content = notices.merged(there.content, content)
            there.save(update_fields=["content"])
    Notice.objects.bulk_create(new)
    return len(links)


def _is_muted(watch: Watch, now: datetime) -> bool:
    return watch.muted_until is not None and watch.muted_until > now


def _untried(watch_ids: Iterable[int]) -> dict[tuple[int, int | None], Notice]:
    """By target and watch, locked; of several the oldest."""
    rows = Notice.objects.select_for_update().filter(
        watch__in=watch_ids, state=Notice.State.PENDING, attempts=0, claimed_until=None
    )
    return {(notice.target_id, notice.watch_id): notice for notice in rows.order_by("-created_at")}


def add_test(target: Target, *, now: datetime) -> Notice:
    """A notice that says it is a test, to be sent at once."""
    notice = _notice(target, None, notices.of_test(target.name, timestamp(now)), now, now)
    notice.save(force_insert=True)
    return notice


def _notice(target: Target, watch: Watch | None, content: notices.Content, now: datetime, due_at: datetime) -> Notice:
    return Notice(
        target=target, watch=watch, content=content, created_at=now, due_at=due_at, expires_at=due_at + LIFETIME
    )
