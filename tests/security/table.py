"""Writes docs/security-cases.md from records of test runs: `python -m tests.security.table RECORD...`."""

import datetime
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.security.cases import ROOT, Case, CaseTest, case_tests, families
from tests.security.recording import Outcomes
from vx11_site import __version__

DOCUMENT = ROOT / "docs/security-cases.md"
SIZES = ("embedded", "scaled")
# The browser's tests, for one, run in one size only: the page is the same.
NOT_RUN = "not run"

HEAD = """\
# What was tried, and what happened

Written by `make security-table` from a run of the tests, not by hand: version {version}, {date}. What is tried and what
a right system answers is in [cases.toml](../tests/security/cases.toml); [security.md](security.md) says why. Each test
is named after its case. Embedded is one process on SQLite, scaled is two servers that share PostgreSQL and Redis; a
test that belongs to one size is skipped or not run in the other.
"""


def table(records: dict[str, Outcomes], *, version: str, date: datetime.date) -> str:
    """The document; `records` are outcomes by size."""
    tests = case_tests()
    parts = [HEAD.format(version=version, date=date.isoformat())]
    for family in families():
        parts.append(f"\n## {family.title}\n\n| case | what is tried | the answer | tests | embedded | scaled |\n")
        parts.append("|---|---|---|---|---|---|\n")
        parts += [_row(case, [test for test in tests if case.id in test.case_ids], records) for case in family.cases]
    return "".join(parts)


def _row(case: Case, tests: Iterable[CaseTest], records: dict[str, Outcomes]) -> str:
    names = "<br>".join(f"[{test.name}](../{test.path})" for test in tests)
    ends = ("<br>".join(records[size].get(test.path, {}).get(test.name, NOT_RUN) for test in tests) for size in SIZES)
    return f"| {' | '.join([case.id, case.tried, case.answer, names, *ends])} |\n"


def main(paths: list[str]) -> int:
    read = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    records: dict[str, Outcomes] = {record["size"]: record["outcomes"] for record in read}
    today = datetime.datetime.now(tz=datetime.UTC).date()
    DOCUMENT.write_text(table(records, version=__version__, date=today), encoding="utf-8")
    failed = [
        f"{size}: {name}"
        for size, outcomes in records.items()
        for tests in outcomes.values()
        for name, outcome in tests.items()
        if outcome == "failed"
    ]
    sys.stderr.writelines(f"failed in {line}\n" for line in failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
