"""Pictures of the system: each shows what is there, and says it in words."""

import re
from collections.abc import Callable, Mapping

from playwright.sync_api import Page, expect

from tests.accounts import add_account
from tests.browser.console_page import ConsolePage
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
# A core module that has said nothing for a long time.
LAME_MODULE = """
from datetime import timedelta
from django.utils import timezone
from operator_api.models import Module
Module.objects.create(name="brain", category="core", last_seen=timezone.now() - timedelta(days=1))
"""


def test_the_histogram_counts_by_severity_what_came_before_and_what_comes(
    console: ConsolePage, service: Client, new_event: NewEvent
) -> None:
    service.published([new_event(severity="error") for _ in range(40)])
    console.page.reload()
    words = console.page.locator("[data-slot=rate-words]")
    expect(words).to_have_text(re.compile(r"Events from .*error \d+"))
    drawn = console.page.locator("[data-picture=rate] path.error")
    before = drawn.get_attribute("d") or ""
    assert before.count("M") >= 1
    service.published([new_event(severity="error") for _ in range(200)])
    expect(drawn).not_to_have_attribute("d", before)
    assert console.problems == []


COUNT_TWICE = """
    async () => {
        const { Histogram } = await import("/static/operator_api/histogram.js");
        const created_at = new Date().toISOString();
        const start = new Date(Math.floor(Date.now() / 5000) * 5000).toISOString();
        let answer;
        const chart = new Histogram({ getWithClock: () => new Promise((resolve) => { answer = resolve; }) }, () => {});
        const started = chart.start();
        const come = (seqs) => seqs.forEach((seq) => chart.count({ seq, created_at, severity: "error" }, `e-${seq}`));
        come([3, 4, 5, 6, 7]);
        const counts = { info: 0, warn: 0, error: 5, critical: 0 };
        answer({ aheadMs: 0, body: { cursor: "e-5", bucket: 5, complete: true, buckets: [{ start, ...counts }] } });
        await started;
        chart.stop();
        return document.querySelector("[data-slot=rate-words]").textContent;
    }
"""


def test_what_the_log_has_counted_is_not_counted_again_when_it_comes(console: ConsolePage) -> None:
    assert ", error 7," in console.page.evaluate(COUNT_TWICE)


def test_the_latency_is_measured_from_publication_to_screen(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    expect(console.page.locator("[data-slot=latency]")).to_have_text("Not measured yet")
    service.published(new_event(summary=f"{marker} measured"))
    words = console.page.locator("[data-slot=latency]")
    expect(words).to_have_text(re.compile(r"^\d+ ms now, \d+ ms usually, \d+ ms at most$"))
    assert int(re.findall(r"\d+", words.text_content() or "")[0]) < 2_000
    expect(console.page.get_by_role("img", name=re.compile("From publication to screen: "))).to_be_visible()


def test_every_module_is_shown_with_its_state_and_leads_to_its_events(
    console: ConsolePage, principal: Client, service: Client, new_event: NewEvent, marker: str
) -> None:
    modules = principal.get(f"{API}/modules").json()["modules"]
    words = {"UP": "up", "DOWN": "down", "OFF_BY_POLICY": "off by policy"}
    for name, module in modules.items():
        tile = console.page.locator(f"[data-module={name}]")
        # What is published meanwhile, or is none of this system: test_console_modules.py.
        if module["category"] != "optional" and module["reason"] is None:
            expect(tile).to_have_text(f"{name}{words.get(module['status'], 'not known')}")
    service.published([new_event(summary=f"{name} {marker}", module=name) for name in ("hermes", "switch")])
    expect(console.row(f"hermes {marker}")).to_be_visible()
    tile = console.page.locator("[data-module=hermes]")
    wait_until(lambda: principal.get(f"{API}/modules/hermes").json()["publishing"], "the server has noted hermes")
    console.show()
    tile.click()
    expect(console.page).to_have_url(re.compile("q=module:hermes"))
    expect(console.row(f"switch {marker}")).to_be_hidden()
    expect(console.row(f"hermes {marker}")).to_be_visible()


def test_a_core_module_that_is_down_is_a_banner_until_it_is_up(page: Page, own_stack: OwnStack) -> None:
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"))
    banner = page.get_by_text("Degraded: a core module is down.")
    expect(banner).to_be_hidden()
    stack.a.python(LAME_MODULE)
    page.reload()
    expect(banner).to_be_visible()
    expect(page.locator("[data-module=brain]")).to_have_text("braindown")
    stack.client(stack.service_token).published({"event_type": "awake", "summary": "awake", "module": "brain"})
    principal = stack.client(stack.principal_token)
    wait_until(
        lambda: principal.get(f"{API}/modules/brain").json()["status"] == "UP", "the server has noted the sign of life"
    )
    page.reload()
    expect(page.locator("[data-module=brain]")).to_have_text("brainup")
    expect(banner).to_be_hidden()
