"""The operator window: opened, extended and closed from the page, by those who may, and told as it is."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.accounts import Account, add_account
from tests.browser.console_page import ConsolePage
from tests.client import API, Client
from tests.stacks import Stack

OpenWindow = Callable[..., None]


@pytest.fixture(scope="module")
def operator(shared_stack: Stack) -> Account:
    return add_account(shared_stack, group="operator")


@pytest.fixture
def acting(page: Page, stack: Stack, operator: Account, no_window: None) -> ConsolePage:
    console = ConsolePage(page, stack.a.url)
    console.open(operator)
    return console


@pytest.fixture
def open_window(principal: Client) -> OpenWindow:
    """Somebody else opens it: `open_window(ttl_sec=5)`."""

    def make(**fields: object) -> None:
        assert principal.post(f"{API}/window/open", json=fields).status_code == 200

    return make


def bar(console: ConsolePage) -> Locator:
    return console.page.locator(".window")


def press(console: ConsolePage, name: str) -> Locator:
    """A button of the bar; gives the dialog that it opens."""
    bar(console).get_by_role("button", name=name).click()
    return console.page.get_by_role("dialog")


def test_an_operator_opens_extends_and_closes_the_window_without_a_page_load(
    acting: ConsolePage, principal: Client
) -> None:
    acting.page.evaluate("window.same = true")
    dialog = press(acting, "Open window")
    expect(dialog.get_by_label("switch")).to_be_checked()
    expect(dialog.get_by_label("spawner")).not_to_be_checked()
    dialog.get_by_role("spinbutton").fill("5")
    dialog.get_by_label("Reason").fill("a test")
    dialog.get_by_role("button", name="Open it now").click()
    expect(dialog).to_be_hidden()
    expect(bar(acting)).to_contain_text(re.compile(r"open until \d\d:\d\d\s+4:5\d"))
    status = principal.get(f"{API}/window/status").json()
    assert status["mode"] == "window_active"
    assert status["reason"] == "a test"
    assert {"switch", "hermes"} <= set(status["services"])

    dialog = press(acting, "Extend")
    dialog.get_by_role("spinbutton").fill("60")
    dialog.get_by_role("button", name="Extend it").click()
    expect(bar(acting)).to_contain_text(re.compile(r"59:5\d|1:00:00"))

    dialog = press(acting, "Close window")
    expect(dialog).to_contain_text("hermes")
    dialog.get_by_role("button", name="Close it now").click()
    expect(bar(acting)).to_contain_text("closed (solo madre)")
    assert principal.get(f"{API}/window/status").json()["mode"] == "solo_madre"
    assert acting.page.evaluate("window.same")
    assert acting.problems == []


def test_nothing_is_done_without_the_second_press(acting: ConsolePage, principal: Client) -> None:
    dialog = press(acting, "Open window")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    press(acting, "Open window")
    acting.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert principal.get(f"{API}/window/status").json()["mode"] == "solo_madre"


def test_a_window_that_is_held_has_no_countdown_and_nothing_to_extend(acting: ConsolePage) -> None:
    dialog = press(acting, "Open window")
    dialog.get_by_label("until it is closed").check()
    expect(dialog.get_by_role("spinbutton")).to_be_disabled()
    dialog.get_by_role("button", name="Open it now").click()
    expect(bar(acting)).to_contain_text("open until it is closed")
    expect(bar(acting).get_by_role("button", name="Extend")).to_be_hidden()
    expect(bar(acting).get_by_role("button", name="Close window")).to_be_visible()


def test_what_somebody_else_does_with_the_window_is_seen(
    acting: ConsolePage, open_window: OpenWindow, principal: Client
) -> None:
    open_window()
    expect(bar(acting)).to_contain_text("open until")
    principal.post(f"{API}/window/close")
    expect(bar(acting)).to_contain_text("closed (solo madre)")


def test_a_window_is_seen_to_expire(acting: ConsolePage, open_window: OpenWindow) -> None:
    open_window(ttl_sec=3)
    expect(bar(acting)).to_contain_text(re.compile(r"0:0[1-3]"))
    expect(bar(acting)).to_contain_text("closed (solo madre)")
    expect(acting.rows.filter(has_text="window.expired").last).to_be_in_viewport()


def test_a_refusal_stands_in_the_dialog_with_its_correlation_id(
    acting: ConsolePage, open_window: OpenWindow, principal: Client
) -> None:
    dialog = press(acting, "Open window")
    open_window()
    dialog.get_by_role("button", name="Open it now").click()
    alert = dialog.get_by_role("alert")
    expect(alert).to_contain_text("A window is already open.")
    expect(alert.locator("code")).to_have_text(re.compile(r"^[0-9a-f-]{36}$"))


def test_a_viewer_is_told_that_his_account_may_not(console: ConsolePage, principal: Client, no_window: None) -> None:
    button = bar(console).get_by_role("button", name="Open window")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(re.compile("Your account may not do this"))
    button.click(force=True)
    expect(console.page.get_by_role("dialog")).to_have_count(0)
    expect(console.page.locator("[data-banner=right]")).to_contain_text("Your account may not do this.")
    console.page.locator("[data-slot=count]").click()
    expect(console.page.locator("[data-banner=right]")).to_have_count(0)
    assert principal.get(f"{API}/window/status").json()["mode"] == "solo_madre"
