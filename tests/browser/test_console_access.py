"""Who gets into the console, what somebody without rights sees, and what the page keeps to itself."""

import re

import pytest
from playwright.sync_api import Error, Page, expect

from tests.accounts import Account, add_account, change_account
from tests.browser.console_page import ConsolePage
from tests.stacks import Stack
from tests.waiting import wait_until


def test_a_stranger_is_sent_to_the_sign_in_page(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.a.url}/operator/")
    expect(page).to_have_url(re.compile(r"/operator/login\?next=/operator/$"))
    expect(page.get_by_label("User name")).to_be_focused()


def test_the_bare_address_leads_to_the_console(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.a.url}/")
    expect(page).to_have_url(re.compile(r"/operator/login\?next=/operator/$"))


def test_a_wrong_password_is_said_and_the_name_is_kept(page: Page, stack: Stack, viewer: Account) -> None:
    console = ConsolePage(page, stack.a.url)
    console.sign_in(Account(viewer.name, "not the password"))
    expect(console.notice).to_contain_text("correct username and password")
    expect(page.get_by_label("User name")).to_have_value(viewer.name)
    console.fill_in(viewer)
    console.expect_state("Live")


def test_signing_out_ends_the_session(console: ConsolePage) -> None:
    console.page.get_by_role("button", name="Sign out").click()
    expect(console.page).to_have_url(re.compile("/operator/login$"))
    console.page.goto(f"{console.url}/operator/")
    expect(console.page).to_have_url(re.compile("/operator/login"))


def test_an_account_without_the_right_to_read_is_told_so(page: Page, stack: Stack) -> None:
    console = ConsolePage(page, stack.a.url)
    console.sign_in(add_account(stack, group=None))
    console.expect_state("Ended")
    expect(console.notice).to_contain_text("may not read events")
    assert console.rows.count() == 0


@pytest.mark.parametrize(
    "change", ["user.groups.clear()", "user.is_active = False; user.save()", "user.delete()"], ids=lambda text: text
)
def test_the_feed_ends_with_a_reason_when_the_account_loses_its_rights(page: Page, stack: Stack, change: str) -> None:
    console = ConsolePage(page, stack.a.url)
    account = add_account(stack, group="viewer")
    console.open(account)
    change_account(account, change)
    console.expect_state("Ended", timeout_seconds=5)
    expect(console.notice).to_contain_text("Your access was withdrawn")


def test_the_feed_ends_when_the_session_is_signed_out_in_another_tab(console: ConsolePage) -> None:
    other = console.page.context.new_page()
    other.goto(f"{console.url}/operator/")
    other.get_by_role("button", name="Sign out").click()
    console.expect_state("Ended", timeout_seconds=5)
    console.notice.get_by_role("link", name="Sign in again").click()
    expect(console.page.get_by_label("Password")).to_be_visible()


def test_after_the_end_the_reader_can_try_again(page: Page, stack: Stack) -> None:
    account = add_account(stack, group=None)
    console = ConsolePage(page, stack.a.url)
    console.sign_in(account)
    console.expect_state("Ended")
    change_account(
        account,
        "from django.contrib.auth.models import Group; user.groups.add(Group.objects.get(name='viewer'))",
    )
    readable = f"{stack.a.url}/operator/api/events"
    wait_until(lambda: page.request.get(readable).ok, "the server has heard of the change")
    page.get_by_role("button", name="Try again").click()
    console.expect_state("Live")
    expect(console.notice).to_be_hidden()


def test_w06_the_browser_keeps_nothing_that_scripts_could_steal(page: Page, stack: Stack, viewer: Account) -> None:
    console = ConsolePage(page, stack.a.url)
    console.open_by_form(viewer)
    assert console.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert console.page.evaluate("indexedDB.databases()") == []
    assert console.page.evaluate("document.cookie") == ""
    cookies = console.page.context.cookies()
    assert cookies
    assert all(cookie["httpOnly"] for cookie in cookies)
    content = console.page.content()
    assert not [credential for credential in stack.credentials if credential in content]


def test_w05_the_policy_blocks_inline_script(console: ConsolePage) -> None:
    with pytest.raises(Error, match="Content Security Policy|add_script_tag"):
        console.page.add_script_tag(content="window.inline = true")
    assert console.page.evaluate("window.inline") is None


def test_w08_the_console_cannot_be_framed(page: Page, stack: Stack) -> None:
    response = page.request.get(f"{stack.a.url}/operator/login")
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


def test_the_page_is_not_kept_by_caches(console: ConsolePage) -> None:
    response = console.page.request.get(f"{console.url}/operator/")
    assert response.ok
    assert "no-store" in response.headers["cache-control"]


def test_a_link_cannot_sign_anybody_out(console: ConsolePage) -> None:
    assert console.page.request.get(f"{console.url}/operator/logout").status == 405
