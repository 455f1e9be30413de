"""The cases of tests/security/cases.toml, and the tests that carry their ids. Reads files, imports no test."""

import ast
import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CASES_PATH = Path(__file__).with_name("cases.toml")
# test_a02_a03_wrong_and_expired is a test of two cases. Faults (f) and crowds (r) are not of this table.
IDS = re.compile(r"test((?:_[aslpwx]\d\d)+)_")


@dataclasses.dataclass(frozen=True)
class Case:
    """What somebody tries, and what a right system answers."""

    id: str
    tried: str
    answer: str


@dataclasses.dataclass(frozen=True)
class Family:
    title: str
    cases: tuple[Case, ...]


@dataclasses.dataclass(frozen=True, order=True)
class CaseTest:
    """One test function; its parameters do not count."""

    path: str
    name: str

    @property
    def case_ids(self) -> list[str]:
        return ids_of(self.name)


def ids_of(name: str) -> list[str]:
    """The cases that a test's name carries; none for most tests."""
    found = IDS.match(name)
    return [id.upper() for id in found[1].split("_")[1:]] if found else []


def families() -> list[Family]:
    """As they stand in the file."""
    tables = tomllib.loads(CASES_PATH.read_text(encoding="utf-8")).values()
    return [
        Family(table["title"], tuple(Case(id, **fields) for id, fields in table["cases"].items())) for table in tables
    ]


def case_ids() -> list[str]:
    return [case.id for family in families() for case in family.cases]


def case_tests() -> list[CaseTest]:
    """Every test that carries the id of a case, sorted."""
    paths = (ROOT / "tests").rglob("test_*.py")
    return sorted(CaseTest(str(path.relative_to(ROOT)), name) for path in paths for name in _test_names(path))


def _test_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ids_of(node.name):
            yield node.name
