"""`python -m benchmarks.curves`: measure each at several sizes, print the tables, and keep those of a full run."""

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks import machine
from benchmarks.__main__ import allow_open_files
from benchmarks.curves import loads, log_length, page, walls
from benchmarks.curves.curve import Curve, as_page
from benchmarks.peers.python import PROGRAMS
from benchmarks.size import FULL, QUICK, Size
from tests.servers import ROOT

PAGE = ROOT / "docs" / "curves.md"
RESULTS = ROOT / "benchmarks" / "results"
FIGURES = RESULTS / "curves.json"
LOG_EVENTS = (10_000, 100_000, 1_000_000, 10_000_000)
Announce = Callable[[str], None]
CURVES: dict[str, Callable[[str, Size, Announce], Curve]] = {
    "streams": loads.BY_STREAMS.measure,
    "rate": loads.BY_RATE.measure,
    "bytes": loads.BY_BYTES.measure,
    "queries": loads.BY_QUERIES.measure,
    "log": lambda name, size, announce: log_length.measure(name, LOG_EVENTS, size, announce),
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
        wanted["log"] = partial(_by_log, options.log_events)
    curves = []
    for name in options.only or CURVES:
        announce(name)
        curve = wanted[name](name, size, announce)
        print("\n".join([f"## {curve.title}", "", *as_page(curve), ""]), flush=True)
        curves.append(curve)
    if not options.quick:
        PAGE.write_text(page.written(PAGE.read_text(), described, curves))
        _keep(described, curves)
        _plot()
        announce(f"written to {PAGE}")


def announce(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _by_log(counts: Sequence[int], name: str, size: Size, announce: Announce) -> Curve:
    return log_length.measure(name, counts, size, announce)


def _plot() -> None:
    """In the environment that has what it needs; without it the plots stay as they are."""
    python = PROGRAMS / "python"
    if not python.exists():
        announce("no new plots: `make .venv-bench/.installed` installs what they need")
        return
    command = [str(python), "-m", "benchmarks.curves.plots", str(RESULTS)]
    subprocess.run(command, check=True, cwd=ROOT, input=FIGURES.read_text(), text=True)


def _keep(machine_: Mapping[str, str], curves: Sequence[Curve]) -> None:
    """Those that were measured; the others stay as they were."""
    known = json.loads(FIGURES.read_text())["curves"] if FIGURES.exists() else []
    kept = {curve["name"]: curve for curve in known}
    kept |= {curve.name: {**dataclasses.asdict(curve), "machine": dict(machine_)} for curve in curves}
    lines = ",\n".join(json.dumps(curve) for curve in kept.values())
    FIGURES.write_text(f'{{"curves": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
