"""The first screen teaches: what this is, a line that works as it is, an event sent by hand, and where to read on."""

import os
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.accounts import Account, add_account, change_account
from tests.browser.accessibility import broken_rules
from tests.browser.admin_page import add_staff
from tests.browser.console_page import ConsolePage
from tests.client import Client
from tests.conftest import OwnStack
from tests.stacks import Stack
from tests.waiting import wait_until

Open = Callable[..., ConsolePage]
# Without a window this is 409, for who may.
CLOSE_WINDOW = """
    async () => {
        const headers = { "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content };
        return (await fetch("/operator/api/window/close", { method: "POST", headers })).status;
    }
"""
PHONE = ViewportSize(width=375, height=667)


@pytest.fixture
def empty(own_stack: OwnStack) -> Stack:
    """An installation in which nothing has happened."""
    return own_stack()


@pytest.fixture
def open_empty(new_page: Callable[..., Page], empty: Stack) -> Open:
    def make(account: Account | None = None, **options: object) -> ConsolePage:
        console = ConsolePage(new_page(**options), empty.a.url)
        console.open(account or add_account(empty, group="operator"))
        return console

    return make


def start(console: ConsolePage) -> Locator:
    return console.page.locator("[data-slot=start]")


def test_an_empty_log_says_what_this_is_and_goes_when_there_is_an_event(open_empty: Open, empty: Stack) -> None:
    console = open_empty()
    expect(start(console).get_by_role("heading")).to_have_text("No events yet.")
    expect(start(console)).to_contain_text("programs publish events to this server")
    expect(start(console)).to_contain_text("Each event appears here at once")
    expect(console.page.locator("[data-slot=empty]")).to_be_hidden()
    empty.client(empty.service_token).published({"event_type": "first", "summary": "the first of all"})
    expect(console.row("the first of all")).to_be_visible()
    expect(start(console)).to_be_hidden()
    assert console.problems == []


def test_the_line_works_as_it_is_copied(open_empty: Open, empty: Stack) -> None:
    console = open_empty()
    console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    start(console).get_by_role("button", name="Copy the line").press("Enter")
    expect(start(console).get_by_text("Copied.")).to_be_visible()
    line = console.page.evaluate("navigator.clipboard.readText()")
    assert line == start(console).locator("code").text_content()
    assert empty.a.url in line
    environment = {"PATH": os.environ["PATH"], "VX11_SERVICE_TOKEN": empty.service_token, "NO_PROXY": "*"}
    run = subprocess.run(
        ["sh", "-c", f"{line} --fail -s"], env=environment, capture_output=True, timeout=20, check=False
    )
    assert run.returncode == 0, run
    expect(console.row("Hello from a program")).to_be_visible()


def test_the_line_has_the_address_by_which_others_know_the_server(
    new_page: Callable[..., Page], own_stack: OwnStack
) -> None:
    stack = own_stack(VX11_PUBLIC_URL="http://operator.example.org:8080")
    page = new_page()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"))
    expect(start(console).locator("code")).to_contain_text("'http://operator.example.org:8080/operator/api/events'")


def test_a_test_event_is_one_press_away_and_names_its_sender(open_empty: Open, empty: Stack) -> None:
    account = add_account(empty, group="operator")
    console = open_empty(account)
    start(console).get_by_role("button", name="Send a test event").press("Enter")
    expect(console.row(f"{account.name} sent a test event")).to_be_visible()
    (event,) = empty.client(empty.principal_token).polled()["events"]
    assert (event["event_type"], event["payload"]["by"]) == ("system.test", account.name)
    # The help has the same, always.
    console.page.keyboard.press("?")
    dialog = console.page.get_by_role("dialog", name="Help")
    dialog.get_by_role("button", name="Send a test event").click()
    expect(dialog.get_by_text("Sent: it appears in the feed as system.test.")).to_be_visible()
    expect(console.row(f"{account.name} sent a test event")).to_have_count(2)
    assert console.problems == []


def test_who_may_not_act_is_not_offered_a_test_event_and_the_server_decides(open_empty: Open, empty: Stack) -> None:
    viewer = open_empty(add_account(empty, group="viewer"))
    expect(start(viewer).get_by_role("button", name="Copy the line")).to_be_visible()
    expect(viewer.page.get_by_role("button", name="Send a test event", include_hidden=True)).to_have_count(0)
    demoted = add_account(empty, group="operator")
    console = open_empty(demoted)
    change_account(demoted, "user.groups.set([Group.objects.get(name='viewer')])")
    wait_until(lambda: console.page.evaluate(CLOSE_WINDOW) == 403, "the server knows the new rights")
    console.problems.clear()
    start(console).get_by_role("button", name="Send a test event").click()
    expect(start(console)).to_contain_text("Your account may not do this.")
    assert empty.client(empty.principal_token).polled()["events"] == []


def test_links_lead_to_the_api_and_for_staff_to_the_admin(open_empty: Open, empty: Stack) -> None:
    console = open_empty(add_staff(empty, group="administrator"))
    links = {link.text_content(): link.get_attribute("href") for link in start(console).get_by_role("link").all()}
    assert links == {
        "The API": "/operator/api/docs/",
        "What refusals mean": "/operator/api/docs/errors",
        "Admin: tokens and people": "/admin/",
    }
    for address in links.values():
        assert console.page.request.get(f"{empty.a.url}{address}").status == 200
    other = open_empty()
    expect(start(other).get_by_role("link")).to_have_text(["The API", "What refusals mean"])


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["1280px", "375px"])
def test_the_first_screen_and_the_help_break_no_rule(open_empty: Open, viewport: ViewportSize | None) -> None:
    console = open_empty(**({"viewport": viewport} if viewport else {}))
    expect(start(console)).to_be_visible()
    assert broken_rules(console.page) == []
    console.page.get_by_role("button", name="Help").click()
    dialog = console.page.get_by_role("dialog", name="Help")
    expect(dialog).to_be_in_viewport(ratio=1)
    assert broken_rules(console.page) == []
    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    last = dialog.get_by_role("button", name="Close")
    last.scroll_into_view_if_needed()
    last.click()
    expect(dialog).to_be_hidden()


def test_the_help_explains_our_own_words(console: ConsolePage) -> None:
    console.page.keyboard.press("?")
    words = console.page.get_by_role("dialog", name="Help").locator(".words dt")
    assert words.all_text_contents() == ["Window", "Solo madre", "Off by policy", "Module"]
    for word in words.all():
        assert len(word.evaluate("(term) => term.nextElementSibling.textContent.trim()")) > 20


def test_a_filter_that_lets_nothing_pass_is_no_empty_log(
    console: ConsolePage, service: Client, new_event: Callable[..., dict[str, object]], marker: str
) -> None:
    service.published(new_event(summary=marker))
    console.show(q=f"{marker} nowhere")
    expect(console.page.get_by_text("No event matches the filter.")).to_be_visible()
    expect(start(console)).to_be_hidden()
