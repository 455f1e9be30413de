"""A curve: what was measured at several sizes of one thing, and how steeply that grows. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.report import as_table, number

# What grows as x to the power of this may be called linear: CPU is counted in ticks of 10 ms.
LINEAR = 1.1
# Below it nothing was measured but the tick of a clock.
LEAST = 1e-9


@dataclass(frozen=True)
class Point:
    """Figures by their names, at one size."""

    at: float
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """A figure that is drawn. `judged` is False for what a clock says of a shared machine."""

    name: str
    unit: str
    judged: bool = True


@dataclass(frozen=True)
class Curve:
    """`axis` says what the size is, with its unit; the points go from the smallest to the largest."""

    name: str
    title: str
    axis: str
    lines: Sequence[Line]
    points: Sequence[Point]

    def values(self, line: Line) -> list[tuple[float, float]]:
        """Those points that have the figure."""
        return [(point.at, point.figures[line.name]) for point in self.points if line.name in point.figures]


@dataclass(frozen=True)
class Steepness:
    """Exponents: 1 grows as the size does, 0 not at all. `whole` is of all points, `end` of the two largest."""

    whole: float
    end: float

    @property
    def verdict(self) -> str:
        if self.end > LINEAR:
            return "MORE THAN LINEAR"
        return "linear" if self.end > 0.9 else "less than linear"


def steepness(values: Sequence[tuple[float, float]]) -> Steepness | None:
    """None with fewer than two points that are more than nothing."""
    logs = [(math.log(size), math.log(value)) for size, value in values if size > 0 and value > LEAST]
    if len(logs) < 2:
        return None
    return Steepness(_slope(logs), _slope(logs[-2:]))


def _slope(logs: Sequence[tuple[float, float]]) -> float:
    """Of the straight line with the least squares of its distances."""
    mean_x, mean_y = (fmean(column) for column in zip(*logs, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread


def as_page(curve: Curve) -> list[str]:
    """Its table in Markdown: a row for each point, and the exponents below."""
    head = (curve.axis, *(line.name for line in curve.lines))
    rows = [
        [f"{point.at:,g}" if point.at < 1e6 else f"{point.at:,.0f}", *(_cell(point, line) for line in curve.lines)]
        for point in curve.points
    ]
    exponents = [steepness(curve.values(line)) for line in curve.lines]
    rows += [
        ["exponent, all points", *("" if it is None else f"{it.whole:.2f}" for it in exponents)],
        ["exponent, the last two", *("" if it is None else f"{it.end:.2f}" for it in exponents)],
        ["", *(_verdict(line, it) for line, it in zip(curve.lines, exponents, strict=True))],
    ]
    return as_table(head, rows)


def _cell(point: Point, line: Line) -> str:
    return number(point.figures[line.name], line.unit) if line.name in point.figures else ""


def _verdict(line: Line, found: Steepness | None) -> str:
    if found is None:
        return ""
    return found.verdict if line.judged else "by the clock"
