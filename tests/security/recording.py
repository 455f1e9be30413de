"""A pytest plugin that notes how the tests of security cases ended: `--record-cases FILE` runs those and no others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.cases import ids_of

# Worst first: what one of its parameters does, a test has done.
OUTCOMES = ("failed", "passed", "skipped")

Outcomes = dict[str, dict[str, str]]


class Recording:
    """Outcomes by file and function; of several parameters the worst counts, and skipped only if all are."""

    def __init__(self, path: Path, size: str) -> None:
        self._path = path
        self._size = size
        self.outcomes: Outcomes = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
        yield
        others = [item for item in items if not ids_of(_function_of(item.nodeid))]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # What went wrong before or after a test counts too; that those two went well says nothing.
        if report.when != "call" and report.outcome == "passed":
            return
        path, _, _ = report.nodeid.partition("::")
        tests = self.outcomes.setdefault(path, {})
        name = _function_of(report.nodeid)
        tests[name] = min(report.outcome, tests.get(name, OUTCOMES[-1]), key=OUTCOMES.index)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        # A worker of pytest-xdist reports to the process that directs, which writes for all. A run that was broken
        # off, or never began, leaves no record.
        whole = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if whole and not hasattr(session.config, "workerinput"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            record = {"size": self._size, "outcomes": self.outcomes}
            self._path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _function_of(node_id: str) -> str:
    """`test_a` of `tests/test_x.py::test_a[1-b]`."""
    return node_id.partition("::")[2].rpartition("::")[2].partition("[")[0]


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-cases", metavar="FILE", help="run the tests of security cases only, and write how they ended"
    )


def activate(config: pytest.Config) -> None:
    path = config.getoption("record_cases")
    if path:
        config.pluginmanager.register(Recording(Path(path), config.getoption("--stack")), "record-cases")
