"""How the console looks and handles: on a phone, in the dark, by keyboard, for eyes that need contrast."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.accounts import Account, add_account
from tests.browser.console_page import ConsolePage
from tests.browser.sample_events import sample_events
from tests.client import Client
from tests.stacks import Stack

Open = Callable[..., ConsolePage]
PHONE = ViewportSize(width=375, height=667)
DESKTOP = ViewportSize(width=1280, height=800)
WIDE = ViewportSize(width=1600, height=900)
AA_CONTRAST = 4.5
# Contrast by the formula of WCAG 2 of each visible text with the first opaque ground behind it.
LOW_CONTRAST = """
    (least) => {
        const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
        const light = (colour) => {
            const [r, g, b] = numbers(colour).map((value) => {
                const share = value / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = (element) => {
            for (let at = element; at; at = at.parentElement) {
                const colour = getComputedStyle(at).backgroundColor;
                if ((numbers(colour)[3] ?? 1) === 1) return colour;
            }
            return "rgb(255, 255, 255)";
        };
        const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        return [...document.body.querySelectorAll("*")]
            .filter((element) => hasText(element) && element.checkVisibility())
            .map((element) => {
                const pair = [light(getComputedStyle(element).color), light(ground(element))];
                const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
                return [element.className || element.tagName, element.textContent.trim().slice(0, 30), ratio];
            })
            .filter(([, , ratio]) => ratio < least);
    }
"""

# Buttons, fields and pictures that a screen reader could not name.
NAMELESS = """
    [...document.querySelectorAll("button, input, select, textarea, [role=img], dialog, aside, a")]
        .filter((element) => ![
            element.textContent, element.ariaLabel, element.labels?.[0]?.textContent,
            document.getElementById(element.getAttribute("aria-labelledby"))?.textContent,
        ].some((name) => name?.trim()) && element.type !== "hidden")
        .map((element) => element.outerHTML)
"""
REPEATED_IDS = """
    [...document.querySelectorAll("[id]")].map(({ id }) => id).filter((id, at, all) => all.indexOf(id) !== at)
"""


@pytest.fixture
def open_console(new_page: Callable[..., Page], stack: Stack, service: Client) -> Open:
    """The console of an operator, with some realistic events, in a window of the wanted kind."""

    operator = add_account(stack, group="operator")

    def make(**options: Any) -> ConsolePage:
        service.published(list(sample_events()))
        console = ConsolePage(new_page(**options), stack.a.url)
        console.open(operator)
        expect(console.rows.last).to_contain_text("nightly-index finished")
        return console

    return make


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP, WIDE], ids=["375px", "1280px", "1600px"])
def test_the_page_fits_its_window(open_console: Open, viewport: ViewportSize, tmp_path: Path, no_window: None) -> None:
    console = open_console(viewport=viewport)
    picture = tmp_path / f"console-{viewport['width']}.png"
    console.page.screenshot(path=picture)
    width, height = console.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert (width, height) <= (viewport["width"], viewport["height"])
    assert console.page.locator("#feed").evaluate("(feed) => feed.scrollWidth <= feed.clientWidth")
    for text in ("Live", "closed (solo madre)"):
        expect(console.page.get_by_text(text, exact=True)).to_be_in_viewport(ratio=1)
    for button in ("Sign out", "Open window", "Chat"):
        expect(console.page.get_by_role("button", name=button, exact=True)).to_be_in_viewport(ratio=1)
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["375px", "1280px"])
def test_every_part_that_opens_fits_the_window(open_console: Open, viewport: ViewportSize) -> None:
    console = open_console(viewport=viewport)
    page = console.page
    if viewport is PHONE:
        page.get_by_text("Overview", exact=True).click()
        page.get_by_text("Filter and tools").click()
        expect(page.get_by_role("combobox", name="Query")).to_be_in_viewport()
        expect(console.rows.last).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    console.rows.last.click()
    expect(page.get_by_role("button", name="Copy as JSON")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Chat", exact=True).click()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)
    page.locator("#chat").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Open window").click()
    expect(page.get_by_role("button", name="Open it now")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_aa(open_console: Open, scheme: str) -> None:
    console = open_console(color_scheme=scheme)
    console.rows.last.click()
    expect(console.page.locator("#detail dl")).to_be_visible()
    for state in ("connecting", "live", "reconnecting", "polling", "ended"):
        console.page.locator(".status").evaluate("(status, state) => (status.dataset.state = state)", state)
        assert console.page.evaluate(LOW_CONTRAST, AA_CONTRAST) == []
    for state in ("UP", "DOWN", "OFF_BY_POLICY", "unknown"):
        console.page.locator(".module-tile").first.evaluate("(tile, state) => (tile.dataset.state = state)", state)
        assert console.page.evaluate(LOW_CONTRAST, AA_CONTRAST) == []
    console.page.locator("[data-action=chat]").click()
    console.page.get_by_role("button", name="Open window").click()
    assert console.page.evaluate(LOW_CONTRAST, AA_CONTRAST) == []


def test_every_control_has_a_name_and_every_id_is_there_once(open_console: Open) -> None:
    console = open_console()
    console.rows.last.click()
    assert console.page.evaluate(NAMELESS) == []
    assert console.page.evaluate(REPEATED_IDS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_and_its_error_have_the_contrast_of_aa(
    new_page: Callable[..., Page], stack: Stack, scheme: str
) -> None:
    console = ConsolePage(new_page(color_scheme=scheme), stack.a.url)
    console.sign_in(Account("nobody", "not a password"))
    expect(console.notice).to_be_visible()
    assert console.page.evaluate(LOW_CONTRAST, AA_CONTRAST) == []


def test_light_and_dark_follow_the_device(open_console: Open) -> None:
    console = open_console(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = console.page.evaluate(ground)
    console.page.emulate_media(color_scheme="dark")
    assert console.page.evaluate(ground) != light


def test_nothing_moves_for_those_who_do_not_want_it(open_console: Open) -> None:
    console = open_console(reduced_motion="reduce")
    for state in ("connecting", "reconnecting"):
        console.page.locator(".status").evaluate("(status, state) => (status.dataset.state = state)", state)
        name = console.page.locator(".lamp").evaluate("(lamp) => getComputedStyle(lamp).animationName")
        assert name == "none"


def test_the_version_stands_in_the_footer(open_console: Open, principal: Client) -> None:
    version = principal.get("/health").json()["version"]
    expect(open_console().page.locator(".foot")).to_contain_text(version)
