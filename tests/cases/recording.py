"""A pytest plugin that notes how the tests of cases ended, and how long it took until all was well again.

`--record-cases FILE --catalogue NAME` runs the tests of one catalogue and no others; `all` runs every test there is.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.cases.catalogue import CATALOGUES, Catalogue, ids_of

# Worst first: what one of its parameters does, a test has done.
OUTCOMES = ("failed", "passed", "skipped")
TOOK_SECONDS = "took_seconds"

Outcomes = dict[str, dict[str, str]]
Times = dict[str, dict[str, dict[str, float]]]
Recovery = Callable[[str], AbstractContextManager[None]]


class Recording:
    """Outcomes and times by file and function; of several parameters the worst counts, and skipped only if all are."""

    def __init__(self, path: Path, size: str, catalogue: Catalogue | None) -> None:
        self._path = path
        self._size = size
        self._known = set(catalogue.case_ids()) if catalogue else None
        self.outcomes: Outcomes = {}
        self.times: Times = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
        yield
        if self._known is None:
            return
        others = {item for item in items if not self._known & set(ids_of(_function_of(item.nodeid)))}
        config.hook.pytest_deselected(items=list(others))
        items[:] = [item for item in items if item not in others]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # What went wrong before or after a test counts too; that those two went well says nothing.
        if report.when != "call" and report.outcome == "passed":
            return
        path, _, _ = report.nodeid.partition("::")
        tests = self.outcomes.setdefault(path, {})
        name = _function_of(report.nodeid)
        tests[name] = min(report.outcome, tests.get(name, OUTCOMES[-1]), key=OUTCOMES.index)
        took = self.times.setdefault(path, {}).setdefault(name, {})
        for key, value in report.user_properties:
            if key == TOOK_SECONDS:
                # As record_property had it, or as it came from a worker: JSON knows no types.
                what, seconds = str(value[0]), float(value[1])  # type: ignore[index]
                took[what] = max(seconds, took.get(what, 0.0))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        # A worker of pytest-xdist reports to the process that directs, which writes for all. A run that was broken
        # off, or never began, leaves no record.
        whole = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if whole and not hasattr(session.config, "workerinput"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            record = {"size": self._size, "outcomes": self.outcomes, "times": self.times}
            self._path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@pytest.fixture
def recovery(record_property: Callable[[str, object], None]) -> Recovery:
    """`with recovery("tickets are issued again"):` notes how long that took, for docs/reliability.md."""

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        record_property(TOOK_SECONDS, [what, round(time.monotonic() - started, 2)])

    return timed


def _function_of(node_id: str) -> str:
    """`test_a` of `tests/test_x.py::test_a[1-b]`."""
    return node_id.partition("::")[2].rpartition("::")[2].partition("[")[0]


def add_option(parser: pytest.Parser) -> None:
    parser.addoption("--record-cases", metavar="FILE", help="run the tests of cases only, and write how they ended")
    parser.addoption("--catalogue", choices=[*CATALOGUES, "all"], default="security", help="whose cases those are")


def activate(config: pytest.Config) -> None:
    path = config.getoption("record_cases")
    if path:
        catalogue = CATALOGUES.get(config.getoption("catalogue"))
        recording = Recording(Path(path), config.getoption("--stack"), catalogue)
        config.pluginmanager.register(recording, "record-cases")
