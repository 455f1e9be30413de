"""Counts of tickets, refusals, streams and events for each of the last 60 minutes, from the tables.

An old minute cannot change any more and is counted once; the newest minutes are counted at every read. A new process
counts the newest minutes first and the others bit by bit, so that no read takes long.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection

from events import log
from events.models import StreamSession
from gateway.models import TokenAudit

MINUTES = 60
# The count of a refusal's repeats is written up to a minute later, so the last minutes can still change.
SETTLED_AFTER_MINUTES = 3
# At most so many rows of one table are counted for one minute; if there are more, the figure is a lower bound.
MINUTE_LIMIT_ROWS = 20_000
# After this time no further old minute is counted; the next read continues.
BUDGET_SECONDS = 0.05

Counts = dict[str, int]
ISSUED, REDEEMED, OPENED, CLOSED, EVENTS = "issued", "redeemed", "opened", "closed", "events"
REFUSED_PREFIX = "refused:"

_AUDIT_COUNTS = """
    SELECT action, reason, SUM(count), COUNT(*) FROM (
        SELECT action, reason, count FROM gateway_tokenaudit WHERE at >= %s AND at < %s LIMIT %s
    ) AS minute GROUP BY action, reason
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Minute:
    """The counts of one minute; `is_lower_bound` if the limit was reached."""

    counts: Counts
    is_lower_bound: bool = False


class MinuteCounts:
    """The last hour, as far as this process has counted it. Not thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settled: dict[datetime, Minute] = {}
        self._clock = clock

    def read(self, now: datetime) -> list[tuple[datetime, Minute | None]]:
        """The minutes of the last hour, oldest first; None for one that is not counted yet."""
        newest = now.replace(second=0, microsecond=0)
        starts = [newest - timedelta(minutes=age) for age in range(MINUTES)]
        self._settled = {start: minute for start, minute in self._settled.items() if start in starts}
        began = self._clock()
        found: dict[datetime, Minute] = {}
        for age, start in enumerate(starts):
            if age < SETTLED_AFTER_MINUTES:
                found[start] = count(start)
            elif start not in self._settled and self._clock() - began < BUDGET_SECONDS:
                self._settled[start] = count(start)
        found |= self._settled
        return [(start, found.get(start)) for start in reversed(starts)]


def count(start: datetime) -> Minute:
    """The counts of the minute that begins then, from the tables."""
    end = start + timedelta(minutes=1)
    counts: Counter[str] = Counter()
    rows = 0
    for action, reason, times, number in _audit_rows(start, end):
        rows += number
        if name := _name(action, reason):
            counts[name] += int(times)
    for name, field in ((OPENED, "opened_at"), (CLOSED, "closed_at")):
        within = StreamSession.objects.filter(**{f"{field}__gte": start, f"{field}__lt": end}).order_by()
        counts[name] = within[:MINUTE_LIMIT_ROWS].count()
    is_lower_bound = max(rows, counts[OPENED], counts[CLOSED]) >= MINUTE_LIMIT_ROWS
    counts[EVENTS] = log.count_between(start, end)
    return Minute(dict(counts), is_lower_bound)


def _audit_rows(start: datetime, end: datetime) -> list[tuple[str, str, int, int]]:
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        # Plain SQL: the ORM cannot group the rows of a limited query.
        cursor.execute(_AUDIT_COUNTS, [adapt(start), adapt(end), MINUTE_LIMIT_ROWS])
        rows: list[tuple[str, str, int, int]] = cursor.fetchall()
        return rows


def _name(action: str, reason: str) -> str:
    """The name under which an audit row is counted; "" if it is not. A refusal's reason stands before the colon."""
    match action:
        case TokenAudit.Action.TICKET_ISSUED:
            return ISSUED
        case TokenAudit.Action.TICKET_REDEEMED:
            return REDEEMED
        case TokenAudit.Action.REFUSED:
            return REFUSED_PREFIX + reason.partition(":")[0]
    return ""


def utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
