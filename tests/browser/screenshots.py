"""Makes the pictures of docs/console.md from the real page: `make screenshots`."""

import random
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright

from tests.accounts import Account, add_account
from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.browser.console_page import ConsolePage
from tests.browser.sample_events import sample_events
from tests.browser.test_console_pictures import LAME_MODULE
from tests.client import API
from tests.servers import ROOT
from tests.stacks import Stack

FOLDER = ROOT / "docs"
SIZE_LIMIT_BYTES = 300_000
# Otherwise all rows would show the same second, and the pictures of the last minutes nothing.
TRAFFIC_SECONDS = 40
PACE_SECONDS = 0.7
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 375, "height": 667}

# What the person of the pictures wants to know: fires in the sample.
WATCHES: list[Mapping[str, Any]] = [
    {"name": "Workers lost", "query": "module:spawner severity:critical", "condition": {"kind": "every"}},
    {"name": "Drift", "query": "type:drift", "condition": {"kind": "count", "at_least": 2, "within_sec": 60}},
    {
        "name": "Errors of a module",
        "query": "severity>=error",
        "group_by": "module",
        "condition": {"kind": "count", "at_least": 1, "within_sec": 10},
    },
]
MAKE_WATCH = """
    async ([url, body]) => {
        const csrf = document.querySelector("meta[name=csrf-token]").content;
        const headers = { "Content-Type": "application/json", "X-CSRFToken": csrf };
        return (await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })).status;
    }
"""
# In the same order over the days that a preview looks at, with busy and quiet hours.
OLDER = """
from datetime import timedelta
from random import Random
from django.utils import timezone
from events.models import Event
chance, begin = Random(5), timezone.now() - timedelta(days=6.8)
seqs = list(Event.objects.order_by("seq").values_list("seq", flat=True))
gaps = [chance.random() ** 6 for _ in seqs]
at = begin
for seq, gap in zip(seqs, gaps):
    at += timedelta(days=6.7) * gap / sum(gaps)
    Event.objects.filter(seq=seq).update(created_at=at)
"""

Json = Mapping[str, Any]


def publish_traffic(stack: Stack) -> None:
    """Some events a second that look like those of the sample, and then the sample itself, in its order."""
    client = stack.client(stack.service_token)
    chance = random.Random(11)
    events = [dict(event) for event in sample_events()]
    for second in range(TRAFFIC_SECONDS):
        count = 6 + chance.randrange(8) + (20 if second in range(22, 26) else 0)
        client.published([{**chance.choice(events), "occurred_at": None} for _ in range(count)])
        time.sleep(1)
    for event in events:
        time.sleep(PACE_SECONDS)
        client.published(event)


class Photographer:
    def __init__(self, browser: Browser, stack: Stack, account: Account) -> None:
        self.browser = browser
        self.stack = stack
        self.account = account

    def open(self, *, viewport: Json, scheme: str = "light", locale: str = "en-GB") -> ConsolePage:
        """The console as this person sees it, with some seconds of its own history of latency."""
        options: dict[str, Any] = {"viewport": viewport, "color_scheme": scheme, "locale": locale}
        page = self.browser.new_page(timezone_id="UTC", **options)
        console = ConsolePage(page, self.stack.a.url)
        page.goto(f"{self.stack.a.url}/operator/")
        page.locator("[name=username]").fill(self.account.name)
        page.locator("[name=password]").fill(self.account.password)
        page.locator("main button[type=submit]").click()
        expect(console.page.locator(".status")).to_have_attribute("data-state", "live")
        console.expect_read()
        return console

    def save(self, console: ConsolePage, name: str) -> None:
        picture = FOLDER / f"{name}.png"
        console.page.screenshot(path=picture)
        assert picture.stat().st_size < SIZE_LIMIT_BYTES, f"{picture} has {picture.stat().st_size} bytes"
        console.page.close()


def take_pictures(stack: Stack, browser: Browser) -> None:
    camera = Photographer(browser, stack, add_account(stack, group="operator", name="ana"))
    light, dark = camera.open(viewport=WIDE), camera.open(viewport=WIDE, scheme="dark")
    narrow = camera.open(viewport=NARROW)
    assert stack.client(stack.principal_token).post(f"{API}/window/open", json={"ttl_sec": 1500}).status_code == 200
    for watch in WATCHES:
        assert light.page.evaluate(MAKE_WATCH, [f"{API}/watches", watch]) == 201
    publish_traffic(stack)
    for console in (light, dark, narrow):
        expect(console.rows.last).to_contain_text("nightly-index finished")
    camera.save(light, "console")
    dark.row("3 of 4 workers no longer answer; 1 204 jobs wait").last.click()
    expect(dark.page.locator("#detail")).to_be_visible()
    camera.save(dark, "console-dark")
    camera.save(narrow, "console-narrow")
    take_pictures_of_watches(stack, camera)
    stack.a.python(LAME_MODULE)
    degraded = camera.open(viewport=WIDE, locale="es-ES")
    expect(degraded.page.locator("[data-banner=degraded]")).to_be_visible()
    camera.save(degraded, "console-degraded")


def take_pictures_of_watches(stack: Stack, camera: Photographer) -> None:
    """What they have fired, and the form with what a new one would have done."""
    fired = camera.open(viewport=WIDE)
    fired.page.locator("[data-action=fired]").click()
    fired.page.locator("#fired .firing").filter(has_text="Workers lost").get_by_role("button", name="Mute").click()
    camera.save(fired, "console-fired")
    form = camera.open(viewport=WIDE)
    stack.a.python(OLDER)
    form.page.get_by_label("Query").fill('"Requests for"')
    form.page.keyboard.press("Enter")
    form.page.get_by_role("button", name="New watch").click()
    form.page.locator("#watch").get_by_label("Name").fill("Routes change often")
    form.page.locator("#watch").get_by_role("spinbutton", name="Within").fill("6")
    form.page.locator("#watch [name=time_unit]").select_option("3600")
    expect(form.page.locator("[data-slot=watch-preview-words]")).to_contain_text("times in the last 7 days")
    expect(form.page.locator("#watch .fired-at")).to_have_attribute("d", re.compile("M"))
    camera.save(form, "console-watch")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Stack("embedded", Path(folder)) as stack, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        take_pictures(stack, browser)
        browser.close()


if __name__ == "__main__":
    main()
