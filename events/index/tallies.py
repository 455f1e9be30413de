"""How many events a range of seqs has: by minute, severity, module and type. Pure.

A tally is exact for all of its range, and tallies never overlap. What a question asks of only a part of one, it counts
in the log itself. So pruning, and an index that is half built, make no count wrong.

Tallies are of ranges of seqs and not of time: created_at of seqs beside each other may be out of order, as processes'
clocks differ a little, and questions select events by seq (events/log/moments.py).
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from events.log import Columns
from ledger.lanes import give_way

# The seqs of one block; a tally lies in one. Larger: more of the log is counted for the part of a block in which a
# question begins (10 ms). Smaller: more tallies are read (33 for a day of 30 that have 10 000 000 events).
BLOCK_SEQS = 10_000
MINUTE_SECONDS = 60


class Source(NamedTuple):
    """The fields of an event that a tally tells apart."""

    severity: str
    module: str = ""
    event_type: str = ""


class Grid(NamedTuple):
    """Buckets of whole minutes since 1970; what is older than the first one is in the first one."""

    start: int
    minutes: int

    def bucket(self, minute: int) -> int:
        return max(0, (minute - self.start) // self.minutes)


class Wanted(NamedTuple):
    """What a question needs to know of each tally. `is_severity_enough`: sources have an empty module and type then."""

    grid: Grid
    is_severity_enough: bool = False

    @property
    def columns(self) -> dict[str, int | bool]:
        """As parameters of a statement."""
        return {**self.grid._asdict(), "enough": self.is_severity_enough}


# For questions that do not ask when.
ONE_BUCKET = Grid(0, 1_000_000_000)
# Events by minute and source.
Counts = Counter[tuple[int, Source]]


class Tally(NamedTuple):
    """The columns of its row, of which a question reads only what it needs.

    Each of the last three is JSON. `severities`: [minute, events by severity] for each minute. `sources`:
    [severity, module, event type, events]. `minutes`: [minute, numbers of sources, their events] for each minute.
    """

    first: int
    last: int
    first_minute: int
    last_minute: int
    severities: bytes | None
    sources: bytes | None
    minutes: bytes | None

    @classmethod
    def of(cls, first: int, last: int, counts: Counts) -> "Tally":
        content = _Content()
        for (minute, source), events in counts.items():
            content.add_source(source, events)
            content.severities.setdefault(minute, Counter())[source.severity] += events
            numbers, of_sources = content.minutes.setdefault(minute, ([], []))
            numbers.append(content.numbers[source])
            of_sources.append(events)
        return content.tally(first, last)

    def takes_in(self, beside: "Tally") -> bool:
        """Whether the two become one. The other must not be longer, so that an event is rewritten a few times only."""
        is_longer = beside.last - beside.first > self.last - self.first
        return beside.first // BLOCK_SEQS == self.first // BLOCK_SEQS and not is_longer

    def together(self, others: Iterable["Tally"]) -> "Tally":
        """One tally of ranges that lie beside each other."""
        parts, content = [self, *others], _Content()
        for part in parts:
            content.add(part)
            # Streams of this process come between.
            give_way()
        return content.tally(min(part.first for part in parts), max(part.last for part in parts))

    def by_bucket(self, grid: Grid, passes: Callable[[Source], bool]) -> Iterator[tuple[int, Source, int]]:
        """Bucket, source, events: of the sources that pass."""
        if self.severities is not None:
            for minute, events in _read(self.severities):
                for severity, count in events.items():
                    if passes(source := Source(severity)):
                        yield grid.bucket(minute), source, count
            return
        totals = [(Source(*fields), events) for *fields, events in _read(self.sources)]
        passing = [passes(source) for source, _ in totals]
        if self.minutes is None:
            for source, events in itertools.compress(totals, passing):
                yield grid.bucket(self.first_minute), source, events
            return
        buckets: dict[int, Counter[int]] = {}
        for minute, numbers, counted in _read(self.minutes):
            of_bucket = buckets.setdefault(grid.bucket(minute), Counter())
            pairs = zip(numbers, counted, strict=True)
            for number, count in itertools.compress(pairs, map(passing.__getitem__, numbers)):
                of_bucket[number] += count
        for bucket, of_bucket in buckets.items():
            for number, count in of_bucket.items():
                yield bucket, totals[number][0], count


class _Content:
    """What tallies that become one hold together. Most minutes are in one of them only, and are copied."""

    def __init__(self) -> None:
        self.numbers: dict[Source, int] = {}
        self.totals: list[int] = []
        self.severities: dict[int, Counter[str]] = {}
        self.minutes: dict[int, tuple[list[int], list[int]]] = {}

    def add_source(self, source: Source, events: int) -> int:
        """Its number."""
        number = self.numbers.setdefault(source, len(self.totals))
        if number == len(self.totals):
            self.totals.append(0)
        self.totals[number] += events
        return number

    def add(self, tally: Tally) -> None:
        ours = [self.add_source(Source(*fields), events) for *fields, events in _read(tally.sources)]
        for minute, of_severities in _read(tally.severities):
            self.severities.setdefault(minute, Counter()).update(of_severities)
        for minute, theirs, events in _read(tally.minutes):
            column = list(map(ours.__getitem__, theirs))
            if (known := self.minutes.get(minute)) is not None:
                both = Counter(dict(zip(*known, strict=True)))
                both.update(dict(zip(column, events, strict=True)))
                column, events = list(both), list(both.values())
            self.minutes[minute] = column, events

    def tally(self, first: int, last: int) -> Tally:
        return Tally(
            first,
            last,
            min(self.minutes, default=0),
            max(self.minutes, default=0),
            orjson.dumps([[minute, dict(events)] for minute, events in self.severities.items()]),
            orjson.dumps([[*source, events] for source, events in zip(self.numbers, self.totals, strict=True)]),
            orjson.dumps([[minute, *columns] for minute, columns in self.minutes.items()]),
        )


def _read(column: bytes | None) -> list[Any]:
    found: list[Any] = orjson.loads(column or b"[]")
    return found


class Tallying:
    """Counts events as they are read."""

    def __init__(self) -> None:
        self._blocks: dict[int, Counts] = {}

    def add(self, events: Iterable[Columns]) -> None:
        for number, block in itertools.groupby(events, key=lambda event: event.seq // BLOCK_SEQS):
            self._blocks.setdefault(number, Counts()).update(
                (
                    int(event.created.timestamp() // MINUTE_SECONDS),
                    Source(event.severity, event.module, event.event_type),
                )
                for event in block
            )

    def of(self, first: int, last: int) -> list[Tally]:
        """Of this range, which holds all of them: one for each block, also for one that has no event."""
        return [
            Tally.of(
                max(first, number * BLOCK_SEQS),
                min(last, (number + 1) * BLOCK_SEQS - 1),
                self._blocks.get(number, Counts()),
            )
            for number in range(first // BLOCK_SEQS, last // BLOCK_SEQS + 1)
        ]
