"""Makes docs/admin.png from the real dashboard: `.venv/bin/python -m tests.browser.admin_screenshot`."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import ViewportSize, expect, sync_playwright

from tests.browser.admin_page import add_history, add_staff, enter_admin
from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.client import Stream
from tests.servers import ROOT
from tests.stacks import Stack

PICTURE = ROOT / "docs" / "admin.png"
SIZE = ViewportSize(width=1200, height=830)
STREAMS = 12


def take_picture(stack: Stack, picture: Path) -> None:
    add_history(stack)
    ana = add_staff(stack, group="administrator", name="ana")
    service, reader = stack.client(stack.service_token), stack.client(stack.principal_token)
    open_streams: list[Stream] = []
    with sync_playwright() as playwright, ExitStack() as streams:
        for _ in range(STREAMS):
            stream = streams.enter_context(reader.stream(token=reader.ticket()))
            stream.connected()
            # Who lets go of a stream closes it.
            open_streams.append(stream)
        for number in range(40):
            service.published({"event_type": "drift", "summary": f"change {number}"})
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport=SIZE, color_scheme="light", locale="en-GB", timezone_id="UTC")
        enter_admin(page, stack, ana)
        expect(page.locator("[data-figure=streams]")).to_have_text(str(STREAMS), timeout=30_000)
        # Until the whole hour is counted.
        expect(page.locator("[data-slot=note]")).not_to_contain_text("being counted", timeout=60_000)
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Stack("embedded", Path(folder)) as stack:
        take_picture(stack, PICTURE)
