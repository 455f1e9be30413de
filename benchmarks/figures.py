"""Figures: one measured value each, with its target if there is one. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.load import Load
from benchmarks.usage import Window


@dataclass(frozen=True)
class Figure:
    """`at_most` and `at_least` are targets in the figure's unit; without one the figure is for information."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """None without a target."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least


def aimed(figures: Sequence[Figure], at_most: Mapping[str, float]) -> list[Figure]:
    """The figures, those that are named with their targets."""
    return [replace(figure, at_most=at_most.get(figure.name, figure.at_most)) for figure in figures]


def latency(
    name: str, seconds: Sequence[float], *, p95_at_most_ms: float | None = None, worst: bool = False
) -> list[Figure]:
    """p50, p95 and p99 in milliseconds; with `worst`, the largest too."""
    # Inclusive: never beyond what was measured.
    percentiles = statistics.quantiles(seconds, n=100, method="inclusive")
    figures = [
        Figure(f"{name}, p50", percentiles[49] * 1000, "ms"),
        Figure(f"{name}, p95", percentiles[94] * 1000, "ms", at_most=p95_at_most_ms),
        Figure(f"{name}, p99", percentiles[98] * 1000, "ms"),
    ]
    return figures + ([Figure(f"{name}, longest", max(seconds) * 1000, "ms")] if worst else [])


def rate(name: str, load: Load, *, units_per_request: int = 1, at_least: float | None = None) -> Figure:
    """Units (requests, or events in them) per second."""
    return Figure(name, load.per_second * units_per_request, "/s", at_least=at_least)


def cost(window: Window, *, units: int, unit: str) -> list[Figure]:
    """CPU time of the server for each unit of work, and how busy everybody was: 100 % is one core."""
    return [
        Figure(f"server CPU per {unit}", window.server_cpu_seconds / units * 1e6, "us"),
        Figure("server CPU", window.server_cpu_seconds / window.seconds * 100, "%"),
        Figure("client CPU", window.client_cpu_seconds / window.seconds * 100, "%"),
        Figure("CPU of others", window.others_cpu_seconds / window.seconds * 100, "%"),
    ]
