"""Every case has tests, every test's id is that of a case, and the tables in docs/ name what exists."""

import datetime
import re

import pytest

from tests.cases import table
from tests.cases.catalogue import CATALOGUES, ROOT, Catalogue, case_tests, ids_of
from tests.cases.table import Record

LINK = re.compile(r"\[(test_\w+)\]\(\.\./([\w/.]+)\)")
ROW = re.compile(r"^\| ([A-Z]\d\d) \| [^|]* \| [^|]* \| [^|]* \| (.*) \|$", re.MULTILINE)
OUTCOMES = {"passed", "skipped", table.NOT_RUN}

each_catalogue = pytest.mark.parametrize("catalogue", CATALOGUES.values(), ids=CATALOGUES)


def document(catalogue: Catalogue) -> str:
    """Its rows of cases."""
    return table.DOCUMENTS[catalogue.name].read_text(encoding="utf-8").partition("| the answer |")[2]


@each_catalogue
def test_every_case_has_a_test(catalogue: Catalogue) -> None:
    carried = {id for test in case_tests() for id in test.case_ids}
    assert set(catalogue.case_ids()) - carried == set()


def test_every_id_in_the_name_of_a_test_is_that_of_a_case() -> None:
    known = {id for catalogue in CATALOGUES.values() for id in catalogue.case_ids()}
    assert [test for test in case_tests() if not set(test.case_ids) <= known] == []


def test_no_case_stands_twice() -> None:
    ids = [id for catalogue in CATALOGUES.values() for id in catalogue.case_ids()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("test_a12_once", ["A12"]),
        ("test_a02_a03_alike", ["A02", "A03"]),
        ("test_f01_redis_away", ["F01"]),
        ("test_a_ticket", []),
        ("test_s3_upload", []),
    ],
)
def test_a_name_says_which_cases_a_test_is_of(name: str, ids: list[str]) -> None:
    assert ids_of(name) == ids


@each_catalogue
def test_the_table_names_every_test_of_every_case_and_no_other(catalogue: Catalogue) -> None:
    written = {
        (id, path, name)
        for row in document(catalogue).splitlines()
        for id in re.findall(r"^\| ([A-Z]\d\d) \|", row)
        for name, path in LINK.findall(row)
    }
    known = set(catalogue.case_ids())
    exist = {(id, test.path, test.name) for test in catalogue.tests() for id in test.case_ids if id in known}
    assert written == exist, "run `make security-table` or `make reliability`"


@each_catalogue
def test_the_table_says_of_every_case_that_it_passed_in_a_size_and_failed_in_none(catalogue: Catalogue) -> None:
    rows = dict(ROW.findall(document(catalogue)))
    assert list(rows) == catalogue.case_ids()
    outcomes = {id: set(re.split(r"<br>| \| ", cells)) for id, cells in rows.items()}
    assert {id: words for id, words in outcomes.items() if not words <= OUTCOMES or "passed" not in words} == {}


def test_a_table_shows_what_a_run_has_recorded() -> None:
    catalogue = CATALOGUES["reliability"]
    test = next(test for test in catalogue.tests() if "F01" in test.case_ids)
    times = {test.path: {test.name: {"all was well": 1.25}}}
    failed = Record({test.path: {test.name: "failed"}}, {})
    records = {"embedded": failed, "scaled": Record({}, times), "split": Record({}, {})}
    text = table.table(catalogue, records, version="9.9", date=datetime.date(2026, 1, 4))
    row = next(line for line in text.splitlines() if test.name in line)
    assert [("failed" in cell) for cell in row.split(" | ")[-3:]] == [True, False, False]
    assert f"| {', '.join(test.case_ids)} | all was well | scaled | 1.2 s |" in text
    assert "9.9, 2026-01-04" in text
    assert (ROOT / test.path).is_file()
