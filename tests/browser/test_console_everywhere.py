"""The console's main states at each width, in light and in dark: it fits, breaks no rule, and keys reach what acts.

Each state is opened once, and then the window changes its size: that also is what people do.
"""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.accounts import add_account
from tests.browser.accessibility import DRAWN, broken_rules
from tests.browser.console_page import ConsolePage
from tests.browser.sample_events import sample_events
from tests.client import Client
from tests.conftest import OwnStack
from tests.stack.operators import open_window
from tests.stacks import Stack

# By width, in pixels.
HEIGHTS = {375: 667, 768: 1024, 1280: 800, 1600: 900}
# What is wider than its place, of the page, of what lies above it, and of the feed.
TOO_WIDE = """
    () => [...document.querySelectorAll("html, dialog[open], #feed, .bar, .tools, .pictures, aside")]
        .filter((place) => place.scrollWidth > place.clientWidth + 1 && place.checkVisibility())
        .map((place) => `${place.tagName} ${place.id || place.className}: ${place.scrollWidth} > ${place.clientWidth}`)
"""
# What acts and is shown, and does not get the focus, or has it where it cannot be seen.
OUT_OF_REACH = """
    () => {
        const within = document.querySelector("dialog[open]:modal") ?? document;
        const acts = "button, a[href], input:not([type=hidden]), select, textarea, summary, [role=slider], #feed";
        const isShown = (part) => part.checkVisibility({ visibilityProperty: true, opacityProperty: true });
        return [...within.querySelectorAll(acts)].filter(isShown).filter((part) => !part.disabled).filter((part) => {
            // One of a group has the place of all in the order of Tab, and arrows lead to the others.
            const isOfGroup = part.closest("[role=listbox]:not(#feed), [role=menu]");
            part.focus();
            if (document.activeElement !== part || (part.tabIndex < 0 && !isOfGroup)) return true;
            const { top, bottom, left, right } = part.getBoundingClientRect();
            return bottom <= 0 || right <= 0 || top >= innerHeight || left >= innerWidth;
        }).map((part) => part.outerHTML.slice(0, 160));
    }
"""
NEWEST = "nightly-index finished"
State = Callable[[ConsolePage, Client], None]


def feed_with_a_query(console: ConsolePage, _: Client) -> None:
    console.show(q="severity>=warn -type:nothing.such")
    expect(console.rows.first).to_be_visible()


def one_event_in_full(console: ConsolePage, _: Client) -> None:
    console.rows.last.click()
    expect(console.page.get_by_role("button", name="Copy as JSON")).to_be_visible()


def all_folds_open(console: ConsolePage, _: Client) -> None:
    console.show(facets="payload.plan", chart="happened")
    console.page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    expect(console.page.locator("[data-slot=rate-unit]")).to_contain_text("by when they happened")


def saved_views(console: ConsolePage, _: Client) -> None:
    console.show(q="severity:error")
    console.page.locator("[data-action=views]").click()
    expect(console.page.locator("dialog[open]")).to_be_visible()


def the_help(console: ConsolePage, _: Client) -> None:
    console.page.locator("[data-action=help]").click()
    expect(console.page.locator("dialog#help")).to_be_visible()


def an_open_window(console: ConsolePage, principal: Client) -> None:
    open_window(principal, ttl_sec=600, reason="a reason that takes some room in the bar")
    expect(console.page.locator("[data-slot=window-left]")).to_contain_text(":")


def the_conversation(console: ConsolePage, _: Client) -> None:
    console.page.locator("[data-action=chat]").click()
    expect(console.page.locator("#chat textarea")).to_be_visible()


STATES: tuple[State, ...] = (
    feed_with_a_query,
    one_event_in_full,
    all_folds_open,
    saved_views,
    the_help,
    an_open_window,
    the_conversation,
)


@pytest.fixture
def console(page: Page, stack: Stack, service: Client, no_window: None) -> ConsolePage:
    service.published(list(sample_events()))
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="operator"))
    expect(console.rows.last).to_contain_text(NEWEST)
    return console


def faults(console: ConsolePage, widths: tuple[int, ...] = tuple(HEIGHTS)) -> Iterator[str]:
    """What is wrong at any width, and what the page complained about: its policy, errors, warnings."""
    for width in widths:
        console.page.set_viewport_size(ViewportSize(width=width, height=HEIGHTS[width]))
        console.page.evaluate(DRAWN)
        found = [*console.page.evaluate(TOO_WIDE), *broken_rules(console.page)]
        # At the end: what has the focus may open something, such as suggestions.
        found += [f"out of reach: {part}" for part in console.page.evaluate(OUT_OF_REACH)]
        console.page.evaluate("document.activeElement.blur()")
        yield from (f"{width} px: {fault}" for fault in found)
    yield from console.problems


@pytest.mark.timeout(240)
def test_what_is_wrong_would_be_found(console: ConsolePage) -> None:
    console.page.evaluate(
        """() => {
            const wrong = "<button tabindex=-1 aria-label=x></button><p>pale</p><button></button><p>wide</p>";
            document.querySelector(".tools").insertAdjacentHTML("afterbegin", wrong);
            const [pale, wide] = document.querySelectorAll(".tools > p");
            [pale.style.background, pale.style.color, wide.style.width] = ["#888", "#999", "2000px"];
        }"""
    )
    found = list(faults(console, (1280,)))
    # Of the layout, of keys, of names, of colours.
    for wrong in ("tools: ", "out of reach: <button tabindex", "button-name", "dark: color-contrast"):
        assert any(wrong in fault for fault in found), (wrong, found)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_state_fits_and_can_be_used_at_each_width_in_light_and_dark(
    console: ConsolePage, principal: Client, state: State
) -> None:
    state(console, principal)
    assert list(faults(console)) == []


@pytest.mark.timeout(240)
def test_the_first_screen_fits_and_can_be_used_at_each_width_in_light_and_dark(page: Page, own_stack: OwnStack) -> None:
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="operator"))
    expect(page.locator("[data-slot=start]")).to_be_visible()
    assert list(faults(console)) == []
