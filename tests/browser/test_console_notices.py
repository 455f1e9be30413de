"""Notices of the desktop, the title and the icon of a hidden page, and the sound: one for what comes together."""

import re
from collections.abc import Callable, Iterator, Mapping

import pytest
from playwright.sync_api import Page, expect

from tests.accounts import Account
from tests.browser.console_page import ConsolePage
from tests.browser.test_console_restraint import HIDE
from tests.client import API, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
# The browser's own notices cannot be seen by a test; this notes what was asked of it.
NOTE_NOTICES = """
    window.noted = [];
    window.Notification = class extends EventTarget {
        static permission = "granted";
        static requestPermission = async () => "granted";
        constructor(title, options) { super(); window.noted.push([title, options.body]); window.latest = this; }
        close() {}
    };
"""
# The tones that begin; the context of a browser without a sound card is otherwise the real one.
NOTE_TONES = """
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };
"""
TITLE = "Live events · VX11 Operator"
ICON = "document.querySelector('link[rel=icon]').href"


@pytest.fixture
def noting(page: Page, stack: Stack, viewer: Account) -> ConsolePage:
    page.add_init_script(NOTE_NOTICES + NOTE_TONES)
    console = ConsolePage(page, stack.a.url)
    console.open(viewer)
    return console


@pytest.fixture
def watch(principal: Client, marker: str) -> Iterator[Json]:
    """Of the critical events of this test, and one for each module; shared."""
    body = {"name": f"watch {marker}", "query": f"correlation:{marker} severity:error", "condition": {"kind": "every"}}
    made = principal.post(f"{API}/watches", json={**body, "group_by": "module", "shared": True})
    assert made.status_code == 201, made.text
    yield made.json()
    principal.delete(f"{API}/watches/{made.json()['id']}")


def switch_on(console: ConsolePage, label: str) -> None:
    """By its place in the list of what fired."""
    page = console.page
    page.locator("[data-action=fired]").click()
    page.get_by_label(label).check()
    page.keyboard.press("Escape")
    expect(page.locator("#fired")).to_be_hidden()


def noted(console: ConsolePage, count: int = 1) -> list[list[str]]:
    def enough() -> list[list[str]] | None:
        found: list[list[str]] = console.page.evaluate("window.noted")
        return found if len(found) >= count else None

    return wait_until(enough, f"{count} notices")


def test_a_critical_event_is_a_notice_for_who_wants_it(
    noting: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=f"{marker} not asked for", severity="critical"))
    expect(noting.row(f"{marker} not asked for")).to_be_visible()
    switch_on(noting, "Desktop notices")
    service.published([new_event(summary=f"{marker} {level}", severity=level) for level in ("error", "critical")])
    assert noted(noting) == [["Critical: operator_backend", f"{marker} critical"]]
    assert noting.problems == []


def test_critical_events_of_one_batch_are_one_notice_about_all_and_so_is_a_storm(
    noting: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    switch_on(noting, "Desktop notices")
    service.published([new_event(summary=f"{marker} {at}", severity="critical", module="madre") for at in range(3)])
    assert noted(noting) == [["3 critical events", "\n".join(f"madre: {marker} {at}" for at in range(3))]]
    # The storm that follows is not silent: it is one more notice, when the quiet time is over.
    for _ in range(4):
        service.published([new_event(summary=f"{marker} storm", severity="critical") for _ in range(5)])
    title, body = noted(noting, 2)[1]
    assert (title, body.splitlines()[-1]) == ("20 critical events", "and 17 more")
    assert len(noted(noting)) == 2


def test_watches_that_fire_together_are_one_notice_with_their_count_that_opens_the_list(
    noting: ConsolePage, service: Client, new_event: NewEvent, marker: str, watch: Json
) -> None:
    switch_on(noting, "Desktop notices")
    events = [
        new_event(severity="error", module=module) for module in ("hermes", "madre", "madre", "switch", "spawner")
    ]
    service.published(events)
    [[title, body]] = noted(noting)
    assert title == "4 watches fired"
    lines = body.splitlines()
    assert len(lines) == 4
    assert re.match(rf"^{watch['name']} \((hermes|madre|switch|spawner)\): \d events?$", lines[0])
    assert lines[-1] == "and 1 more"
    noting.page.evaluate("window.latest.dispatchEvent(new Event('click'))")
    expect(noting.page.locator("#fired")).to_be_visible()
    expect(noting.page.locator("#fired").get_by_text(watch["name"])).to_have_count(4)
    assert noting.problems == []


def test_a_muted_watch_gives_no_notice(
    noting: ConsolePage, principal: Client, service: Client, new_event: NewEvent, watch: Json, marker: str
) -> None:
    switch_on(noting, "Desktop notices")
    mute = f"{API}/watches/{watch['id']}/mute"
    until = noting.page.evaluate("new Date(Date.now() + 3_600_000).toISOString()")
    assert principal.post(mute, json={"muted_until": until}).status_code == 200
    with noting.page.expect_response("**/watches/fired?*"):
        service.published(new_event(severity="error", module="hermes"))
    service.published(new_event(severity="critical", summary="after it"))
    assert [title for title, _ in noted(noting)] == ["Critical: operator_backend"]


def test_a_hidden_page_counts_in_its_title_and_has_a_dot_on_its_icon_until_it_is_looked_at(
    noting: ConsolePage, service: Client, new_event: NewEvent, watch: Json, marker: str
) -> None:
    page = noting.page
    service.published(new_event(severity="critical", summary=f"{marker} seen"))
    expect(noting.row(f"{marker} seen")).to_be_visible()
    expect(page).to_have_title(TITLE)
    plain = page.evaluate(ICON)
    page.evaluate(HIDE, "hidden")
    service.published([new_event(severity="critical"), new_event(severity="critical"), new_event(severity="error")])
    # Two critical events, and the watch.
    expect(page).to_have_title(f"(3) {TITLE}")
    dotted = page.evaluate(ICON)
    assert dotted != plain
    assert page.request.get(dotted).headers["content-type"] == "image/svg+xml"
    assert page.evaluate(
        "(src) => new Promise((done) => Object.assign(new Image(), { src, onload: () => done(true), onerror: done }))",
        dotted,
    )
    page.evaluate(HIDE, "visible")
    expect(page).to_have_title(TITLE)
    assert page.evaluate(ICON) == plain
    assert noting.page.evaluate("window.noted") == []
    assert noting.problems == []


def test_the_sound_is_off_at_first_and_sounds_once_for_what_comes_together_also_after_a_reload(
    noting: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    page = noting.page
    tones = "window.tones"
    service.published(new_event(severity="critical", summary=f"{marker} silent"))
    expect(noting.row(f"{marker} silent")).to_be_visible()
    assert page.evaluate(tones) == 0
    switch_on(noting, "Sound")
    # As a trial.
    wait_until(lambda: page.evaluate(tones) == 2, "two tones")
    page.reload()
    noting.expect_state("Live")
    page.locator("[data-action=fired]").click()
    expect(page.get_by_label("Sound")).to_be_checked()
    assert page.evaluate(tones) == 0
    service.published([new_event(severity="critical") for _ in range(4)])
    wait_until(lambda: page.evaluate(tones) == 2, "two tones")
    assert page.evaluate("window.noted") == []
    assert page.evaluate("JSON.parse(localStorage['vx11-console']).sound") is True
    page.get_by_label("Sound").uncheck()
    assert page.evaluate("JSON.parse(localStorage['vx11-console']).sound") is False
    assert noting.problems == []


def test_the_choice_of_notices_stays_and_one_in_the_address_counts_as_before(noting: ConsolePage) -> None:
    page = noting.page
    box = page.get_by_label("Desktop notices")
    noting.show(notices="on")
    page.locator("[data-action=fired]").click()
    expect(box).to_be_checked()
    box.uncheck()
    expect(page).not_to_have_url(re.compile("notices"))
    box.check()
    noting.show()
    page.locator("[data-action=fired]").click()
    expect(box).to_be_checked()
    assert noting.problems == []


def test_without_the_permission_the_switch_goes_back_and_says_why(page: Page, stack: Stack, viewer: Account) -> None:
    refusing = NOTE_NOTICES.replace('permission = "granted"', 'permission = "default"').replace(
        'async () => "granted"', 'async () => "denied"'
    )
    page.add_init_script(refusing)
    console = ConsolePage(page, stack.a.url)
    console.open(viewer)
    page.locator("[data-action=fired]").click()
    box = page.get_by_label("Desktop notices")
    box.click()
    expect(page.get_by_text("This browser does not allow notices here.")).to_be_visible()
    expect(box).not_to_be_checked()
    assert console.problems == []
