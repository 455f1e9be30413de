"""One word far back in a long log is found by writing it, and by nothing else."""

import re

import pytest
from playwright.sync_api import Page, expect

from benchmarks import search_log
from tests.accounts import add_account
from tests.browser.console_page import ConsolePage
from tests.conftest import OwnStack

# Made and indexed in some seconds of CPU. `python -m benchmarks --only browser` asks for one behind ten times as many.
EVENTS = 100_000
NEEDLE = "xochimilco"


@pytest.mark.once
@pytest.mark.timeout(180)
def test_a_needle_behind_a_hundred_thousand_events_is_found_with_one_input(page: Page, own_stack: OwnStack) -> None:
    stack = own_stack()
    stack.client(stack.service_token).published({**search_log.FIRST, "summary": f"the {NEEDLE} of the log"})
    stack.a.stop()
    search_log.fill_sqlite(stack.a.data / "operator.sqlite3", EVENTS)
    # The index is not there yet: what it does not know is read.
    stack.a.start()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"))
    expect(console.rows.last).to_be_visible()
    page.get_by_role("combobox", name="Query").fill(NEEDLE)
    expect(console.row(f"the {NEEDLE} of the log")).to_be_visible(timeout=60_000)
    expect(console.rows).to_have_count(1)
    expect(page).to_have_url(re.compile(f"q={NEEDLE}"))
    assert console.problems == []
