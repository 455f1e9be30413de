"""The conversation: refused while no window is open, held with one, the same in every tab."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.accounts import Account, add_account
from tests.browser.console_page import ConsolePage
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.stacks import Stack


@pytest.fixture
def talking(page: Page, own_stack: OwnStack) -> tuple[ConsolePage, Stack, Account]:
    """Of an installation of its own: windows and conversations are everybody's."""
    stack = own_stack()
    account = add_account(stack, group="operator")
    console = ConsolePage(page, stack.a.url)
    console.open(account)
    console.page.get_by_role("button", name="Chat", exact=True).click()
    return console, stack, account


def say(console: ConsolePage, words: str) -> None:
    console.page.get_by_label("Message").fill(words)
    console.page.get_by_role("button", name="Send", exact=True).click()


def said(console: ConsolePage, role: str) -> Locator:
    return console.page.locator(f"#chat li[data-role={role}]")


def open_window(stack: Stack) -> Client:
    principal = stack.client(stack.principal_token)
    assert principal.post(f"{API}/window/open", json={}).status_code == 200
    return principal


def test_without_a_window_the_message_is_refused_with_a_reason_and_kept_in_the_field(
    talking: tuple[ConsolePage, Stack, Account],
) -> None:
    console, _, _ = talking
    expect(console.page.get_by_text("No window is open: messages get no answer until one is open.")).to_be_visible()
    say(console, "is anybody there?")
    alert = console.page.locator("#chat").get_by_role("alert")
    expect(alert).to_contain_text("No window is open. Open one first")
    expect(alert.locator("code")).to_have_text(re.compile(r"^[0-9a-f-]{36}$"))
    expect(console.page.get_by_label("Message")).to_have_value("is anybody there?")


def test_with_a_window_there_is_an_answer_and_it_is_there_again_after_a_reload(
    talking: tuple[ConsolePage, Stack, Account],
) -> None:
    console, stack, _ = talking
    open_window(stack)
    expect(console.page.get_by_text("messages get no answer until one is open")).to_be_hidden()
    say(console, "status")
    expect(said(console, "user")).to_have_count(1)
    expect(said(console, "assistant")).to_have_count(1)
    expect(console.page.get_by_label("Message")).to_have_value("")
    console.page.reload()
    console.expect_state("Live")
    console.page.get_by_role("button", name="Chat", exact=True).click()
    expect(said(console, "user").locator("p")).to_have_text("status")
    assert console.problems == []


def test_p12_w05_what_is_said_stays_text(talking: tuple[ConsolePage, Stack, Account]) -> None:
    console, stack, _ = talking
    open_window(stack)
    words = "<img src=x onerror=window.pwned=1> {{7*7}}"
    say(console, words)
    expect(said(console, "user").locator("p")).to_have_text(words)
    assert console.page.locator("#chat li").locator("img, script").count() == 0
    assert console.page.evaluate("window.pwned") is None
    assert console.problems == []


def test_p15_a_double_press_is_one_message(talking: tuple[ConsolePage, Stack, Account]) -> None:
    console, stack, _ = talking
    open_window(stack)
    console.page.get_by_label("Message").fill("once")
    console.page.get_by_role("button", name="Send", exact=True).dblclick()
    expect(said(console, "assistant")).to_have_count(1)
    expect(said(console, "user")).to_have_count(1)


def test_what_is_said_in_one_tab_is_heard_in_the_other(
    talking: tuple[ConsolePage, Stack, Account], new_page: Callable[..., Page]
) -> None:
    console, stack, account = talking
    open_window(stack)
    other = ConsolePage(new_page(), stack.a.url)
    other.open(account)
    other.page.get_by_role("button", name="Chat", exact=True).click()
    say(console, "help")
    expect(said(other, "user").locator("p")).to_have_text("help")
    expect(said(other, "assistant")).to_have_count(1)
