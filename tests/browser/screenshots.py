"""Makes docs/console.png from the real page: `.venv/bin/python -m tests.browser.screenshots`."""

import tempfile
import time
from pathlib import Path

from playwright.sync_api import ViewportSize, expect, sync_playwright

from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.browser.console_page import ConsolePage, add_account
from tests.browser.sample_events import sample_events
from tests.servers import ROOT
from tests.stacks import Stack

PICTURE = ROOT / "docs" / "console.png"
PACE_SECONDS = 1.3
SIZE = ViewportSize(width=1200, height=680)


def take_picture(stack: Stack, picture: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport=SIZE, color_scheme="light", locale="en-GB", timezone_id="UTC")
        console = ConsolePage(page, stack.a.url)
        console.open(add_account(stack, group="viewer", name="ana"))
        client = stack.client(stack.service_token)
        for event in sample_events():
            # Otherwise all rows would show the same second.
            time.sleep(PACE_SECONDS)
            client.published(dict(event))
        expect(console.rows.last).to_contain_text("nightly-index finished")
        page.locator("h1").click()
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Stack("embedded", Path(folder)) as stack:
        take_picture(stack, PICTURE)
