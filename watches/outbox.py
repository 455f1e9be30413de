"""Notices that wait to be sent. A firing adds one for each target of its watch, in the transaction of its event.

A notice that no attempt was made for yet takes in what comes later of the same watch: many become one with a count.
One that was tried may have arrived, so it is not changed any more.
"""

from datetime import datetime, timedelta

from events.log import timestamp
from watches import notices, quiet_hours
from watches.models import Notice, Target, Watch

# A receiver that does not take a notice for so long is not asked any more: a person sends it again.
LIFETIME = timedelta(days=1)


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
        _create(target, watch, content, now, due_at)
        return
    there.content = notices.merged(there.content, content)
    there.save(update_fields=["content"])


def add_test(target: Target, *, now: datetime) -> Notice:
    """A notice that says it is a test, to be sent at once."""
    return _create(target, None, notices.of_test(target.name, timestamp(now)), now, now)


def _create(target: Target, watch: Watch | None, content: notices.Content, now: datetime, due_at: datetime) -> Notice:
    return Notice.objects.create(
        target=target, watch=watch, content=content, created_at=now, due_at=due_at, expires_at=due_at + LIFETIME
    )
