"""The window for a whole shift: whose it is and why, its last minute, its end, and what stops with it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.accounts import Account, add_account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import Client
from tests.stack.operators import close_window, open_window
from tests.stacks import Stack

# Each sentence that a screen reader is given about the window's end.
WATCH_BANNERS = """
    window.said = [];
    new MutationObserver((changes) => {
        for (const { addedNodes } of changes) for (const node of addedNodes) window.said.push(node.textContent);
    }).observe(document.querySelector("[data-slot=banners]"), { childList: true, subtree: true });
"""


@pytest.fixture(scope="module")
def operator(shared_stack: Stack) -> Account:
    return add_account(shared_stack, group="operator")


@pytest.fixture
def acting(page: Page, stack: Stack, operator: Account, no_window: None) -> ConsolePage:
    console = ConsolePage(page, stack.a.url)
    console.open(operator)
    return console


def bar(console: ConsolePage) -> Locator:
    return console.page.locator(".window")


def banner(console: ConsolePage, name: str) -> Locator:
    return console.page.locator(f"[data-banner={name}]")


def test_the_bar_says_who_opened_the_window_why_and_until_when(
    console: ConsolePage, principal: Client, no_window: None
) -> None:
    opened = open_window(principal, reason="the night shift", ttl_sec=86_400)
    expect(bar(console)).to_contain_text(f"opened by {opened['opened_by']}: the night shift")
    # Tomorrow has another date, which stands before the hour.
    expect(bar(console)).to_contain_text(re.compile(r"open until \d+ \w+ \d\d:\d\d"))
    close_window(principal)
    expect(bar(console)).not_to_contain_text("the night shift")


def test_the_last_minute_is_amber_said_once_and_can_be_extended_there(acting: ConsolePage, principal: Client) -> None:
    acting.page.evaluate(WATCH_BANNERS)
    open_window(principal, ttl_sec=62)
    expect(bar(acting)).to_contain_text("open until")
    expect(bar(acting)).not_to_have_class(re.compile("ending"))
    expect(bar(acting)).to_have_class(re.compile("ending"))
    expect(banner(acting, "ending")).to_contain_text("The window closes in less than a minute.")
    assert broken_rules(acting.page) == []
    # Read again, as it is every half minute: nothing is said a second time.
    with acting.page.expect_response("**/window/status"):
        principal.post("/operator/api/window/extend", json={"ttl_sec": 50})
    expect(bar(acting)).to_contain_text(re.compile(r"0:4\d"))
    assert [text for text in acting.page.evaluate("window.said") if "less than a minute" in text] == [
        "The window closes in less than a minute. Extend it"
    ]
    banner(acting, "ending").get_by_role("button", name="Extend it").click()
    dialog = acting.page.get_by_role("dialog")
    dialog.get_by_role("spinbutton").fill("30")
    dialog.get_by_role("button", name="Extend it").click()
    expect(banner(acting, "ending")).to_have_count(0)
    expect(bar(acting)).not_to_have_class(re.compile("ending"))
    assert acting.problems == []


def test_an_expired_window_leaves_a_notice_and_a_closed_one_does_not(acting: ConsolePage, principal: Client) -> None:
    open_window(principal)
    expect(bar(acting)).to_contain_text("open until")
    close_window(principal)
    expect(bar(acting)).to_contain_text("closed (solo madre)")
    expect(banner(acting, "expired")).to_have_count(0)
    open_window(principal, ttl_sec=2)
    expect(bar(acting)).to_contain_text("open until")
    expect(banner(acting, "expired")).to_contain_text(re.compile(r"The window has expired at \d\d:\d\d"))
    banner(acting, "expired").get_by_role("button", name="Understood").click()
    expect(banner(acting, "expired")).to_have_count(0)
    open_window(principal, ttl_sec=2)
    expect(banner(acting, "expired")).to_have_count(1)
    # The next window takes it away.
    open_window(principal)
    expect(banner(acting, "expired")).to_have_count(0)


def test_closing_names_only_what_stops(acting: ConsolePage, principal: Client) -> None:
    open_window(principal, services=["hermes", "spawner"])
    bar(acting).get_by_role("button", name="Close window").click()
    dialog = acting.page.get_by_role("dialog")
    expect(dialog).to_contain_text("These modules stop: hermes, spawner.")
    dialog.get_by_role("button", name="Close it now").click()
    expect(bar(acting)).to_contain_text("closed (solo madre)")
    open_window(principal, services=[])
    bar(acting).get_by_role("button", name="Close window").click()
    expect(dialog).to_contain_text("No module stops.")


def test_a_refusal_goes_when_it_no_longer_holds(acting: ConsolePage, principal: Client) -> None:
    bar(acting).get_by_role("button", name="Open window").click()
    dialog = acting.page.get_by_role("dialog")
    open_window(principal)
    dialog.get_by_role("button", name="Open it now").click()
    expect(dialog.get_by_role("alert")).to_contain_text("A window is already open.")
    close_window(principal)
    expect(dialog.get_by_role("alert")).to_be_hidden()
    expect(dialog).to_be_visible()


def test_the_refusal_of_the_chat_goes_when_a_window_opens(acting: ConsolePage, principal: Client) -> None:
    page = acting.page
    page.get_by_role("button", name="Chat", exact=True).click()
    chat = page.locator("#chat")
    chat.get_by_label("Message").fill("status")
    chat.get_by_role("button", name="Send").click()
    expect(chat.get_by_role("alert")).to_contain_text("No window is open.")
    open_window(principal)
    expect(chat.get_by_role("alert")).to_be_hidden()
    chat.get_by_role("button", name="Send").click()
    expect(chat.locator("[data-role=user]")).to_contain_text("status")


def test_a_viewer_reads_the_chat_and_is_told_why_he_does_not_write(
    console: ConsolePage, principal: Client, no_window: None
) -> None:
    console.page.get_by_role("button", name="Chat", exact=True).click()
    chat = console.page.locator("#chat")
    expect(chat.get_by_role("button", name="Send")).to_have_attribute("aria-disabled", "true")
    expect(chat).to_contain_text("Your account may not do this.")
    assert broken_rules(console.page) == []
