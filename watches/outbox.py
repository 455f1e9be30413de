"""Notices that wait to be sent. A firing adds one for each target of its watch, in the transaction of its event.

A notice that no attempt was made for yet takes in what comes later of the same watch: many become one with a count.
One that was tried may have arrived, so it is not changed any more.
"""

from datetime import datetime, timedelta

from watches import notices, quiet_hours
from watches.models import Notice, Target, Watch


def add(watch: Watch, content: notices.Content, *, now: datetime, hold_seconds: float = 0.0) -> int:
    """For each target of the watch; how many. None while it is muted; at the end of quiet hours during them."""
    if watch.muted_until is not None and watch.muted_until > now:
        return 0
    due_at = quiet_hours.end_after(watch.quiet, now) or now + timedelta(seconds=hold_seconds)
    targets = list(watch.targets.all())
    for target in targets:
        _add_for(watch, target, content, now, due_at)
    return len(targets)


def _add_for(watch: Watch, target: Target, content: notices.Content, now: datetime, due_at: datetime) -> None:
    untried = Notice.objects.select_for_update().filter(
        target=target, watch=watch, state=Notice.State.PENDING, attempts=0, claimed_until=None
    )
    there = untried.order_by("created_at").first()
    if there is None:
        Notice.objects.create(target=target, watch=watch, content=content, created_at=now, due_at=due_at)
        return
    there.content = notices.merged(there.content, content)
    there.save(update_fields=["content"])


def add_test(target: Target, *, now: datetime) -> Notice:
    content = notices.of_test(target.name, now.isoformat(timespec="seconds"))
    return Notice.objects.create(target=target, content=content, created_at=now, due_at=now)
