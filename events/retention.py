"""Retention of the log and of who read it: closed streams go with the audit, events by a chore of their own."""

from datetime import datetime

from django.conf import settings

from events import log
from events.models import StreamSession
from gateway.jobs import retention, scheduler

# At the highest rate that servers take, 5 million events are published meanwhile: half of what SQLite keeps.
PRUNE_SECONDS = 300


def _closed_streams(before: datetime) -> retention.Rows:
    return StreamSession.objects.filter(closed_at__lt=before)


def _used_keys(_before: datetime) -> retention.Rows:
    return log.old_keys()


def _prune_as_chore(go_on: scheduler.GoOn) -> str:
    keep_days, keep_rows = settings.EVENT_RETENTION_DAYS, settings.EVENT_RETENTION_ROWS
    try:
        deleted = log.prune(keep_days=keep_days, keep_rows=keep_rows, after_batch=lambda _rows: go_on())
    except retention.NearlyAll as refused:
        raise scheduler.ChoreRefused(
            f"would delete {refused}; if that is meant: manage.py prune_events --yes"
        ) from None
    return f"deleted {deleted} events"


retention.keep_no_longer("used idempotency keys", _used_keys, order="at", all_may_go=True)
retention.keep_no_longer("closed streams", _closed_streams, order="closed_at")
scheduler.register("prune_events", _prune_as_chore, every_seconds=PRUNE_SECONDS)
