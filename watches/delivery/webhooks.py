"""Webhooks: from the cursor of each, what passes its query, in batches; the cursor moves when one was taken.

At least once: a batch whose answer was lost comes again, perhaps with more events; each event has its id. A cursor that
is not served any more goes on with what is left, and the next batch says so: never a silent gap.

A process claims a webhook for a minute, and reads it when it has. What comes of an attempt is noted while the claim is
still this one: the end of the claim names it. It is another one if this was over and another process has taken the
webhook, and none if a person has changed it.
"""

import dataclasses
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple
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
from watches.models import REASON_LENGTH, Subscription, WatchReader

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
    claimed_until: datetime


class TooManyWebhooks(Exception):
    """The text says how many there may be."""


class Death(NamedTuple):
    """`because` is for the log, which many may read; `problem` for the admin, where it may name an address."""

    subscription_id: int
    claimed_until: datetime | None
    because: str
    problem: str


def claim(snapshot: Snapshot, limit: int, *, busy: Collection[int] = ()) -> list[Batch]:
    """At most so many batches; webhooks for which there is nothing move on. Those whose owner lost its right die."""
    head = log.peek()
    if head is None:
        return []
    batches: list[Batch] = []
    due = _due().exclude(pk__in=busy).exclude(epoch=head.epoch, seq__gte=head.last_seq)
    for pk in list(due.values_list("pk", flat=True)):
        if len(batches) >= limit:
            break
        subscription = _take(pk)
        if subscription is None:
            continue
        batch = _batch_of(subscription, snapshot)
        if batch is None:
            _held(pk, subscription.claimed_until).update(claimed_until=None)
        else:
            batches.append(batch)
    return batches


def taken(batch: Batch) -> None:
    """The receiver has it: go on behind it, unless a person has set the cursor meanwhile."""
    well: dict[str, Any] = {"failures": 0, "failing_since": None, "next_try_at": None, "problem": ""}
    _held(batch.subscription_id, batch.claimed_until).update(
        epoch=batch.after.epoch,
        seq=batch.after.seq,
        reset_reason="",
        delivered_at=Now(),
        claimed_until=None,
        **well,
    )
    metrics.DELIVERIES.labels("webhook", "sent").inc()


def refused(batch: Batch, problem: str, *, is_gone: bool = False, asked_seconds: float = 0.0) -> None:
    """Try again later; after a day, or if the receiver says that it is gone, not any more."""
    held = _held(batch.subscription_id, batch.claimed_until)
    now, subscription = clock.ask(), held.first()
    if subscription is None:
        return
    failures, since = subscription.failures + 1, subscription.failing_since or now
    is_over = is_gone or now - since >= LIFETIME
    held.update(
        failures=failures,
        failing_since=since,
        next_try_at=now + wait_after(failures, asked_seconds=asked_seconds),
        problem=problem,
        # Its death is noted under the claim, too.
        claimed_until=batch.claimed_until if is_over else None,
    )
    metrics.DELIVERIES.labels("webhook", "failed").inc()
    if is_over:
        because = "the receiver is gone" if is_gone else "failed for a day"
        die_many([Death(subscription.pk, batch.claimed_until, because, f"{because}: {problem}")])


@runs_last
def die_many(deaths: list[Death]) -> list[None]:
    """A person must start them again; an event says so."""
    with change() as changing:
        for death in deaths:
            held = _held(death.subscription_id, death.claimed_until)
            subscription = held.first()
            if subscription is None or not held.update(
                state=Subscription.State.DEAD, problem=death.problem[:REASON_LENGTH], claimed_until=None
            ):
                continue
            changing.publish(
                "watch.webhook_dead",
                f'webhook "{subscription.name}" gets nothing any more: {death.because}',
                module=MODULE,
                payload={"name": subscription.name, "reason": death.because, "cursor": str(cursor_of(subscription))},
            )
            metrics.DELIVERIES.labels("webhook", "dead").inc()
    return [None] * len(deaths)


def refuse_more() -> None:
    """Raises TooManyWebhooks. The reader's row is locked until the transaction ends: who adds one asks here first."""
    WatchReader.objects.select_for_update().filter(pk=1).first()
    if Subscription.objects.count() >= SUBSCRIPTIONS_LIMIT:
        raise TooManyWebhooks(f"There are at most {SUBSCRIPTIONS_LIMIT} webhooks.")


def start_again(subscription: Subscription, at: Cursor | None = None) -> None:
    """From where it is now, or from another cursor. What an attempt under way comes to does not count."""
    begin = {} if at is None else {"epoch": at.epoch, "seq": at.seq, "reset_reason": ""}
    Subscription.objects.filter(pk=subscription.pk).update(
        **begin,
        state=Subscription.State.ACTIVE,
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
        die_many([Death(subscription.pk, subscription.claimed_until, str(lost), str(lost))])
        return None
    assert subscription.claimed_until is not None  # noqa: S101 - it was claimed
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
        subscription.claimed_until,
    )


def _move(subscription: Subscription, before: Cursor, after: Cursor) -> None:
    if after != before:
        _held(subscription.pk, subscription.claimed_until).update(epoch=after.epoch, seq=after.seq)


def _reset(subscription: Subscription, gone: CursorGone) -> None:
    """Events may be missing from here on, which the next batch says."""
    head: Head = gone.head
    seq = min(max(subscription.seq, head.oldest.seq), head.last_seq)
    here = _held(subscription.pk, subscription.claimed_until)
    here.update(epoch=head.epoch, seq=seq, reset_reason=gone.reset)


def _take(pk: int) -> Subscription | None:
    """As it is when it is claimed; None if it is not due any more."""
    until = clock.ask() + timedelta(seconds=CLAIM_SECONDS)
    if not _due().filter(pk=pk).update(claimed_until=until):
        return None
    return _held(pk, until).first()


def _held(pk: int, claimed_until: datetime | None) -> "QuerySet[Subscription]":
    """The webhook, if it is still claimed until then."""
    return _active(pk).filter(claimed_until=claimed_until)


def _active(pk: int) -> "QuerySet[Subscription]":
    return Subscription.objects.filter(pk=pk, state=Subscription.State.ACTIVE)


def _due() -> "QuerySet[Subscription]":
    ready = Q(next_try_at=None) | Q(next_try_at__lte=Now())
    return _unclaimed(Subscription.objects.filter(ready, state=Subscription.State.ACTIVE)).order_by("pk")


def _unclaimed(rows: "QuerySet[Subscription]") -> "QuerySet[Subscription]":
    return rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=Now()))
