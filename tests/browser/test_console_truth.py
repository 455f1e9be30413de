"""What is shown is so: failed reads keep what was there and say so, figures have their time, gaps stay in sight."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.accounts import Account, add_account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.browser.test_console_restraint import HIDE
from tests.client import Client
from tests.conftest import OwnStack
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
LOG = re.compile(r"/operator/api/events\?")
# Rows turn grey a moment after the read, so that those which are soon there do not flicker.
GREYED = "() => document.getAnimations().every(({ playState }) => playState === 'finished')"
# The longest waits, so that a wait does not end by itself.
LUCK = "Math.random = () => 0.999;"


def fail(route: Route) -> None:
    body = {"reason": "dependency_unavailable", "title": "away"}
    route.fulfill(status=503, body=json.dumps(body), headers={"Retry-After": "1"})


@pytest.fixture
def feed(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    levels = ("info", "error")
    service.published([new_event(summary=f"{at} {marker}", severity=levels[at % 2]) for at in range(40)])
    console.show(q=marker)
    expect(console.row(f"39 {marker}")).to_be_in_viewport()
    return console


def refusal(console: ConsolePage) -> Locator:
    return console.page.locator("[data-slot=feed-refusal]")


def test_a_failed_read_keeps_the_rows_of_before_in_grey_under_what_went_wrong(feed: ConsolePage, marker: str) -> None:
    colour = "(row) => getComputedStyle(row.querySelector('.text')).color"
    before = feed.row(f"38 {marker}").evaluate(colour)
    feed.page.route(LOG, fail)
    feed.page.get_by_label("Query").fill(f"{marker} severity:error")
    expect(refusal(feed)).to_contain_text("Could not read: A service that the server needs does not answer.")
    expect(refusal(feed).locator("code")).not_to_be_empty()
    # An info event, which does not pass: it is of the question before, and looks so.
    expect(feed.row(f"38 {marker}")).to_be_visible()
    feed.page.wait_for_function(GREYED)
    assert feed.row(f"38 {marker}").evaluate(colour) != before
    expect(feed.page.locator("[data-slot=count]")).to_be_empty()
    assert feed.page.get_by_text("No event matches").count() == 0
    assert broken_rules(feed.page) == []
    # It is read as soon as it can be.
    feed.page.unroute(LOG)
    expect(refusal(feed)).to_be_hidden(timeout=15_000)
    expect(feed.row(f"38 {marker}")).to_have_count(0)
    assert feed.row(f"39 {marker}").evaluate(colour) == before
    expect(feed.page.locator("[data-slot=count]")).to_have_text("20 events")


def test_a_failed_jump_keeps_its_rows_and_is_tried_again(feed: ConsolePage, principal: Client, marker: str) -> None:
    first = principal.polled(q=f'"0 {marker}"')["events"][0]
    feed.page.route(LOG, fail)
    feed.page.get_by_label("Jump to").fill(first["created_at"].partition(".")[0])
    feed.page.get_by_role("button", name="Jump", exact=True).click()
    expect(refusal(feed)).to_contain_text("Could not read: ")
    expect(feed.row(f"39 {marker}")).to_be_visible()
    feed.page.unroute(LOG)
    expect(refusal(feed)).to_be_hidden(timeout=15_000)
    expect(feed.row(f"0 {marker}")).to_be_in_viewport()
    expect(feed.page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")


def test_that_nothing_matches_is_not_said_of_a_log_that_was_not_read_to_its_beginning(
    console: ConsolePage, marker: str
) -> None:
    """Also where an answer that found nothing was ended early and does not say that there is more."""
    answers: list[Any] = []

    def end_early(route: Route) -> None:
        body = route.fetch().json()
        answers.append(body)
        early = {"events": [], "complete": False, "has_more": False, "first_cursor": body["cursor"]}
        route.fulfill(body=json.dumps({**body, **early}), content_type="application/json")

    console.page.route(LOG, end_early)
    console.page.get_by_label("Query").fill(f"nowhere correlation:{marker}")
    expect(console.page.locator("[data-slot=searched]")).to_be_visible()
    console.page.get_by_role("button", name="Stop", exact=True).click()
    expect(console.page.locator("[data-slot=empty]")).to_contain_text("What is older was not searched.")
    assert console.page.get_by_text("No event matches").count() == 0
    assert answers
    console.page.unroute_all(behavior="ignoreErrors")


def test_a_log_that_was_not_read_yet_is_not_called_empty(page: Page, stack: Stack, viewer: Account) -> None:
    page.route(re.compile("sse-token"), lambda route: route.abort())
    page.route(LOG, lambda route: route.abort())
    console = ConsolePage(page, stack.a.url)
    console.sign_in(viewer)
    console.expect_state("Reconnecting")
    expect(page.get_by_text("The log has not been read yet.")).to_be_visible()
    expect(page.locator("[data-slot=start]")).to_be_hidden()
    assert page.get_by_text("No events yet.").locator("visible=true").count() == 0


@pytest.fixture
def lost(new_page: Callable[..., Page], own_stack: OwnStack) -> tuple[ConsolePage, Stack]:
    """A console whose server has just been killed, and which waits long."""
    stack = own_stack()
    page = new_page()
    page.add_init_script(LUCK)
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"))
    # After NO_LUCK of the page, which is there for the others.
    page.evaluate(LUCK)
    expect(page.locator("[data-as-of]").locator("visible=true")).to_have_count(0)
    stack.a.kill()
    console.expect_state("Reconnecting")
    return console, stack


def test_figures_say_of_when_they_are_while_no_events_arrive(lost: tuple[ConsolePage, Stack]) -> None:
    console, stack = lost
    shown = console.page.locator("[data-as-of]").locator("visible=true")
    expect(shown).to_have_count(6)
    expect(console.page.locator(".window [data-as-of]")).to_have_text(re.compile("as of"))
    for words in shown.all_text_contents():
        assert re.fullmatch(r"as of \d\d:\d\d", words)
    assert broken_rules(console.page) == []
    stack.a.start()
    console.expect_state("Live", timeout_seconds=40)
    expect(shown).to_have_count(0)


def test_reconnect_now_ends_the_wait(lost: tuple[ConsolePage, Stack], new_event: NewEvent, marker: str) -> None:
    console, stack = lost
    seconds = "Number(/\\d+/.exec(document.querySelector('[data-slot=state-detail]').textContent)?.[0] ?? 0)"
    # Some attempts later the wait is long.
    console.page.wait_for_function(f"() => {seconds} > 6", timeout=30_000)
    stack.a.start()
    left = int(console.page.evaluate(seconds))
    assert left > 2
    stack.client(stack.service_token).published(new_event(summary=marker))
    button = console.page.get_by_role("button", name="Reconnect now")
    button.press("Enter")
    console.expect_state("Live", timeout_seconds=min(left, 4))
    expect(button).to_be_hidden()
    expect(console.row(marker)).to_be_visible()
    expect(console.feed).to_be_focused()


def replace_log(stack: Stack, new_event: NewEvent) -> None:
    """So that the page misses events, with so many new ones that the line about it is out of sight at once."""
    stack.a.stop()
    stack.a.manage("new_epoch", "--keep-sessions")
    stack.a.start()
    stack.client(stack.service_token).published([new_event(summary=f"new {at}") for at in range(150)])


@pytest.fixture
def opened(page: Page, own_stack: OwnStack, new_event: NewEvent) -> tuple[ConsolePage, Stack]:
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"))
    stack.client(stack.service_token).published([new_event(summary=f"old {at}") for at in range(60)])
    expect(console.row("old 59")).to_be_visible()
    return console, stack


def gap(console: ConsolePage) -> Locator:
    return console.page.locator("[data-slot=gap]")


def test_a_gap_stands_above_the_feed_until_it_was_seen(opened: tuple[ConsolePage, Stack], new_event: NewEvent) -> None:
    console, stack = opened
    replace_log(stack, new_event)
    expect(console.row("new 149")).to_be_in_viewport(timeout=40_000)
    expect(gap(console)).to_contain_text(
        re.compile(r"A gap in the events, at \d\d:\d\d: The log was reset or restored")
    )
    expect(console.page.locator(".row.note")).to_have_count(0)
    assert broken_rules(console.page) == []
    # It stays, whatever comes.
    stack.client(stack.service_token).published(new_event(summary="another"))
    expect(console.row("another")).to_be_visible()
    console.page.wait_for_timeout(2_500)
    gap(console).get_by_role("button", name="Show").press("Enter")
    expect(console.page.locator(".row.note")).to_be_in_viewport(ratio=1)
    expect(console.page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")
    expect(gap(console)).to_be_hidden()


def test_a_gap_of_a_time_when_the_page_was_not_looked_at_says_so_and_can_be_put_away(
    opened: tuple[ConsolePage, Stack], new_event: NewEvent
) -> None:
    console, stack = opened
    console.page.evaluate(HIDE, "hidden")
    replace_log(stack, new_event)
    expect(gap(console)).to_contain_text("A gap while you were away", timeout=40_000)
    console.page.evaluate(HIDE, "visible")
    # Another question takes the line out of the feed, and not the bar.
    console.page.get_by_label("Query").fill("new")
    expect(console.row("new 149")).to_be_visible()
    console.expect_read()
    expect(gap(console)).to_be_visible()
    gap(console).get_by_role("button", name="Seen").click()
    expect(gap(console)).to_be_hidden()
