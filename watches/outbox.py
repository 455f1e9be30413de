"""Notices that wait to be sent. A firing adds one for each target of its watch, in the transaction of its event.

A notice that no attempt was made for yet takes in what comes later of the same watch: many become one with a count.
One that was tried may have arrived, so it is not changed any more.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet

from events.log import timestamp
from watches import notices, quiet_hours
from watches.models import Notice, Target, Watch

# A receiver that does not take a notice for so long is not asked any more: a person sends it again.
LIFETIME = timedelta(days=1)


class Untried:
    """Notices that no attempt was made for, by target and watch; of several the oldest.

    They may be read before the transaction that adds to them: what has become of one is asked when it is changed, and
    its content is changed under the lock of the log's head only, by a step of evaluation or with a change of the watch,
    which lets no step be committed that was begun before.
    """

    def __init__(self, watch_ids: Collection[int] = ()) -> None:
        self._read: set[int] = set()
        self._found: dict[tuple[int, int | None], Notice] = {}
        self.read(watch_ids)

    def read(self, watch_ids: Iterable[int]) -> None:
        """Does nothing for those that were read."""
        if missing := set(watch_ids) - self._read:
            self._read |= missing
            rows = _untried().filter(watch__in=missing).order_by("-created_at")
            self._found.update({(notice.target_id, notice.watch_id): notice for notice in rows})

    def merge(self, target_id: int, watch: Watch, content: notices.Content) -> bool:
        """Put this into the one that is there; False if there is none any more."""
        there = self._found.get((target_id, watch.pk))
        if there is None:
            return False
        merged = notices.merged(there.content, content)
        return bool(_untried().filter(pk=there.pk).update(content=merged))


def add(watch: Watch, content: notices.Content, *, now: datetime, hold_seconds: float = 0.0) -> int:
    """For each target of the watch; how many. None while it is muted; at the end of quiet hours during them."""
    return add_many([(watch, content)], Untried(), now=now, hold_seconds=hold_seconds)


def add_many(
    contents: Sequence[tuple[Watch, notices.Content]], untried: Untried, *, now: datetime, hold_seconds: float = 0.0
) -> int:
    """The same for several watches, each with one content."""
    loud = {watch.pk: (watch, content) for watch, content in contents if not _is_muted(watch, now)}
    if not loud:
        return 0
    links = Watch.targets.through.objects.filter(watch__in=loud).values_list("watch_id", "target_id")
    untried.read(loud)
    new = []
    for watch_id, target_id in links:
        watch, content = loud[watch_id]
        if not untried.merge(target_id, watch, content):
            due_at = quiet_hours.end_after(watch.quiet, now) or now + timedelta(seconds=hold_seconds)
            new.append(_notice(target_id, watch, content, now, due_at))
    if new:
        Notice.objects.bulk_create(new)
    return len(links)


def _is_muted(watch: Watch, now: datetime) -> bool:
    return watch.muted_until is not None and watch.muted_until > now


def _untried() -> "QuerySet[Notice]":
    return Notice.objects.filter(state=Notice.State.PENDING, attempts=0, claimed_until=None)


def add_test(target: Target, *, now: datetime) -> Notice:
    """A notice that says it is a test, to be sent at once."""
    notice = _notice(target.pk, None, notices.of_test(target.name, timestamp(now)), now, now)
    notice.save(force_insert=True)
    return notice


def _notice(target_id: int, watch: Watch | None, content: notices.Content, now: datetime, due_at: datetime) -> Notice:
    return Notice(
        target_id=target_id, watch=watch, content=content, created_at=now, due_at=due_at, expires_at=due_at + LIFETIME
    )
