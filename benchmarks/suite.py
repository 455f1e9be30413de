"""All measurements by their names."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from benchmarks import (
    beside_searches,
    browser,
    drain,
    layers,
    never_readers,
    pruning,
    publishing,
    receiving,
    resume,
    storm,
    syslog,
    tickets,
)
from benchmarks.comparison import CPU, FAN_OUT_CPU, P99, Comparison, Ratio
from benchmarks.figures import Figure
from benchmarks.filters import ASKED, QUERIES_AT_MOST, FilterCost
from benchmarks.memory import IdleMemory
from benchmarks.peers.catalogue import ALL, EVENTSTREAM_DAPHNE, NCHAN, OURS, TEXTBOOK
from benchmarks.scaling import Scaling
from benchmarks.searching import Search
from benchmarks.server import Target, postgres_database, serving
from benchmarks.size import Size
from benchmarks.watching import WatchCost
from benchmarks.wire import UnexpectedAnswer

Announce = Callable[[str], None]


class Entry(Protocol):
    """Something to measure: figures by the titles of what was measured."""

    @property
    def title(self) -> str: ...

    def run(self, size: Size, announce: Announce, /) -> dict[str, list[Figure]]: ...


@dataclass(frozen=True)
class Measurement:
    """Load on one server of ours, and the figures that come of it."""

    title: str
    measure: Callable[[Target, Size], list[Figure]]
    on_postgres: bool = False

    def run(self, size: Size, announce: Announce) -> dict[str, list[Figure]]:
        # None inherits what the measurement before has left: log, caches, memory.
        with self._fresh_server() as target:
            announce(f"{self.title}: load on process {target.pid}")
            return {self.title: self.measure(target, size)}

    @contextmanager
    def _fresh_server(self) -> Iterator[Target]:
        if not self.on_postgres:
            with serving() as target:
                yield target
            return
        with postgres_database() as url, serving(database_url=url) as target:
            yield target


@dataclass(frozen=True)
class WithOwnServer:
    """A measurement that stops and starts its server itself."""

    title: str
    measure: Callable[[Size], list[Figure]]

    def run(self, size: Size, announce: Announce) -> dict[str, list[Figure]]:
        return {self.title: self.measure(size)}


NOTHING_LOST = {"lost": 0.0, "received twice": 0.0}
SUITE: dict[str, Entry] = {
    "tickets": Measurement("ticket issue", tickets.measure_issue),
    "tickets-scaled": WithOwnServer("ticket issue, two processes on PostgreSQL and Redis", layers.measure),
    "scaling": Scaling("scaling"),
    "redeem": Measurement("ticket to stream", tickets.measure_redeem),
    "publish-sqlite": Measurement("publish, SQLite", publishing.measure),
    "publish-postgres": Measurement("publish, PostgreSQL", publishing.measure, on_postgres=True),
    "syslog": Measurement("syslog over TCP, SQLite", syslog.measure),
    "receive-sqlite": Measurement("receive, SQLite", receiving.measure),
    "receive-postgres": Measurement("receive, PostgreSQL", receiving.measure, on_postgres=True),
    "prune-sqlite": WithOwnServer("pruning beside publishing, SQLite", pruning.measure_sqlite),
    "prune-postgres": WithOwnServer("pruning beside publishing, PostgreSQL", pruning.measure_postgres),
    "fanout": Comparison(
        "100 x 10/s",
        streams=100,
        per_second=10,
        peers=[OURS],
        aims=NOTHING_LOST | {"latency, p95": 50, "server memory": 150},
    ),
    "fanout-20": Comparison(
        "1000 x 20/s",
        streams=1000,
        per_second=20,
        peers=list(ALL),
        aims=NOTHING_LOST,
        ratios=[
            Ratio(CPU, NCHAN, at_most=1.3),
            Ratio(FAN_OUT_CPU, NCHAN),
            Ratio(P99, NCHAN, at_most=1.5),
            Ratio(CPU, EVENTSTREAM_DAPHNE, at_most=1 / 8),
            Ratio(CPU, TEXTBOOK),
        ],
    ),
    "fanout-200": Comparison(
        "1000 x 200/s",
        streams=1000,
        per_second=200,
        peers=[OURS, NCHAN],
        aims=NOTHING_LOST | {P99: 150},
        ratios=[Ratio(CPU, NCHAN, at_most=1 / 3), Ratio(FAN_OUT_CPU, NCHAN), Ratio(P99, NCHAN)],
    ),
    "fanout-8000": Comparison(
        "8000 x 5/s",
        streams=8000,
        per_second=5,
        peers=[OURS, NCHAN],
        aims=NOTHING_LOST | {P99: 250},
        ratios=[Ratio(CPU, NCHAN), Ratio(P99, NCHAN)],
    ),
    "filters": FilterCost("filters"),
    "queries": FilterCost("queries", ASKED, QUERIES_AT_MOST),
    "watches": WatchCost("watches"),
    "search": Search("search"),
    "search-beside": WithOwnServer("1000 x 20/s beside searches", beside_searches.measure_delivery),
    "index-publish": WithOwnServer("publish with and without the index", beside_searches.measure_publishing),
    "index-lag": WithOwnServer("index at 5000 events/s", beside_searches.measure_lag),
    "memory": IdleMemory("memory"),
    "never-readers": Measurement("clients that never read", never_readers.measure),
    "resume": Measurement("resume", resume.measure),
    "storm": WithOwnServer("reconnect storm", storm.measure),
    "drain": WithOwnServer("drain", drain.measure),
    "browser": WithOwnServer("console, 200/s", browser.measure),
}
SEVERAL_PROCESSES = ("tickets-scaled", "scaling")
OWN_POSTGRES = (*SEVERAL_PROCESSES, "prune-postgres", "search", "index-publish")


def needs_postgres(names: Sequence[str]) -> bool:
    """Of which those with several processes need Redis too."""
    return any(
        name in OWN_POSTGRES or (isinstance(entry := SUITE[name], Measurement) and entry.on_postgres) for name in names
    )


def run(names: Sequence[str], size: Size, *, announce: Announce) -> dict[str, list[Figure]]:
    """Figures by the titles of what was measured; `announce` hears what is being done."""
    results: dict[str, list[Figure]] = {}
    for number, name in enumerate(names, 1):
        announce(f"[{number}/{len(names)}] {name}")
        try:
            results |= SUITE[name].run(size, announce)
        except (UnexpectedAnswer, OSError, AssertionError) as error:
            # The others took minutes, too, and are worth having.
            announce(f"{name} could not be measured: {error!r}")
            results[SUITE[name].title] = [Figure("NOT MEASURED", 1, "time", at_most=0)]
    return results
