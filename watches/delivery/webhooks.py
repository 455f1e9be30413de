"""Webhooks: from the cursor of each, what passes its query, in batches; the cursor moves when one was taken.

At least once: a batch whose answer was lost comes again, perhaps with more events; each event has its id. A cursor that
is not served any more goes on with what is left, and the next batch says so: never a silent gap.
"""

import dataclasses
from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from events import log, search
from events.log import Cursor, CursorGone, Head, change
from events.search import Budget
from gateway.identity.principals import Snapshot
from ledger import clock
from ledger.writer import runs_last
from watches import metrics, rights
from watches.delivery.retries import wait_after
from watches.models import Subscription

MODULE = "tentaculo_link"
BATCH_EVENTS = 100
BATCH_LIMIT_BYTES = 512 * 1024
# For the search of one batch.
SEARCH_SECONDS = 0.1
CLAIM_SECONDS = 60
LIFETIME = timedelta(days=1)
# Of an installation: each is looked at every second or so.
SUBSCRIPTIONS_LIMIT = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """What one webhook gets in one request. `before` is its cursor until the receiver has taken it."""

    subscription_id: int
    address: str
    secret: str
    message_id: str
    body: bytes
    before: Cursor
    after: Cursor


def claim(snapshot: Snapshot, limit: int, *, busy: Collection[int] = ()) -> list[Batch]:
    """At most so many batches; webhooks for which there is nothing move on. Those whose owner lost its right die."""
    head = log.peek()
    if head is None:
        return []
    batches: list[Batch] = []
    for subscription in _due().exclude(pk__in=busy).exclude(epoch=head.epoch, seq__gte=head.last_seq):
        if len(batches) >= limit:
            break
        if not _unclaimed(_active(subscription.pk)).update(claimed_until=Now() + timedelta(seconds=CLAIM_SECONDS)):
            continue
        batch = _batch_of(subscription, snapshot)
        if batch is None:
            _active(subscription.pk).update(claimed_until=None)
        else:
            batches.append(batch)
    return batches


def taken(batch: Batch) -> None:
    """The receiver has it: go on behind it, unless a person has set the cursor meanwhile."""
    here = Subscription.objects.filter(pk=batch.subscription_id, epoch=batch.before.epoch, seq=batch.before.seq)
    here.update(epoch=batch.after.epoch, seq=batch.after.seq, reset_reason="", delivered_at=Now())
    well: dict[str, Any] = {"failures": 0, "failing_since": None, "next_try_at": None, "problem": ""}
    Subscription.objects.filter(pk=batch.subscription_id).update(claimed_until=None, **well)
    metrics.DELIVERIES.labels("webhook", "sent").inc()


def refused(batch: Batch, problem: str, *, is_gone: bool = False, asked_seconds: float = 0.0) -> None:
    """Try again later; after a day, or if the receiver says that it is gone, not any more."""
    now = clock.ask()
    subscription = Subscription.objects.filter(pk=batch.subscription_id).first()
    if subscription is None:
        return
    failures, since = subscription.failures + 1, subscription.failing_since or now
    _active(subscription.pk).update(
        failures=failures,
        failing_since=since,
        next_try_at=now + wait_after(failures, asked_seconds=asked_seconds),
        problem=problem,
        claimed_until=None,
    )
    metrics.DELIVERIES.labels("webhook", "failed").inc()
    if is_gone or now - since >= LIFETIME:
        die_many([(subscription.pk, f"the receiver is gone: {problem}" if is_gone else f"failed for a day: {problem}")])


@runs_last
def die_many(deaths: list[tuple[int, str]]) -> list[None]:
    """A person must start them again; an event says so."""
    with change() as changing:
        for pk, because in deaths:
            subscription = _active(pk).first()
            if subscription is None or not _active(pk).update(
                state=Subscription.State.DEAD, problem=because[:200], claimed_until=None
            ):
                continue
            changing.publish(
                "watch.webhook_dead",
                f'webhook "{subscription.name}" gets nothing any more: {because}',
                module=MODULE,
                payload={"name": subscription.name, "reason": because, "cursor": str(cursor_of(subscription))},
            )
            metrics.DELIVERIES.labels("webhook", "dead").inc()
    return [None] * len(deaths)


def start_again(subscription: Subscription, at: Cursor | None = None) -> None:
    """From its cursor on, or from another one."""
    cursor = at or cursor_of(subscription)
    Subscription.objects.filter(pk=subscription.pk).update(
        state=Subscription.State.ACTIVE,
        epoch=cursor.epoch,
        seq=cursor.seq,
        reset_reason="",
        failures=0,
        failing_since=None,
        next_try_at=None,
        claimed_until=None,
        problem="",
    )


def cursor_of(subscription: Subscription) -> Cursor:
    return Cursor(subscription.epoch, subscription.seq)


def measure() -> None:
    metrics.DEAD_SUBSCRIPTIONS.set(Subscription.objects.filter(state=Subscription.State.DEAD).count())


def _batch_of(subscription: Subscription, snapshot: Snapshot) -> Batch | None:
    """What comes next; None if nothing does."""
    try:
        selection = rights.selection_of(snapshot, subscription.owner_id, subscription.query)
    except rights.LostRight as lost:
        die_many([(subscription.pk, str(lost))])
        return None
    cursor = cursor_of(subscription)
    try:
        page = search.read_after(
            cursor,
            selection,
            limit=BATCH_EVENTS,
            size_limit_bytes=BATCH_LIMIT_BYTES,
            budget=Budget(seconds=SEARCH_SECONDS),
        )
    except CursorGone as gone:
        _reset(subscription, gone)
        return None
    if not page.entries:
        _move(subscription, cursor, page.cursor)
        return None
    body = {
        "webhook": subscription.name,
        "cursor": str(page.cursor),
        "reset": subscription.reset_reason or None,
        "events": [orjson.Fragment(entry.body) for entry in page.entries],
    }
    message_id = f"msg_{uuid5(NAMESPACE_URL, f'{subscription.pk} {cursor} {page.cursor}').hex}"
    return Batch(
        subscription.pk,
        subscription.address,
        subscription.secret,
        message_id,
        orjson.dumps(body),
        cursor,
        page.cursor,
    )


def _move(subscription: Subscription, before: Cursor, after: Cursor) -> None:
    if after != before:
        here = Subscription.objects.filter(pk=subscription.pk, epoch=before.epoch, seq=before.seq)
        here.update(epoch=after.epoch, seq=after.seq)


def _reset(subscription: Subscription, gone: CursorGone) -> None:
    """Events may be missing from here on, which the next batch says."""
    head: Head = gone.head
    seq = min(max(subscription.seq, head.oldest.seq), head.last_seq)
    here = Subscription.objects.filter(pk=subscription.pk, epoch=subscription.epoch, seq=subscription.seq)
    here.update(epoch=head.epoch, seq=seq, reset_reason=gone.reset)


def _active(pk: int) -> "QuerySet[Subscription]":
    return Subscription.objects.filter(pk=pk, state=Subscription.State.ACTIVE)


def _due() -> "QuerySet[Subscription]":
    ready = Q(next_try_at=None) | Q(next_try_at__lte=Now())
    return _unclaimed(Subscription.objects.filter(ready, state=Subscription.State.ACTIVE)).order_by("pk")


def _unclaimed(rows: "QuerySet[Subscription]") -> "QuerySet[Subscription]":
    return rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=Now()))
