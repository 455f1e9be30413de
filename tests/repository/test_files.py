"""The tree is small pieces, and speaks of itself alone."""

import re
from pathlib import Path

import pytest

from tests.repository import tree

LINE_LIMIT = 320
# Longer ones, each with its reason.
LONG_FILES = {
    Path("requirements.lock"): "written by a machine",
    Path("requirements-tracing.lock"): "written by a machine",
    Path("requirements-dev.lock"): "written by a machine",
    Path("requirements-bench.lock"): "written by a machine",
    Path("CHANGELOG.md"): "one entry for each change",
    Path("pyproject.toml"): "one contract of imports for each room",
    Path("benchmarks/results/latest.md"): "one line for each figure of a run",
    Path("deploy/monitoring/grafana/dashboards/vx11-operator.json"): "one entry for each panel",
    Path("tests/cases/security.toml"): "one entry for each case",
    Path("tests/data/lines.toml"): "one entry for each kind of line",
    Path("locale/es/LC_MESSAGES/django.po"): "one entry for each text of the pages",
}
# Places of one machine, and keys that somebody pasted. Put together here, so that this file does not hold them.
FORBIDDEN = {
    "the place of a checkout": re.compile("/" + "work/"),
    "a home folder": re.compile("/" + r"(root|home/\w+)/"),
    "a folder outside": re.compile(r"\.\./" + "shared|" + "shared" + "/(contract|architecture|style|seeds)"),
    "a private key": re.compile("BEGIN [A-Z ]*" + "PRIVATE KEY"),
    "a conflict": re.compile("^(<{7}|>{7}) ", re.MULTILINE),
}


def test_no_file_is_too_long_to_read() -> None:
    long = {path: text.count("\n") for path, text in tree.texts().items() if text.count("\n") > LINE_LIMIT}
    assert {path: lines for path, lines in long.items() if path not in LONG_FILES} == {}


def test_every_exception_from_the_length_is_still_needed() -> None:
    texts = tree.texts()
    assert [path for path in LONG_FILES if path not in texts or texts[path].count("\n") <= LINE_LIMIT] == []


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_file_holds_what_belongs_to_one_machine_or_to_nobody(kind: str) -> None:
    assert [str(path) for path, text in tree.texts().items() if FORBIDDEN[kind].search(text)] == []


def test_no_file_has_white_space_at_line_ends_or_lacks_its_last_newline() -> None:
    untidy = re.compile(r"[ \t]\n|[^\n]\Z")
    assert [str(path) for path, text in tree.texts().items() if untidy.search(text)] == []
