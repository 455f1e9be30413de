"""The checklist of a deploy and the page of escalation: their commands do what the pages say."""

import json
import re
from pathlib import Path

import pytest

from tests import runbook_pages
from tests.servers import ROOT
from tests.stacks import Stack

pytestmark = pytest.mark.timeout(180)

CHECKLIST = (ROOT / "docs" / "deployment-checklist.md").read_text(encoding="utf-8")
ESCALATION = (ROOT / "docs" / "escalation.md").read_text(encoding="utf-8")


def test_the_checklist_writes_a_baseline_and_then_a_scorecard(stack: Stack, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    with runbook_pages.host_of(stack, tmp_path) as environment:
        said = runbook_pages.run(CHECKLIST, environment | {"BASELINE": str(baseline)})
    assert f"written to {baseline}" in said
    before, _, after = said.partition("written to")
    assert "ticket_p95" in before
    assert ", was " not in before
    assert ", was " in after
    assert json.loads(baseline.read_text())["figures"]


def test_what_the_next_person_needs_is_printed_without_a_secret(stack: Stack, tmp_path: Path) -> None:
    with runbook_pages.host_of(stack, tmp_path) as environment:
        said = runbook_pages.run(ESCALATION, environment)
    for words in ("g", '"status"', " OK, ", "tickets", "correlation_id"):
        assert words in said
    assert stack.principal_token not in said


@pytest.mark.once
def test_everyone_who_is_called_and_who_signs_is_on_the_pages() -> None:
    levels = re.findall(r"^\| (\w+) \| [^|]+: \|", ESCALATION, re.MULTILINE)
    assert levels == ["1", "2", "3", "security", "product"]
    signs = re.findall(r"^\| ([\w ]+) \| [^|]+ \| [^|]+ \| \|$", CHECKLIST, re.MULTILINE)
    assert signs == ["tech lead", "operations lead", "security lead", "product owner"]
    templates = re.findall(r"^\*\*(.+)\*\*\n\n((?: {4}.+\n)+)", ESCALATION, re.MULTILINE)
    assert len(templates) == 6
    assert all("<" in text for _, text in templates)
