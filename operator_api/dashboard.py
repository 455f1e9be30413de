"""The figures of the admin's first page: current readers, tickets, refusals, events. As JSON.

Each process reads them at most every CACHE_SECONDS: the page polls every few seconds, and many open pages must cost no
more than one. A failed read is cached for the same time, so that many pages do not load a database in trouble.
"""

import logging
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.db import InterfaceError, OperationalError
from django.db.models import Count, DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from events import log
from events.admin.open_streams import open_streams
from events.models import Node
from events.stream.connection_rows import NODE_LOST_SECONDS
from gateway.http.errors import ApiError, correlation_id_of, respond
from gateway.models import TokenAudit
from ledger import clock
from operator_api.minute_counts import (
    CLOSED,
    EVENTS,
    ISSUED,
    MINUTE_LIMIT_ROWS,
    OPENED,
    REDEEMED,
    REFUSED_PREFIX,
    Minute,
    MinuteCounts,
    utc,
)

logger = logging.getLogger(__name__)

CACHE_SECONDS = 3.0
# How long a thread waits for another one that reads the figures. The page polls again.
READING_WAIT_SECONDS = 2.0
# The page's text names this number.
REFUSALS_MINUTES = 15
# Limits on the rows that are read, so that the page is never slow; no installation has more.
NODES_LIMIT = 100
STREAMS_LIMIT = 50_000
PERMISSIONS = ("gateway.view_tokenaudit", "events.view_streamsession", "events.view_node")

History = list[tuple[datetime, Minute | None]]


@require_safe
@permission_required(PERMISSIONS, raise_exception=True)
def figures(request: HttpRequest) -> HttpResponse:
    try:
        return JsonResponse(_dashboard.figures())
    except Unavailable:
        return respond(ApiError("dependency_unavailable"), correlation_id_of(request))


class Unavailable(Exception):
    """The figures cannot be read now, or not soon enough."""


class Dashboard:
    """The figures of this process, as fresh as CACHE_SECONDS. Safe for threads: one reads, the others get the same."""

    def __init__(self) -> None:
        self._minutes = MinuteCounts()
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        # None if the last read failed.
        self._figures: dict[str, Any] | None = None

    def figures(self) -> dict[str, Any]:
        """Raises Unavailable."""
        if not self._lock.acquire(timeout=READING_WAIT_SECONDS):
            raise Unavailable
        try:
            if time.monotonic() - self._read_at >= CACHE_SECONDS:
                self._read()
            figures = self._figures
        finally:
            self._lock.release()
        if figures is None:
            raise Unavailable
        return figures

    def _read(self) -> None:
        self._figures = None
        try:
            self._figures = read(self._minutes, clock.now())
        except (OperationalError, InterfaceError) as error:
            logger.error("the dashboard cannot be read: %s", type(error).__name__)
        finally:
            # When it ended: a long read must not be followed by another one at once.
            self._read_at = time.monotonic()


_dashboard = Dashboard()


def read(minutes: MinuteCounts, now: datetime) -> dict[str, Any]:
    history = minutes.read(now)
    # By the database's clock, which also dates `seen_at`: this machine's clock may differ.
    silent_for = ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())
    rows = Node.objects.annotate(silent_for=silent_for).order_by("name", "started_at")[:NODES_LIMIT]
    nodes = [_of_node(node, node.silent_for) for node in rows]
    charts = _charts(history)
    refused = sum(_refusals(minute) for _, minute in history[-REFUSALS_MINUTES:])
    return {
        "time": utc(now),
        "version": settings.VERSION,
        "figures": {
            **_reading(),
            "tickets_per_minute": _tickets_since(now - timedelta(minutes=1)),
            "refusals": refused,
            "slow_readers": sum(node["slow_readers"] for node in nodes if node["state"] != "silent"),
            "log_head": str(log.head().newest),
            # Of the last complete minute: the current one would always look like a decline.
            "events_per_minute": (history[-2][1] or Minute({})).counts.get(EVENTS, 0),
        },
        "nodes": nodes,
        "minutes": [utc(start) for start, _ in history],
        "charts": charts,
        "counted": all(minute is not None for _, minute in history),
        "lower_bound": any(minute is not None and minute.is_lower_bound for _, minute in history),
    }


def _reading() -> dict[str, int]:
    some = open_streams().order_by()[:STREAMS_LIMIT]
    return some.aggregate(streams=Count("pk"), principals=Count("principal_id", distinct=True))


def _tickets_since(start: datetime) -> int:
    issued = TokenAudit.objects.filter(at__gte=start, action=TokenAudit.Action.TICKET_ISSUED).order_by()
    return issued[:MINUTE_LIMIT_ROWS].count()


def _of_node(node: Node, silent_for: timedelta) -> dict[str, Any]:
    silent_seconds = max(0.0, silent_for.total_seconds())
    alive = silent_seconds < NODE_LOST_SECONDS
    return {
        "name": node.name,
        "state": "silent" if not alive else "draining" if node.draining else "serving",
        "streams": node.streams,
        "slow_readers": node.slow_readers,
        "held_bytes": node.held_bytes,
        "started_at": utc(node.started_at),
        "seen_seconds": round(silent_seconds),
    }


def _charts(history: History) -> dict[str, dict[str, list[int | None]]]:
    """A figure for each minute, by chart and series; None for a minute that is not counted yet."""
    kinds = {name for _, minute in history if minute for name in minute.counts if name.startswith(REFUSED_PREFIX)}
    return {
        "tickets": {name: _series(history, name) for name in (ISSUED, REDEEMED)},
        "refusals": {name.removeprefix(REFUSED_PREFIX): _series(history, name) for name in sorted(kinds)},
        "streams": {name: _series(history, name) for name in (OPENED, CLOSED)},
        "events": {EVENTS: _series(history, EVENTS)},
    }


def _series(history: History, name: str) -> list[int | None]:
    return [None if minute is None else minute.counts.get(name, 0) for _, minute in history]


def _refusals(minute: Minute | None) -> int:
    return sum(number for name, number in minute.counts.items() if name.startswith(REFUSED_PREFIX)) if minute else 0
