"""Writes a catalogue's document from records of test runs: `python -m tests.cases.table CATALOGUE RECORD...`."""

import dataclasses
import datetime
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cases.catalogue import CATALOGUES, ROOT, Case, CaseTest, Catalogue
from tests.cases.recording import Outcomes, Times
from vx11_site import __version__

# A split stack is gateways and backends; it is what some faults need, and only those are run there.
SIZES = {"security": ("embedded", "scaled"), "reliability": ("embedded", "scaled", "split")}
# The browser's tests, for one, run in one size only: the page is the same.
NOT_RUN = "not run"
DOCUMENTS = {"security": ROOT / "docs/security-cases.md", "reliability": ROOT / "docs/reliability.md"}

HEADS = {
    "security": """\
# What was tried, and what happened

Written by `make security-table` from a run of the tests, not by hand: version {version}, {date}. What is tried and what
a right system answers is in [security.toml](../tests/cases/security.toml); [security.md](security.md) says why. Each
test is named after its case. Embedded is one process on SQLite, scaled is two servers that share PostgreSQL and Redis;
a test that belongs to one size is skipped or not run in the other.
""",
    "reliability": """\
# What was broken, and what it cost

Written by `make reliability` from a run of the tests, not by hand: version {version}, {date}. Each test breaks
something real (processes, Redis, PostgreSQL, the network, the disk), and holds all of them to one invariant: **every
committed event comes to every reader who may see it exactly once and in order, and publishers are told the truth (201
is durable)**. What happens and what a right system answers is in [reliability.toml](../tests/cases/reliability.toml).
Each test is named after its case. Embedded is one process on SQLite, scaled is two servers or more that share
PostgreSQL and Redis, split is gateways and backends; a test that belongs to one size is skipped or not run in others.

Times are of that one run, on a machine of two cores that ran two tests at once: they say what kind of time it takes,
not how fast yours is.
""",
}


@dataclasses.dataclass(frozen=True)
class Record:
    """How the tests of one size ended, and what they measured."""

    outcomes: Outcomes
    times: Times


def table(catalogue: Catalogue, records: Mapping[str, Record], *, version: str, date: datetime.date) -> str:
    """The document; `records` are by size."""
    tests = catalogue.tests()
    sizes = SIZES[catalogue.name]
    ends = {size: records[size] for size in sizes}
    parts = [HEADS[catalogue.name].format(version=version, date=date.isoformat()), _times(tests, ends)]
    for family in catalogue.families():
        parts.append(f"\n## {family.title}\n\n| case | what is tried | the answer | tests | {' | '.join(sizes)} |\n")
        parts.append("|---|---|---|---|" + "---|" * len(sizes) + "\n")
        parts += [_row(case, [test for test in tests if case.id in test.case_ids], ends) for case in family.cases]
    return "".join(parts)


def _row(case: Case, tests: Iterable[CaseTest], records: Mapping[str, Record]) -> str:
    names = "<br>".join(f"[{test.name}](../{test.path})" for test in tests)
    ends = (
        "<br>".join(record.outcomes.get(test.path, {}).get(test.name, NOT_RUN) for test in tests)
        for record in records.values()
    )
    return f"| {' | '.join([case.id, case.tried, case.answer, names, *ends])} |\n"


def _times(tests: Iterable[CaseTest], records: Mapping[str, Record]) -> str:
    rows = [
        f"| {', '.join(test.case_ids)} | {what} | {size} | {seconds:.1f} s |\n"
        for test in tests
        for size, record in records.items()
        for what, seconds in record.times.get(test.path, {}).get(test.name, {}).items()
    ]
    if not rows:
        return ""
    head = "\n## How long it took\n\n| case | until | size | took |\n|---|---|---|---|\n"
    return head + "".join(sorted(rows))


def main(arguments: list[str]) -> int:
    catalogue, paths = CATALOGUES[arguments[0]], arguments[1:]
    read = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    records = {record["size"]: Record(record["outcomes"], record["times"]) for record in read}
    today = datetime.datetime.now(tz=datetime.UTC).date()
    DOCUMENTS[catalogue.name].write_text(table(catalogue, records, version=__version__, date=today), encoding="utf-8")
    failed = [
        f"{size}: {name}"
        for size, record in records.items()
        for tests in record.outcomes.values()
        for name, outcome in tests.items()
        if outcome == "failed"
    ]
    sys.stderr.writelines(f"failed in {line}\n" for line in failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
