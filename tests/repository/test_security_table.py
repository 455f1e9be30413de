"""Every case of docs/security.md has tests, every test's id is that of a case, and the table names what exists."""

import datetime
import re

import pytest

from tests.security import table
from tests.security.cases import ROOT, case_ids, case_tests, ids_of

LINK = re.compile(r"\[(test_\w+)\]\(\.\./([\w/.]+)\)")
ROW = re.compile(r"^\| ([A-Z]\d\d) \|.*\| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
OUTCOMES = {"passed", "skipped", table.NOT_RUN}


def test_every_case_has_a_test() -> None:
    carried = {id for test in case_tests() for id in test.case_ids}
    assert set(case_ids()) - carried == set()


def test_every_id_in_the_name_of_a_test_is_that_of_a_case() -> None:
    known = set(case_ids())
    assert [test for test in case_tests() if not set(test.case_ids) <= known] == []


def test_no_case_stands_twice() -> None:
    assert len(case_ids()) == len(set(case_ids()))


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("test_a12_once", ["A12"]),
        ("test_a02_a03_alike", ["A02", "A03"]),
        ("test_f01_redis_away", []),
        ("test_a_ticket", []),
        ("test_s3_upload", []),
    ],
)
def test_a_name_says_which_cases_a_test_is_of(name: str, ids: list[str]) -> None:
    assert ids_of(name) == ids


def test_the_table_names_every_test_of_every_case_and_no_other() -> None:
    written = {
        (id, path, name)
        for row in table.DOCUMENT.read_text(encoding="utf-8").splitlines()
        for id in re.findall(r"^\| ([A-Z]\d\d) \|", row)
        for name, path in LINK.findall(row)
    }
    exist = {(id, test.path, test.name) for test in case_tests() for id in test.case_ids}
    assert written == exist, "run `make security-table`"


def test_the_table_says_of_every_case_that_it_passed_in_a_size_and_failed_in_none() -> None:
    rows = {id: (embedded, scaled) for id, embedded, scaled in ROW.findall(table.DOCUMENT.read_text(encoding="utf-8"))}
    assert list(rows) == case_ids()
    outcomes = {id: {word for cell in cells for word in cell.split("<br>")} for id, cells in rows.items()}
    assert {id: words for id, words in outcomes.items() if not words <= OUTCOMES or "passed" not in words} == {}


def test_a_table_shows_what_a_run_has_recorded() -> None:
    test = next(test for test in case_tests() if "A12" in test.case_ids)
    records = {"embedded": {test.path: {test.name: "failed"}}, "scaled": {}}
    text = table.table(records, version="9.9", date=datetime.date(2026, 1, 4))
    row = next(line for line in text.splitlines() if line.startswith("| A12 |"))
    assert "failed" in row.rpartition(" | ")[0]
    assert "failed" not in row.rpartition(" | ")[2]
    assert "9.9, 2026-01-04" in text
    assert (ROOT / test.path).is_file()
