"""The rows of streams and of the processes that hold them: written in batches, swept when a process is lost."""

import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from events.models import Node, StreamSession

# A process reports this often that it is alive. One that has not reported for longer counts as dead, and its streams
# as lost.
NODE_TOUCH_SECONDS = 5.0
NODE_LOST_SECONDS = 20.0
# What a process reports besides that it is alive.
NODE_REPORT_FIELDS = ("name", "started_at", "streams", "slow_readers", "held_bytes", "draining")
# Rows closed at a time of streams whose end was lost; the rest comes with the next touch.
LOST_LIMIT_ROWS = 5_000
# Rows reopened by one statement.
REOPENED_ROWS = 1_000


def write_many(rows: list[StreamSession | dict[str, Any]]) -> Sequence[None]:
    """For the ledger's writer: rows of streams that opened, and the new values of those that ended, each with its `id`.

    One function for both: a stream may open and end within one commit, and must be inserted before it is updated.
    """
    opened = [row for row in rows if isinstance(row, StreamSession)]
    StreamSession.objects.bulk_create(opened, ignore_conflicts=True)
    for row in rows:
        if isinstance(row, dict):
            StreamSession.objects.filter(pk=row["id"]).update(**row)
    return [None] * len(rows)


class Presence(NamedTuple):
    """What a process reports: which of the streams opened before that time are open there."""

    node: Node
    open_ids: frozenset[str]
    opened_before: datetime


def touch_node(presences: list[Presence]) -> Sequence[None]:
    """For the ledger's writer: this process is alive; streams of processes that are not are closed.

    Only the database's clock counts, because no two machines' clocks agree.
    """
    for presence in presences:
        node = presence.node
        if _was_away(node):
            _reopen(presence)
        report = {name: getattr(node, name) for name in NODE_REPORT_FIELDS}
        Node.objects.update_or_create(pk=node.pk, defaults={**report, "seen_at": Now()})
        _close_lost(presence)
    if all(time.monotonic() - _back_at[presence.node.pk] >= NODE_LOST_SECONDS for presence in presences):
        _sweep()
    return [None] * len(presences)


# By process: when it reported again after it could not, by time.monotonic(). If the database was away, other processes
# could not report either: they get the usual time for it before they count as dead.
_back_at: dict[uuid.UUID, float] = {}


def _was_away(node: Node) -> bool:
    """Whether others must have taken this process for dead: the database was away, or the process stood still."""
    fresh = Node.objects.filter(pk=node.pk, seen_at__gte=Now() - timedelta(seconds=NODE_LOST_SECONDS)).exists()
    if node.pk not in _back_at:
        # It begins. One that cannot have missed anything need not wait.
        _back_at[node.pk] = float("-inf")
        return False
    if not fresh:
        _back_at[node.pk] = time.monotonic()
    return not fresh


def _reopen(presence: Presence) -> None:
    """Open the rows of streams again that went on while others took their process for dead."""
    ids = sorted(presence.open_ids)
    for start in range(0, len(ids), REOPENED_ROWS):
        swept = StreamSession.objects.filter(pk__in=ids[start : start + REOPENED_ROWS], end_reason="node_lost")
        swept.update(closed_at=None, end_reason="")


def _sweep() -> None:
    """Close the streams of dead processes, and forget those.

    Several processes do this at once, in transactions that hold other rows already: what another has locked is left
    to it, so that no two wait for each other.
    """
    lost_before = Now() - timedelta(seconds=NODE_LOST_SECONDS)
    alive = Node.objects.filter(seen_at__gte=lost_before)
    orphans = StreamSession.objects.filter(closed_at=None).exclude(Exists(alive.filter(pk=OuterRef("node"))))
    silent = Node.objects.filter(seen_at__lt=lost_before)
    with transaction.atomic():
        found = list(_lockable(orphans).values_list("pk", flat=True)[:LOST_LIMIT_ROWS])
        if found:
            StreamSession.objects.filter(pk__in=found).update(closed_at=Now(), end_reason="node_lost")
        if dead := list(_lockable(silent).values_list("pk", flat=True)):
            Node.objects.filter(pk__in=dead).delete()


def _lockable(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """Those that no other has locked, locked. SQLite has one lock for all, and this transaction holds it."""
    return rows.order_by("pk").select_for_update(skip_locked=True, of=("self",))


def _close_lost(presence: Presence) -> None:
    """Close rows of streams that have ended here: the database was away when their end should have been written."""
    rows = StreamSession.objects.filter(
        node=presence.node.pk, closed_at=None, opened_at__lt=presence.opened_before
    ).values_list("pk", flat=True)
    lost = [pk for pk in rows if str(pk) not in presence.open_ids][:LOST_LIMIT_ROWS]
    if lost:
        StreamSession.objects.filter(pk__in=lost).update(closed_at=Now(), end_reason="unknown")
