"""`python -m benchmarks`: measure, print the table, and keep it when everything was measured at full length."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine, report, suite
from benchmarks.server import postgres_program
from benchmarks.size import FULL, QUICK

LATEST = Path(__file__).parent / "results" / "latest.md"
HEADING = (
    "# Results of the last full run\n\nWritten by `make bench`; docs/benchmarks.md says what was measured and how.\n\n"
)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure a real server on this machine.")
    parser.add_argument("--only", metavar="NAME", action="append", choices=suite.SUITE, help=", ".join(suite.SUITE))
    parser.add_argument("--quick", action="store_true", help="less than a minute; the figures are rough")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    return parser.parse_args(words)


def announce(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    options = arguments()
    names = options.only or list(suite.SUITE)
    if any(suite.SUITE[name].on_postgres for name in names) and postgres_program() is None:
        sys.exit("PostgreSQL is not installed (Debian: apt-get install postgresql). --only NAME leaves it out.")
    described = machine.description()
    results = suite.run(names, QUICK if options.quick else FULL, announce=announce)
    table = report.as_markdown(described, results)
    print(table)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(described, results), indent=2) + "\n")
    if not options.only and not options.quick:
        LATEST.write_text(HEADING + table)
        announce(f"written to {LATEST}")


if __name__ == "__main__":
    main()
