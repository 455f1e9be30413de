"""A page belongs to the session it was made for: when that is over, or another has begun, it shows nothing more."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.accounts import Account, add_account
from tests.browser.console_page import ConsolePage
from tests.client import Client
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
COME_BACK = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"


def test_who_signs_in_in_another_tab_finds_nothing_of_who_was_there_before(
    console: ConsolePage, stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="seen by the first one"))
    console.show(correlation=marker)
    expect(console.row("seen by the first one")).to_be_visible()
    second = ConsolePage(console.page.context.new_page(), console.url)
    second.page.goto(f"{console.url}/operator/")
    second.page.context.clear_cookies()
    second.open(add_account(stack, group="operator"))
    expect(console.notice).to_contain_text("Another session was opened in this browser")
    expect(console.page.locator("main")).to_be_hidden()
    second.expect_state("Live")


def test_try_again_gives_the_page_to_who_is_signed_in_now(console: ConsolePage, stack: Stack) -> None:
    second = ConsolePage(console.page.context.new_page(), console.url)
    second.page.context.clear_cookies()
    account = add_account(stack, group="operator")
    second.open(account)
    console.page.get_by_role("button", name="Try again").click()
    expect(console.page.locator(".user")).to_have_text(account.name)
    console.expect_state("Live")
    expect(console.page.locator("main")).to_be_visible()


def test_a_second_tab_of_the_same_session_changes_nothing(console: ConsolePage) -> None:
    second = ConsolePage(console.page.context.new_page(), console.url)
    second.page.goto(f"{console.url}/operator/")
    second.expect_state("Live")
    console.expect_state("Live")
    expect(console.page.locator("main")).to_be_visible()


def test_after_signing_out_in_another_tab_the_events_are_gone_from_this_one(console: ConsolePage) -> None:
    other = console.page.context.new_page()
    other.goto(f"{console.url}/operator/")
    other.get_by_role("button", name="Sign out").click()
    console.expect_state("Ended", timeout_seconds=5)
    expect(console.page.locator("main")).to_be_hidden()


def test_a_page_that_the_browser_kept_for_the_back_button_is_asked_for_again(console: ConsolePage) -> None:
    console.page.evaluate("window.kept = true")
    with console.page.expect_navigation():
        console.page.evaluate(COME_BACK)
    console.expect_state("Live")
    assert console.page.evaluate("window.kept") is None


def test_signing_in_again_leads_back_to_the_same_filters(page: Page, stack: Stack, viewer: Account) -> None:
    console = ConsolePage(page, stack.a.url)
    console.open(viewer, severity="error", text="a b")
    other = console.page.context.new_page()
    other.goto(f"{console.url}/operator/")
    other.get_by_role("button", name="Sign out").click()
    console.expect_state("Ended", timeout_seconds=5)
    before = urlsplit(console.page.url).query
    console.notice.get_by_role("link", name="Sign in again").click()
    console.fill_in(viewer)
    console.expect_state("Live")
    assert urlsplit(console.page.url).query == before
