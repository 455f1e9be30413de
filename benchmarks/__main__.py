"""`python -m benchmarks`: measure, print the table, and keep it when everything was measured at full length."""

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, report, scaling_page, suite
from benchmarks.peers.python import PROGRAMS
from benchmarks.server import postgres_program
from benchmarks.size import FULL, QUICK
from tests.servers import ROOT

SCALING_PAGE = ROOT / "docs" / "scaling.md"
RESULTS = Path(__file__).parent / "results"
PYTHON = PROGRAMS / "python"
HEADING = """# Results of the last full run

Written by `make bench`; docs/benchmarks.md says what was measured and how, and shows it as plots.

"""


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure real servers on this machine.",
        epilog="\n".join(["names:", *(f"  {name:<18}{entry.title}" for name, entry in suite.SUITE.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="NAME", action="append", choices=suite.SUITE, help="again for another one")
    parser.add_argument("--quick", action="store_true", help="some minutes; the figures are rough")
    parser.add_argument(
        "--search-events",
        metavar="N",
        type=int,
        action="append",
        help="in the log that is searched; again for another one",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    return parser.parse_args(words)


def announce(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    options = arguments()
    names = options.only or list(suite.SUITE)
    if suite.needs_postgres(names) and postgres_program() is None:
        sys.exit("PostgreSQL is not installed (Debian: apt-get install postgresql). --only NAME leaves it out.")
    allow_open_files()
    described = machine.description()
    size = QUICK if options.quick else FULL
    if options.search_events:
        size = dataclasses.replace(size, search_events=tuple(options.search_events))
    results = suite.run(names, size, announce=announce)
    table = report.as_markdown(described, results)
    print(table)
    figures = report.as_json(described, results)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if not options.quick:
        _write_scaling_page(described, results)
    if not options.only and not options.quick:
        (RESULTS / "latest.md").write_text(HEADING + table)
        plot(figures)
        announce(f"written to {RESULTS}")


def _write_scaling_page(described: dict[str, str], results: report.Results) -> None:
    """Into the documentation, if it was measured."""
    title = suite.SUITE["scaling"].title
    if measured := [figures for name, figures in results.items() if name.startswith(f"{title}, ")]:
        SCALING_PAGE.write_text(scaling_page.written(SCALING_PAGE.read_text(), described, measured))
        announce(f"written to {SCALING_PAGE}")


def plot(figures: dict[str, Any], *, by: str = "benchmarks.plots") -> None:
    """By a module, in the environment that has what it needs; without it the plots stay as they are."""
    if not PYTHON.exists():
        announce("no new plots: `make .venv-bench/.installed` installs what they need")
        return
    command = [str(PYTHON), "-m", by, str(RESULTS)]
    subprocess.run(command, check=True, cwd=ROOT, input=json.dumps(figures), text=True)


def allow_open_files() -> None:
    """As many as the system lets us have, here and in all servers: each stream is one at both ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
