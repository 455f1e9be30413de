"""`python -m benchmarks.site_page`: the table of docs/large-sites.md, from the results of the last full runs."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.curves.walls import ONE_EVENT, REDIS_CPU
from benchmarks.report import as_table, number
from benchmarks.site_model import Costs, Site, Walls, breaks_first, costs, processes_for, simulate
from tests.servers import ROOT

PAGE = ROOT / "docs" / "large-sites.md"
RESULTS = Path(__file__).parent / "results"
BEGIN, END = "<!-- simulated: `python -m benchmarks.site_page` writes from here -->", "<!-- to here -->"
STREAMS = (10_000, 100_000, 1_000_000)
PER_SECOND = (0.2, 2.0, 20.0, 200.0)
HEAD = (
    "streams", "events/s to all", "processes", "memory", "share of each", "Redis", "commits/s of PostgreSQL's",
    "one dies: all back after", "events late meanwhile", "used up first",
)  # fmt: skip


def walls(curves: Sequence[Mapping[str, Any]]) -> Walls:
    """From benchmarks/results/curves.json. Raises KeyError when a curve is not there."""
    found = {curve["name"]: curve["points"] for curve in curves}
    points = [(point["at"], point["figures"][REDIS_CPU.name] / 1e6) for point in found["redis"]]
    mean_at, mean_cpu = (fmean(column) for column in zip(*points, strict=True))
    heard = sum((at - mean_at) * (cpu - mean_cpu) for at, cpu in points) / sum((at - mean_at) ** 2 for at, _ in points)
    commits = max(point["figures"][ONE_EVENT.name] for point in found["postgres"])
    return Walls(message=max(0.0, mean_cpu - heard * mean_at), heard=heard, commits_per_second=commits)


def table(of: Costs, shared: Walls) -> list[str]:
    return as_table(HEAD, list(_rows(of, shared)))


def _rows(of: Costs, shared: Walls) -> Iterator[list[str]]:
    for streams in STREAMS:
        for per_second in PER_SECOND:
            site = Site(processes_for(streams, per_second, of), streams, per_second)
            found = simulate(site, of)
            yield [
                f"{streams:,}",
                f"{per_second:g}",
                str(site.processes),
                number(site.gigabytes(of), "GB"),
                f"{100 * found.highest_share:.0f} %",
                _percent(shared.redis_share(site)),
                _percent(shared.postgres_share(site)),
                number(found.all_back_seconds, "s"),
                f"{found.longest_behind_seconds:.1f} s",
                breaks_first(site, of, shared),
            ]


def _percent(share: float) -> str:
    return "< 0.1 %" if share < 1e-3 else number(100 * share, "%")


def written(page: str, results: str, curves: Sequence[Mapping[str, Any]]) -> str:
    """The page with another table. Raises ValueError when it has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for the table: {BEGIN} ... {END}")
    return "\n".join([before + BEGIN, "", *table(costs(results), walls(curves)), "", END + after])


def main() -> None:
    results, curves = (RESULTS / "latest.md").read_text(), json.loads((RESULTS / "curves.json").read_text())
    PAGE.write_text(written(PAGE.read_text(), results, curves["curves"]))
    print(f"written to {PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
