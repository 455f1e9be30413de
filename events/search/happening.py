"""When did that happen? Counts by the time at which events occurred, as their publishers say, or else were stored.

The index has counted events by when they were stored. So these are counted in the log itself: the newest stored first,
as far as the budget lasts.
"""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import models
from django.db.models.functions import Coalesce

from events import log
from events.index import Source
from events.log import Cursor, Head
from events.search import spans, tallied
from events.search.budget import Budget
from events.search.counting import Counted, bucket_seconds, rows_in
from events.search.narrowing import is_decided_by
from events.search.pages import ALL_TIME, Window
from gateway.filters import Selection
from ledger.clock import UnixSeconds

# Publishers may date an event anywhere. The first moment that there is, the first second of a day, and so of each unit.
FIRST_SECOND = int(datetime.min.replace(tzinfo=UTC).timestamp())
# The longest of these that is needed, as few counts are kept (12 MB). Then buckets are at least as long: so many counts
# of four severities are of UNITS_LIMIT / 4 seconds at the least, which is a minute in each of 500 buckets; and so on.
UNITS_SECONDS = (1, 60, 3_600, 86_400)
UNITS_LIMIT = 120_000


class Happened(NamedTuple):
    """Counts by bucket; when the first bucket begins, how long each is, and how many: none if nothing was found."""

    counted: Counted
    start: datetime
    bucket_seconds: int
    buckets: int


def count_by_happening(
    selection: Selection, *, buckets: int, within: Window = ALL_TIME, window: Window = ALL_TIME, budget: Budget
) -> Happened:
    """Events that were stored in `window` and happened `within`; without its bounds, from the first to the last."""
    now = log.head()
    oldest, newest = window.seqs(now)
    units, reached = _Units(), newest + 1
    is_for_database = selection.queries is None or is_decided_by(selection, Source._fields)
    counted = _by_the_database if is_for_database else _by_reading
    for reached in counted(selection, now, oldest, newest, within, units, budget):  # noqa: B007 - the last one counts
        pass
    start, seconds, number = units.range(within, buckets)
    counts: Counter[tuple[int, str]] = Counter()
    for (unit, severity), events in units.counts.items():
        counts[(unit * units.seconds - start) // seconds, severity] += events
    found = Counted(counts, Cursor(now.epoch, newest), Cursor(now.epoch, reached - 1), reached <= oldest)
    return Happened(found, datetime.fromtimestamp(start, UTC), seconds, number)


class _Units:
    """Events by (seconds since 1970 in units, severity). Units grow where there are too many."""

    def __init__(self) -> None:
        self.seconds = UNITS_SECONDS[0]
        self.counts: Counter[tuple[int, str]] = Counter()

    def add(self, second: int, severity: str, events: int) -> None:
        self.counts[second // self.seconds, severity] += events
        if len(self.counts) > UNITS_LIMIT and self.seconds < UNITS_SECONDS[-1]:
            self._grow()

    def _grow(self) -> None:
        before, self.seconds = self.seconds, next(each for each in UNITS_SECONDS if each > self.seconds)
        counts, self.counts = self.counts, Counter()
        for (unit, severity), events in counts.items():
            self.counts[unit * before // self.seconds, severity] += events

    def range(self, within: Window, buckets: int) -> tuple[int, int, int]:
        """Where the first bucket begins, in seconds since 1970, the seconds of each, and how many there are."""
        found = [unit * self.seconds for unit, _ in self.counts]
        first = math.floor(within.start.timestamp()) if within.start else min(found, default=None)
        last = math.ceil(within.end.timestamp()) - 1 if within.end else max(found, default=None)
        if first is None or last is None:
            return 0, 1, 0
        first, last = max(FIRST_SECOND, first), max(first, last)
        seconds = bucket_seconds((last + 1 - first) / buckets, self.seconds)
        # Buckets begin at whole multiples, so that two readers see the same ones.
        start = max(FIRST_SECOND, first // seconds * seconds)
        return start, seconds, (last - start) // seconds + 1


def _by_the_database(
    selection: Selection, now: Head, oldest: int, newest: int, within: Window, units: _Units, budget: Budget
) -> Iterator[int]:
    only = _happened(within)
    for part in tallied.back(now, oldest, newest, budget, None):
        seconds = units.seconds
        unit = (UnixSeconds(Coalesce("occurred_at", "created_at")) - FIRST_SECOND) / seconds
        if selection.queries is None:
            rows = log.matching(selection).filter(only, seq__gte=part.first, seq__lte=part.last).order_by()
            found = rows.annotate(unit=unit).values_list("unit", "severity").annotate(models.Count("seq")).iterator()
        else:
            sources = tallied.counted_by_database(selection, part, only=only, unit=unit)
            found = ((number, source.severity, events) for source, events, (number,) in sources)
        for number, severity, events in found:
            units.add(number * seconds + FIRST_SECOND, severity, events)
        yield part.first


def _happened(within: Window) -> models.Q:
    only = models.Q()
    for bound, moment in (("gte", within.start), ("lt", within.end)):
        if moment is not None:
            stored = models.Q(("occurred_at__isnull", True), (f"created_at__{bound}", moment))
            only &= models.Q((f"occurred_at__{bound}", moment)) | stored
    return only


def _by_reading(
    selection: Selection, now: Head, oldest: int, newest: int, within: Window, units: _Units, budget: Budget
) -> Iterator[int]:
    first = within.start.timestamp() if within.start else -math.inf
    end = within.end.timestamp() if within.end else math.inf
    for span in spans.back(selection, oldest, newest, budget):
        for rows in rows_in(selection, span, budget):
            for entry in rows.entries:
                if first <= entry.happened_at < end:
                    units.add(math.floor(entry.happened_at), entry.severity, 1)
            yield rows.reached
