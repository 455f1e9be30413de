"""`python -m benchmarks.curves`: measure each at several sizes, print the tables, and keep those of a full run."""

import argparse
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks import machine
from benchmarks.__main__ import RESULTS, allow_open_files, announce, plot
from benchmarks.curves import loads, log_length, page, walls
from benchmarks.curves.curve import Curve, as_page
from benchmarks.size import FULL, QUICK, Size
from tests.servers import ROOT

PAGE = ROOT / "docs" / "curves.md"
FIGURES = RESULTS / "curves.json"
LOG_EVENTS = (10_000, 100_000, 1_000_000, 10_000_000)
Announce = Callable[[str], None]
CURVES: dict[str, Callable[[str, Size, Announce], Curve]] = {
    "streams": loads.BY_STREAMS.measure,
    "rate": loads.BY_RATE.measure,
    "bytes": loads.BY_BYTES.measure,
    "queries": loads.BY_QUERIES.measure,
    "log": partial(log_length.measure, counts=LOG_EVENTS),
    "redis": walls.measure_redis,
    "postgres": walls.measure_postgres,
}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description="How costs grow, on this machine.")
    parser.add_argument("--only", metavar="NAME", action="append", choices=CURVES, help=", ".join(CURVES))
    parser.add_argument("--quick", action="store_true", help="shorter loads; nothing is written")
    parser.add_argument("--log-events", metavar="N", type=int, action="append", help="of `log`: again for another size")
    options = parser.parse_args(words)
    allow_open_files()
    described, size = machine.description(), QUICK if options.quick else FULL
    wanted = dict(CURVES)
    if options.log_events:
        wanted["log"] = partial(log_length.measure, counts=options.log_events)
    curves = []
    for name in options.only or CURVES:
        announce(name)
        curve = wanted[name](name, size, announce)
        print("\n".join([f"## {curve.title}", "", *as_page(curve), ""]), flush=True)
        curves.append(curve)
    if not options.quick:
        PAGE.write_text(page.written(PAGE.read_text(), described, curves))
        plot(_keep(described, curves), by="benchmarks.curves.plots")
        announce(f"written to {PAGE}")


def _keep(described: Mapping[str, str], curves: Sequence[Curve]) -> dict[str, Any]:
    """Those that were measured; the others stay as they were. Gives all of them."""
    known = json.loads(FIGURES.read_text())["curves"] if FIGURES.exists() else []
    kept = {curve["name"]: curve for curve in known}
    kept |= {curve.name: {**dataclasses.asdict(curve), "machine": dict(described)} for curve in curves}
    lines = ",\n".join(json.dumps(curve) for curve in kept.values())
    FIGURES.write_text(f'{{"curves": [\n{lines}\n]}}\n')
    return {"curves": list(kept.values())}


if __name__ == "__main__":
    main()
