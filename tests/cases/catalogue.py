"""The cases of the files beside this one, and the tests that carry their ids. Reads files, imports no test."""

import ast
import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# test_a02_a03_wrong_and_expired is a test of two cases.
IDS = re.compile(r"test((?:_[aslpwxfrn]\d\d)+)_")


@dataclasses.dataclass(frozen=True)
class Case:
    """What somebody tries, or what happens, and what a right system answers."""

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


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The cases of one document, in families."""

    name: str

    @property
    def path(self) -> Path:
        return Path(__file__).with_name(f"{self.name}.toml")

    def families(self) -> list[Family]:
        """As they stand in the file."""
        tables = tomllib.loads(self.path.read_text(encoding="utf-8")).values()
        return [
            Family(table["title"], tuple(Case(id, **fields) for id, fields in table["cases"].items()))
            for table in tables
        ]

    def case_ids(self) -> list[str]:
        return [case.id for family in self.families() for case in family.cases]

    def tests(self) -> list[CaseTest]:
        """Every test that carries the id of a case of this catalogue, sorted."""
        known = set(self.case_ids())
        return [test for test in case_tests() if known & set(test.case_ids)]


CATALOGUES = {name: Catalogue(name) for name in ("security", "reliability")}


def ids_of(name: str) -> list[str]:
    """The cases that a test's name carries; none for most tests."""
    found = IDS.match(name)
    return [id.upper() for id in found[1].split("_")[1:]] if found else []


def case_tests() -> list[CaseTest]:
    """Every test that carries the id of a case, sorted."""
    paths = (ROOT / "tests").rglob("test_*.py")
    return sorted(CaseTest(str(path.relative_to(ROOT)), name) for path in paths for name in _test_names(path))


def _test_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ids_of(node.name):
            yield node.name
