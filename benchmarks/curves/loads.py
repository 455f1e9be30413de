"""What streams cost: by their number, the rate of events, the size of an event, and the number of different queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import delivery
from benchmarks.comparison import CPU, P99
from benchmarks.curves.curve import Curve, Line, Point
from benchmarks.delivery import Load
from benchmarks.filters import asked
from benchmarks.peers import ours
from benchmarks.server import running
from benchmarks.size import Size

# Names of benchmarks/delivery.py.
SERVER_CPU, LOST, DOUBLED, MEMORY = "server CPU", "lost", "received twice", "server memory"
LINES = (Line(SERVER_CPU, "%"), Line(CPU, "us"), Line(P99, "ms", judged=False), Line(MEMORY, "MB"))
# All streams may belong to one principal.
SETTINGS = {"VX11_MAX_STREAMS_PER_PRINCIPAL": "0"}


@dataclass(frozen=True)
class Run:
    """One point: the load, what each event carries, and what the streams ask, by turns."""

    at: int
    streams: int
    per_second: float
    payload_bytes: int = 0
    queries: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class ByLoad:
    title: str
    axis: str
    runs: Sequence[Run]

    def measure(self, name: str, size: Size, announce: Callable[[str], None]) -> Curve:
        return Curve(name, self.title, self.axis, LINES, [_point(run, size, announce) for run in self.runs])


def _point(run: Run, size: Size, announce: Callable[[str], None]) -> Point:
    load = Load(size.scaled(run.streams), run.per_second, _seconds(run, size))
    announce(f"{run.at:,}: {load}")
    # None inherits what an earlier load has left.
    with running(environment=SETTINGS) as (_, target):
        payload = {"text": "x" * run.payload_bytes} if run.payload_bytes else None
        peer = ours.peer(target, queries=run.queries, payload=payload)
        figures = {figure.name: figure.value for figure in delivery.figures(delivery.deliver(peer, load))}
    if figures[LOST] or figures[DOUBLED]:
        announce(f"NOT EXACT: {figures[LOST]:.0f} lost, {figures[DOUBLED]:.0f} received twice")
    return Point(run.at, figures)


def _seconds(run: Run, size: Size) -> float:
    """Long enough for ten events."""
    return max(size.fanout_seconds, 10 / run.per_second)


# The last is what fits where a process may have 20 000 open files.
BY_STREAMS = ByLoad(
    "By streams, 2 events a second",
    "streams",
    [Run(count, count, 2) for count in (100, 300, 1_000, 3_000, 10_000, 19_000)],
)
BY_RATE = ByLoad(
    "By events a second, 1000 streams",
    "events/s",
    [Run(rate, 1_000, rate) for rate in (1, 5, 20, 50, 100, 200, 500)],
)
BY_BYTES = ByLoad(
    "By the payload of an event, 100 streams, 5 events a second",
    "bytes",
    [Run(count, 100, 5, payload_bytes=count) for count in (100, 1_000, 4_000, 16_000, 64_000)],
)
BY_QUERIES = ByLoad(
    "By different queries, 1000 streams, 20 events a second",
    "queries",
    [Run(count, 1_000, 20, queries=asked(count)) for count in (1, 10, 100, 1_000)],
)
