"""All measurements by their names."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks import fanout, publishing, tickets
from benchmarks.figures import Figure
from benchmarks.server import Target, postgres_database, serving
from benchmarks.size import Size


class Measurement(NamedTuple):
    """Load on one server, and the figures that come of it."""

    title: str
    measure: Callable[[Target, Size], list[Figure]]
    on_postgres: bool = False


SUITE = {
    "tickets": Measurement("ticket issue", tickets.measure_issue),
    "fanout": Measurement("publish to receipt", fanout.measure),
    "publish-sqlite": Measurement("publish, SQLite", publishing.measure),
    "publish-postgres": Measurement("publish, PostgreSQL", publishing.measure, on_postgres=True),
    "redeem": Measurement("ticket to stream", tickets.measure_redeem),
}


def run(names: Sequence[str], size: Size, *, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
    """Figures by the titles of what was measured; `announce` hears what is being done."""
    results = {}
    for number, name in enumerate(names, 1):
        measurement = SUITE[name]
        announce(f"[{number}/{len(names)}] {measurement.title} ({name}): starting")
        # None inherits what the measurement before has left: log, caches, memory.
        with _fresh_server(measurement) as target:
            announce(f"[{number}/{len(names)}] {measurement.title} ({name}): load on process {target.pid}")
            results[measurement.title] = measurement.measure(target, size)
    return results


@contextmanager
def _fresh_server(measurement: Measurement) -> Iterator[Target]:
    if not measurement.on_postgres:
        with serving() as target:
            yield target
        return
    with postgres_database() as url, serving(database_url=url) as target:
        yield target
