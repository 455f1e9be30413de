"""The console without a mouse: keys of one letter, the marked row, and how to be rid of them."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import expect

from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]


@pytest.fixture
def feed(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """Sixty events, of which 10 is an error and 40 is critical."""
    severities = {10: "error", 40: "critical"}
    service.published([new_event(summary=str(number), severity=severities.get(number, "info")) for number in range(60)])
    console.show(correlation=marker)
    expect(console.row("59")).to_be_in_viewport()
    return console


def test_everything_can_be_reached_by_tab(feed: ConsolePage) -> None:
    reached = set()
    for _ in range(120):
        feed.page.keyboard.press("Tab")
        reached.add(
            feed.page.evaluate(
                "(({ id, className, dataset, name }) => dataset.action || dataset.window || dataset.export "
                "|| dataset.switch || name || id || className)(document.activeElement)"
            )
        )
    wanted = {"skip", "chat", "help", "plot", "q", "range", "clear", "pause"}
    assert wanted | {"at", "utc", "fired", "ndjson", "csv", "feed", "open"} <= reached


def test_slash_goes_to_the_search_and_letters_typed_there_are_letters(feed: ConsolePage) -> None:
    feed.page.keyboard.press("/")
    expect(feed.page.get_by_role("combobox", name="Query")).to_be_focused()
    feed.page.keyboard.type("pen/")
    expect(feed.page.get_by_role("combobox", name="Query")).to_have_value("pen/")
    expect(feed.page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "false")


def test_p_pauses_and_follows_again(feed: ConsolePage) -> None:
    pause = feed.page.get_by_role("button", name="Pause")
    feed.page.keyboard.press("p")
    expect(pause).to_have_attribute("aria-pressed", "true")
    feed.page.keyboard.press("p")
    expect(pause).to_have_attribute("aria-pressed", "false")


def test_arrows_mark_a_row_and_enter_opens_it(feed: ConsolePage) -> None:
    feed.press_in_feed("End", "ArrowUp", "ArrowUp")
    marked = feed.page.locator(".row[aria-selected=true]")
    expect(marked.locator(".text")).to_have_text("57")
    expect(feed.feed).to_have_attribute("aria-activedescendant", marked.get_attribute("id") or "")
    feed.press_in_feed("Home", "ArrowDown", "Enter")
    expect(feed.page.locator("#detail strong")).to_have_text("1")
    expect(feed.row("1")).to_be_in_viewport()


def test_e_goes_from_error_to_error(feed: ConsolePage) -> None:
    feed.press_in_feed("Home")
    marked = feed.page.locator(".row[aria-selected=true] .text")
    for key, number in (("e", "10"), ("e", "40"), ("E", "10")):
        feed.page.keyboard.press(key)
        expect(marked).to_have_text(number)
        expect(feed.row(number)).to_be_in_viewport()
    feed.page.keyboard.press("E")
    expect(feed.page.get_by_text("No other error among the loaded events.")).to_be_visible()


def test_the_help_lists_the_keys_and_can_switch_the_letters_off(feed: ConsolePage) -> None:
    feed.page.keyboard.press("?")
    dialog = feed.page.get_by_role("dialog", name="Help")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Keys of one letter").uncheck()
    feed.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(feed.page).to_have_url(re.compile("keys=off"))
    feed.page.keyboard.press("p")
    feed.page.keyboard.press("c")
    expect(feed.page.locator("#chat")).to_be_hidden()
    expect(feed.page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "false")


def test_times_are_those_of_the_device_or_utc(
    new_page: Callable[..., object], console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=f"{marker} timed"))
    console.show(correlation=marker, time="utc")
    expect(console.page.get_by_label("UTC")).to_be_checked()
    time = console.rows.locator("time")
    stored = time.get_attribute("datetime") or ""
    expect(time).to_have_text(stored[11:23])
    console.page.get_by_label("UTC").uncheck()
    expect(console.page).not_to_have_url(re.compile("time="))


def test_one_step_up_from_the_end_holds_the_page_still_until_one_goes_down_again(
    feed: ConsolePage, service: Client, new_event: NewEvent
) -> None:
    """So near to the end that a list which only looks at the distance would follow again."""
    pause = feed.page.get_by_role("button", name="Pause")
    feed.press_in_feed("p")
    expect(pause).to_have_attribute("aria-pressed", "true")
    feed.feed.evaluate("(feed) => (feed.scrollTop -= 5)")
    service.published(new_event(summary="60"))
    expect(feed.page.locator("[data-action=newest]")).to_have_text("1 new event ↓")
    feed.feed.evaluate("(feed) => (feed.scrollTop = feed.scrollHeight)")
    expect(pause).to_have_attribute("aria-pressed", "false")


def test_the_focus_of_a_button_that_goes_goes_to_the_list(feed: ConsolePage) -> None:
    feed.press_in_feed("Home")
    newest = feed.page.locator("[data-action=newest]")
    newest.focus()
    feed.page.keyboard.press("Enter")
    expect(newest).to_be_hidden()
    expect(feed.feed).to_be_focused()
