"""Retention of what fired and of notices, as long as the audit: so long dead notices wait for a person."""

from datetime import datetime

from django.db.models import Q

from gateway.jobs import retention
from watches.conditions.rules import STATES
from watches.models import Firing, Notice


def _firings(before: datetime) -> retention.Rows:
    """Those that have an end only after it."""
    without_end = ~Q(watch__condition__kind__in=sorted(STATES))
    return Firing.objects.filter(Q(resolved_at__lt=before) | without_end, fired_at__lt=before)


def _notices(before: datetime) -> retention.Rows:
    return Notice.objects.filter(created_at__lt=before).exclude(state=Notice.State.PENDING)


retention.keep_no_longer("firings of watches", _firings, order="fired_at")
retention.keep_no_longer("notices", _notices, order="created_at")
