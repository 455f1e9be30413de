"""Notices that are due, in the database: which process sends one, and what came of it.

A notice is claimed for a minute before it is sent, and read when it is claimed. A process that dies meanwhile leaves it
to another after that, so it may arrive twice, with the same id. What comes of an attempt is noted by the process whose
claim it still is: the end of the claim names it, and no two claims of a notice end at the same time. Of one target, one
notice is tried at a time, and none while the target is left alone after a failure: so an outage costs few attempts, and
what comes meanwhile is few notices.
"""

import dataclasses
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Min, Q, QuerySet
from django.db.models.functions import Now

from ledger import clock
from watches import metrics, notices
from watches.delivery.retries import wait_after
from watches.models import Notice, Target
from watches.outbox import LIFETIME

CLAIM_SECONDS = 60
# Notices looked at for those that can be sent now.
LOOK_ROWS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Parcel:
    """A notice that this process has claimed."""

    notice_id: str
    target_id: int
    # As it is stored: encrypted.
    address: str
    content: notices.Content
    claimed_until: datetime


def claim(limit: int, *, busy: Collection[int] = ()) -> list[Parcel]:
    """At most so many, the longest due first; none for targets that are `busy` in this process."""
    parcels: list[Parcel] = []
    taken = set(busy) | set(_claimed().values_list("target", flat=True))
    # Many that wait for a slow target must not hide those behind them.
    due = _due().exclude(target__in=taken).order_by("due_at").values_list("pk", "target")
    for notice_id, target_id in due[:LOOK_ROWS]:
        if len(parcels) >= limit:
            break
        if target_id not in taken and (parcel := _take(notice_id, target_id)) is not None:
            taken.add(target_id)
            parcels.append(parcel)
    return parcels


def sent(parcel: Parcel) -> None:
    with transaction.atomic():
        target = _locked(parcel.target_id)
        noted = _held(parcel).update(state=Notice.State.SENT, sent_at=Now(), claimed_until=None, problem="")
        if noted and target is not None and target.failures:
            target.failures, target.failing_since, target.next_try_at = 0, None, None
            target.save(update_fields=["failures", "failing_since", "next_try_at"])
    metrics.DELIVERIES.labels("notice", "sent").inc()


def failed(parcel: Parcel, problem: str) -> None:
    """The target is left alone for a while; the notice is dead if its day is over."""
    with transaction.atomic():
        target, notice = _locked(parcel.target_id), _held(parcel).first()
        if target is None or notice is None:
            # Deleted while it was tried, or another process tries it.
            return
        if target.address == parcel.address:
            _leave_alone(target)
        notice.attempts += 1
        notice.claimed_until, notice.problem = None, problem
        notice.save(update_fields=["attempts", "claimed_until", "problem"])
    metrics.DELIVERIES.labels("notice", "failed").inc()


def _leave_alone(target: Target) -> None:
    now = clock.ask()
    target.failures += 1
    target.failing_since = target.failing_since or now
    target.next_try_at = now + wait_after(target.failures)
    target.save(update_fields=["failures", "failing_since", "next_try_at"])


def bury() -> int:
    """Notices whose day is over are dead, tried or not; how many."""
    buried = _unclaimed(Notice.objects.filter(state=Notice.State.PENDING, expires_at__lte=Now()))
    count = buried.update(state=Notice.State.DEAD)
    metrics.DELIVERIES.labels("notice", "dead").inc(count)
    return count


def send_again(dead: "QuerySet[Notice]") -> int:
    """Notices that are dead, by hand: they have another day, and their old ids. How many."""
    with transaction.atomic():
        Target.objects.filter(notice__in=dead).update(next_try_at=None)
        return dead.filter(state=Notice.State.DEAD).update(
            state=Notice.State.PENDING, due_at=Now(), expires_at=Now() + LIFETIME
        )


def measure() -> None:
    oldest = _unclaimed(_waiting()).aggregate(oldest=Min("due_at"))["oldest"]
    now = clock.ask()
    metrics.DELIVERY_LAG_SECONDS.set(0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
    metrics.DEAD_NOTICES.set(Notice.objects.filter(state=Notice.State.DEAD).count())


def _waiting() -> "QuerySet[Notice]":
    return Notice.objects.filter(state=Notice.State.PENDING, due_at__lte=Now(), expires_at__gt=Now())


def _due() -> "QuerySet[Notice]":
    ready = Q(target__next_try_at=None) | Q(target__next_try_at__lte=Now())
    return _unclaimed(_waiting()).filter(ready)


def _unclaimed(rows: "QuerySet[Notice]") -> "QuerySet[Notice]":
    return rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=Now()))


def _claimed() -> "QuerySet[Notice]":
    return Notice.objects.filter(state=Notice.State.PENDING, claimed_until__gt=Now())


def _held(parcel: Parcel) -> "QuerySet[Notice]":
    """The notice, if it is still claimed as this parcel says."""
    return Notice.objects.filter(pk=parcel.notice_id, state=Notice.State.PENDING, claimed_until=parcel.claimed_until)


def _locked(target_id: int) -> Target | None:
    """Before its notices, in every transaction of this room. Notices can be added meanwhile."""
    return Target.objects.select_for_update(no_key=True).filter(pk=target_id).first()


def _take(notice_id: UUID, target_id: int) -> Parcel | None:
    """None if it is not due any more, or another process sends something to this target."""
    with transaction.atomic():
        target = _locked(target_id)
        if target is None or _claimed().filter(target=target).exists():
            return None
        until = clock.ask() + timedelta(seconds=CLAIM_SECONDS)
        if not _due().filter(pk=notice_id).update(claimed_until=until):
            return None
        # What was merged into it before the claim is in it; after that nothing is.
        content = Notice.objects.values_list("content", flat=True).get(pk=notice_id)
    return Parcel(str(notice_id), target_id, target.address, content, until)
