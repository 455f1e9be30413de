"""The same load on one peer after the other, and how we compare."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import delivery
from benchmarks.delivery import Delivery, Load
from benchmarks.figures import Figure, aimed
from benchmarks.peers import catalogue
from benchmarks.size import Size

# Whether a server can keep up shows soon, and one that cannot is not to be waited for.
PROBE_SECONDS = 4.0
# Nobody is asked for less.
MIN_PER_SECOND = 0.5
CPU = "server CPU per delivered event"
FAN_OUT_CPU = "of which fan-out, without publishing"
P99 = "latency, p99"


@dataclass(frozen=True)
class Ratio:
    """A figure of ours divided by the same of a peer."""

    figure: str
    peer: str
    at_most: float | None = None


@dataclass(frozen=True)
class Comparison:
    """`aims` are targets of our own figures, by their names."""

    title: str
    streams: int
    per_second: float
    peers: Sequence[str]
    aims: Mapping[str, float]
    ratios: Sequence[Ratio] = ()

    def run(self, size: Size, announce: Callable[[str], None]) -> dict[str, list[Figure]]:
        load = Load(size.scaled(self.streams), self.per_second, size.fanout_seconds)
        results = {}
        for name in catalogue.installed(self.peers, announce):
            announce(f"{load}: {name}")
            results[name] = self._figures(name, load, announce)
        ratios = list(self.compared(results))
        titled = {f"{self.title}, {name}": figures for name, figures in results.items()}
        return {**titled, f"{self.title}, compared": ratios} if ratios else titled

    def _figures(self, name: str, load: Load, announce: Callable[[str], None]) -> list[Figure]:
        if name in catalogue.HELD_TO_THE_LOAD:
            figures = delivery.figures(_measured(name, load))
            return aimed(figures, self.aims) if name == catalogue.OURS else figures
        measured = _measured(name, dataclasses.replace(load, seconds=min(load.seconds, PROBE_SECONDS)))
        if measured.kept_up:
            measured = _measured(name, load)
        most = Figure("most events/s that it reached", measured.reached_per_second, "/s")
        while not measured.kept_up and load.per_second > MIN_PER_SECOND:
            load = dataclasses.replace(load, per_second=_half(measured.reached_per_second))
            announce(f"{name} was behind at {measured.reached_per_second:.1f}/s, so now: {load}")
            measured = _measured(name, load)
        return [most, *delivery.figures(measured)]

    def compared(self, results: Mapping[str, Sequence[Figure]]) -> Sequence[Figure]:
        values = {name: {figure.name: figure.value for figure in figures} for name, figures in results.items()}
        return [
            Figure(
                f"{ratio.figure}, to {ratio.peer}",
                values[catalogue.OURS][ratio.figure] / values[ratio.peer][ratio.figure],
                "x",
                at_most=ratio.at_most,
            )
            for ratio in self.ratios
            # In a moment too short to be measured, nobody takes any CPU.
            if ratio.peer in values and values[ratio.peer][ratio.figure]
        ]


def _measured(name: str, load: Load) -> Delivery:
    # None inherits what an earlier load has left.
    with catalogue.ALL[name].serving() as peer:
        return delivery.deliver(peer, load)


def _half(per_second: float) -> float:
    """A rate at which there is time to spare."""
    return max(MIN_PER_SECOND, round(per_second / 2, 1))
