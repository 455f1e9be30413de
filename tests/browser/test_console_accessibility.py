"""The console breaks no rule of WCAG 2.2 A and AA that a machine can judge, in any of its states and looks."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.accounts import Account, add_account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.browser.sample_events import sample_events
from tests.browser.test_console_pictures import LAME_MODULE
from tests.client import Client
from tests.conftest import OwnStack
from tests.stack.operators import open_window
from tests.stacks import Stack

PHONE = ViewportSize(width=375, height=667)
# Options of a browser, and the language that is chosen on the page. Each is looked at in both colour schemes.
LOOKS: dict[str, tuple[dict[str, Any], str]] = {
    "desktop": ({}, "en"),
    "375px": ({"viewport": PHONE, "is_mobile": True, "has_touch": True}, "en"),
    "Spanish": ({}, "es"),
}
NEWEST = "nightly-index finished"


@pytest.fixture(scope="module")
def operator(shared_stack: Stack) -> Account:
    return add_account(shared_stack, group="operator")


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> tuple[dict[str, Any], str]:
    return LOOKS[request.param]


@pytest.fixture
def console(
    look: tuple[dict[str, Any], str],
    new_page: Callable[..., Page],
    stack: Stack,
    operator: Account,
    service: Client,
    no_window: None,
) -> ConsolePage:
    """With some realistic events. Nothing is looked for by its words from here on: they are in any language."""
    options, language = look
    service.published(list(sample_events()))
    console = ConsolePage(new_page(**options), stack.a.url)
    console.open(operator)
    if language != "en":
        console.page.locator(f"[name=language][value={language}]").click()
        expect(console.page.locator("html")).to_have_attribute("lang", language)
        expect_live(console)
    expect(console.rows.last).to_contain_text(NEWEST)
    return console


def expect_live(console: ConsolePage) -> None:
    expect(console.page.locator(".status")).to_have_attribute("data-state", "live")
    console.expect_read()


def press(console: ConsolePage, action: str) -> None:
    console.page.locator(f"[data-action={action}]").click()


def dialog(console: ConsolePage, name: str) -> Locator:
    """Opens it by its button."""
    console.page.locator(f".bar [data-window={name}]").click()
    opened = console.page.locator(f"dialog#window-{name}")
    expect(opened).to_be_visible()
    return opened


def test_the_sign_in_page_and_its_error(page: Page, stack: Stack) -> None:
    console = ConsolePage(page, stack.a.url)
    console.page.goto(f"{stack.a.url}/operator/")
    expect(console.page.get_by_label("User name")).to_be_visible()
    assert broken_rules(console.page) == []
    console.fill_in(Account("nobody", "not a password"))
    expect(console.notice).to_be_visible()
    assert broken_rules(console.page) == []


def test_the_live_feed_and_one_event_in_full(console: ConsolePage) -> None:
    assert broken_rules(console.page) == []
    console.rows.last.click()
    expect(console.page.locator("#detail")).to_be_visible()
    assert broken_rules(console.page) == []


def test_filters_that_are_in_use_or_wrong_or_let_nothing_pass(console: ConsolePage, marker: str) -> None:
    console.page.goto(f"{console.url}/operator/?severity=error,critical&module=spawner&text=workers&time=utc")
    expect_live(console)
    # Where there is little room, they are folded away.
    console.page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    assert broken_rules(console.page) == []
    console.page.locator("#query").fill("severity:loud")
    console.page.keyboard.press("Enter")
    assert broken_rules(console.page) == []
    console.page.goto(f"{console.url}/operator/?correlation={marker}")
    expect_live(console)
    expect(console.page.locator("[data-slot=empty]")).to_be_visible()
    assert broken_rules(console.page) == []


def test_a_pause_with_new_events_and_a_marked_row(
    console: ConsolePage, service: Client, new_event: Callable[..., Any]
) -> None:
    console.press_in_feed("ArrowUp", "ArrowUp")
    expect(console.page.locator(".row[aria-selected=true]")).to_be_visible()
    service.published([new_event() for _ in range(3)])
    expect(console.page.locator("[data-slot=unread]")).to_contain_text("3")
    assert broken_rules(console.page) == []


def test_the_keys(console: ConsolePage) -> None:
    console.page.keyboard.press("?")
    expect(console.page.locator("dialog#help")).to_be_visible()
    assert broken_rules(console.page) == []


def test_a_closed_window_its_dialog_and_the_chat_that_is_refused(console: ConsolePage) -> None:
    press(console, "chat")
    console.page.locator("#chat textarea").fill("is anybody there?")
    console.page.locator("#chat [type=submit]").click()
    expect(console.page.locator("#chat [role=alert] code")).to_be_visible()
    assert broken_rules(console.page) == []
    press(console, "close-chat")
    dialog(console, "open")
    assert broken_rules(console.page) == []


def test_an_open_window_its_countdown_its_dialogs_and_the_chat(console: ConsolePage, principal: Client) -> None:
    open_window(principal, ttl_sec=600)
    expect(console.page.locator("[data-slot=window-left]")).to_contain_text(":")
    assert broken_rules(console.page) == []
    for name in ("extend", "close"):
        opened = dialog(console, name)
        assert broken_rules(console.page) == []
        opened.locator("[data-action=cancel]").click()
    press(console, "chat")
    console.page.locator("#chat textarea").fill("status")
    console.page.locator("#chat [type=submit]").click()
    expect(console.page.locator("#chat li[data-role=assistant]").last).to_be_visible()
    assert broken_rules(console.page) == []


def test_a_refusal_in_a_dialog(console: ConsolePage, principal: Client) -> None:
    opened = dialog(console, "open")
    open_window(principal)
    opened.locator("[type=submit]").click()
    expect(opened.get_by_role("alert").locator("code")).to_be_visible()
    assert broken_rules(console.page) == []


def test_what_is_said_when_modules_are_down_the_server_stops_and_the_session_ends(
    page: Page, own_stack: OwnStack
) -> None:
    stack = own_stack()
    stack.a.python(LAME_MODULE)
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"))
    expect(console.page.locator("[data-banner=degraded]")).to_be_visible()
    assert broken_rules(console.page) == []
    stack.a.stop()
    expect(console.page.locator("[data-banner=draining]")).to_be_visible()
    assert broken_rules(console.page) == []
    stack.a.start()
    console.expect_state("Live", timeout_seconds=40)
    console.page.context.clear_cookies()
    stack.a.stop()
    stack.a.start()
    expect(console.page.locator("[data-slot=notice]")).to_be_visible(timeout=40_000)
    assert broken_rules(console.page) == []
