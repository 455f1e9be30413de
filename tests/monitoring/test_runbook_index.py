"""The index of the runbooks leads on from what a client has in its hands: the reason of an error."""

import re

import pytest

from gateway.http.errors import REASONS
from tests import runbook_pages
from tests.runbook_pages import anchors
from tests.servers import ROOT

pytestmark = pytest.mark.once

# What the client itself has done: these go to whoever wrote it, and the row for all others says so.
OF_THE_REQUEST = frozenset({400, 404, 405, 406, 409, 413, 415, 422})
PAGES = ROOT / "docs" / "runbooks"


def test_every_reason_that_is_no_fault_of_the_request_has_a_page() -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", runbook_pages.text("README.md"), re.MULTILINE)
    told = {reason for cell, page in rows if ".md" in page for reason in re.findall(r"`(\w+)`", cell)}
    expected = {reason for reason, (status, _) in REASONS.items() if status not in OF_THE_REQUEST}
    assert expected - told == set()
    assert "token_in_query" in told


def test_the_headings_that_the_pages_link_to_exist() -> None:
    missing = []
    for page in runbook_pages.PAGES:
        for name, heading in re.findall(r"\]\(([\w./-]*\.md)?#([\w-]+)\)", runbook_pages.text(page)):
            target = (PAGES / (name or page)).resolve()
            if heading not in anchors(target.read_text(encoding="utf-8")):
                missing.append((page, name, heading))
    assert missing == []
