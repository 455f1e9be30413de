"""Retention: which rows are too old to keep, and how they go, in transactions so short that other writers do not wait.

Every app names its own rows in a module `retention`, which is found by that name; `manage.py purge_tokens` and a
chore of the same name delete them. What must stay:

- A token of the environment: its digest is what keeps a revoked one from coming back at the next start.
- A dead token that is still tried: as long as it is refused, people can see whose it was.
- A stream that is open, however long. Its token is not dead: streams end within seconds of their token, and a token
  must have been dead for a day at least.
"""

import dataclasses
import functools
import math
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.module_loading import autodiscover_modules

from gateway.identity.actors import acting
from gateway.identity.lifetimes import oldest_live_stream
from gateway.jobs import scheduler
from gateway.models import (
    REASON_LENGTH,
    AccessToken,
    EndedSession,
    EndedStream,
    EndedTicket,
    RightsVersion,
    TokenAudit,
    TokenAuditQuerySet,
)
from ledger import clock

# Rows of one transaction: on an ordinary disk it then takes a few hundredths of a second.
BATCH_ROWS = 1_000
# SQLite's lock is not fair: writers that wait for it look at it every few milliseconds, and must find it free.
MIN_REST_SECONDS = 0.03
MAX_REST_SECONDS = 0.5

Rows = QuerySet[Any]
# Deletes these rows in the caller's transaction; how many.
Delete = Callable[[Any], int]
# Called after each batch with the kind of rows and their number.
AfterBatch = Callable[[str, int], None]
Counts = dict[str, int]


@dataclasses.dataclass(frozen=True)
class RetainedRows:
    """One kind of rows. `too_old(before)` are those to delete; `order` is a column by which they are found quickly.

    `all_may_go`: they live for minutes or hours, and all of them are over at once in any quiet night.
    """

    name: str
    too_old: Callable[[datetime], Rows]
    order: str
    delete: Delete
    all_may_go: bool = False


_kinds: dict[str, RetainedRows] = {}

# Beyond this share of its rows a kind is not deleted unasked: so much goes at once when a clock is wrong, a limit was
# lowered by mistake, or an old backup was restored. Of a few rows nearly all may go in an ordinary hour.
NEARLY_ALL_SHARE = 0.9
NEARLY_ALL_MIN_ROWS = 100


class NearlyAll(Exception):
    """These kinds were left as they are: how many rows would have gone, of how many that there are."""

    def __init__(self, refused: "dict[str, tuple[int, int]]") -> None:
        super().__init__(", ".join(f"{going} of {there} {name}" for name, (going, there) in refused.items()))
        self.refused = refused


def nearly_all(going: int, there: Rows) -> tuple[int, int] | None:
    """How many would go of how many, if that is nearly all; None if it is not."""
    if going < NEARLY_ALL_MIN_ROWS:
        return None
    # More than are enough need not be counted.
    enough = math.ceil(going / NEARLY_ALL_SHARE)
    existing = there.order_by().values("pk")[:enough].count()
    return (going, existing) if existing < enough else None


def delete(rows: Rows) -> int:
    """For rows that nothing else refers to."""
    return rows.delete()[0]


def keep_no_longer(
    name: str,
    too_old: Callable[[datetime], Rows],
    *,
    order: str,
    delete: Delete = delete,
    all_may_go: bool = False,
) -> None:
    """Register a kind of rows."""
    _kinds[name] = RetainedRows(name, too_old, order, delete, all_may_go)


def kinds() -> list[RetainedRows]:
    """All kinds, those of gateway first."""
    autodiscover_modules("retention")
    return list(_kinds.values())


def count(before: datetime) -> Counts:
    """How many rows `purge` would delete now."""
    return {kind.name: kind.too_old(before).count() for kind in kinds()}


def refuse_nearly_all(before: datetime) -> None:
    """Raises NearlyAll for the kinds of which `purge` would delete nearly all now."""
    if refused := {kind.name: found for kind in kinds() if (found := _nearly_all_of(kind, before))}:
        raise NearlyAll(refused)


def _nearly_all_of(kind: RetainedRows, before: datetime) -> tuple[int, int] | None:
    rows = kind.too_old(before)
    return None if kind.all_may_go else nearly_all(rows.count(), rows.model._default_manager.all())


def purge(before: datetime, *, actor: str, after_batch: AfterBatch, even_nearly_all: bool = False) -> Counts:
    """Delete what was over before that time; how many rows of each kind.

    `after_batch` may end it by raising. What had gone by then is in the audit all the same. Raises NearlyAll at the
    end, for kinds that were left as they are.
    """
    deleted: Counts = {}
    refused: dict[str, tuple[int, int]] = {}
    # A token that goes has a row of its own in the audit too.
    with acting(actor):
        try:
            for kind in kinds():
                if not even_nearly_all and (found := _nearly_all_of(kind, before)):
                    refused[kind.name] = found
                    continue
                after = functools.partial(_report_batch, deleted, kind.name, after_batch)
                delete_in_batches(kind.too_old(before), order=kind.order, delete=kind.delete, after_batch=after)
        finally:
            gone = {name: rows for name, rows in deleted.items() if rows}
            if gone:
                action, total = TokenAudit.Action.PURGED, sum(gone.values())
                TokenAudit(action=action, reason=describe(gone)[:REASON_LENGTH], count=total).save()
    if refused:
        raise NearlyAll(refused)
    return deleted


def _report_batch(deleted: Counts, name: str, after_batch: AfterBatch, rows: int) -> None:
    deleted[name] = deleted.get(name, 0) + rows
    after_batch(name, rows)


def delete_in_batches(rows: Rows, *, order: str, after_batch: Callable[[int], None], delete: Delete = delete) -> int:
    """Delete these rows, BATCH_ROWS in a transaction, with rests for other writers; how many that were."""
    deleted, here = 0, rows
    while batch := list(here.order_by(order).values_list("pk", order)[:BATCH_ROWS]):
        started = time.perf_counter()
        with transaction.atomic():
            gone = delete(rows.filter(pk__in=[pk for pk, _ in batch]))
        worked_seconds = time.perf_counter() - started
        deleted += gone
        # Before the rest, in which an interruption most likely comes: this batch is counted by then.
        after_batch(gone)
        if not gone:
            # None of these may go any more; what is left is looked at the next time.
            break
        _rest(worked_seconds)
        # Rows that stay among those that go are not passed over again with every batch.
        here = rows.filter(**{f"{order}__gte": batch[-1][1]})
    return deleted


def describe(counts: Counts) -> str:
    """As "120 audit rows, 3 dead tokens"."""
    return ", ".join(f"{rows} {name}" for name, rows in counts.items() if rows) or "nothing"


def _rest(worked_seconds: float) -> None:
    if connection.vendor == "sqlite":
        rest_seconds = worked_seconds * random.uniform(1.0, 2.0)
        time.sleep(min(max(rest_seconds, MIN_REST_SECONDS), MAX_REST_SECONDS))


def _old_audit(before: datetime) -> Rows:
    return TokenAudit.objects.filter(at__lt=before)


def _delete_audit(rows: TokenAuditQuerySet) -> int:
    return rows.purge()


def _dead_tokens(before: datetime) -> Rows:
    dead = Q(revoked_at__lt=before) | Q(expires_at__lt=before)
    refused = TokenAudit.objects.filter(action=TokenAudit.Action.REFUSED, at__gte=before)
    tried = refused.filter(principal_id=OuterRef("public_id"))
    return AccessToken.objects.filter(dead, source=AccessToken.Source.ISSUED).exclude(Exists(tried))


def _delete_tokens(rows: Rows) -> int:
    # Every change of tokens locks the version first: one that is made longer-lived just now is not among the rows.
    RightsVersion.bump()
    return rows.delete()[1].get(AccessToken._meta.label, 0)


def _past_use(model: type[EndedSession | EndedStream | EndedTicket]) -> Callable[[datetime], Rows]:
    """Independent of the retention: nothing outlives them by more than the life of a ticket and of a stream."""

    def rows(_before: datetime) -> Rows:
        return model.objects.filter(at__lt=oldest_live_stream(clock.ask()))

    return rows


def _purge_as_chore(go_on: scheduler.GoOn) -> str:
    before = clock.ask() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    go_on()
    try:
        deleted = purge(before, actor="scheduler", after_batch=lambda _name, _rows: go_on())
    except NearlyAll as refused:
        raise scheduler.ChoreRefused(
            f"would delete {refused}; if that is meant: manage.py purge_tokens --yes"
        ) from None
    return f"deleted {describe(deleted)}"


def _expired_sign_ins(_before: datetime) -> Rows:
    return Session.objects.filter(expire_date__lt=clock.ask())


keep_no_longer("audit rows", _old_audit, order="at", delete=_delete_audit)
keep_no_longer("dead tokens", _dead_tokens, order="created_at", delete=_delete_tokens)
keep_no_longer("signed-out sessions", _past_use(EndedSession), order="at", all_may_go=True)
keep_no_longer("disconnected streams", _past_use(EndedStream), order="at", all_may_go=True)
keep_no_longer("revoked tickets", _past_use(EndedTicket), order="at", all_may_go=True)
keep_no_longer("expired sign-ins", _expired_sign_ins, order="expire_date")
scheduler.register("purge_tokens", _purge_as_chore)
