"""The state of the connection in words, and that nothing is lost or doubled on the way through its states."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, WebSocket, expect

from tests.accounts import Account, add_account
from tests.browser.console_page import ConsolePage
from tests.client import Client
from tests.conftest import OwnStack
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
STREAM = re.compile(r"/events/stream\?")
SOCKET = re.compile(r"/events/socket\?")
LOG = re.compile(r"/api/events\?limit")


def assert_shown_as_logged(console: ConsolePage, client: Client, marker: str) -> None:
    """What the page shows of this test is what the log holds of it, in its order."""
    logged = [event["summary"] for event in client.all_events(correlation_id=marker)]
    assert console.summaries() == logged


def test_a_restart_of_the_server_loses_and_doubles_nothing(
    page: Page, own_stack: OwnStack, new_event: NewEvent, marker: str
) -> None:
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"), correlation=marker)
    service = stack.client(stack.service_token)
    service.published([new_event(summary=f"{marker} before {number}") for number in range(5)])
    expect(console.row(f"{marker} before 4")).to_be_visible()
    stack.a.stop()
    console.expect_state("Reconnecting")
    expect(page.get_by_text("The server is being stopped or restarted.")).to_be_visible()
    expect(page.locator(".status")).to_contain_text(re.compile(r"in \d+ s"))
    stack.a.start()
    service.published([new_event(summary=f"{marker} after {number}") for number in range(5)])
    console.expect_state("Live", timeout_seconds=40)
    expect(page.get_by_text("The server is being stopped or restarted.")).to_be_hidden()
    expect(console.row(f"{marker} after 4")).to_be_visible()
    assert_shown_as_logged(console, stack.client(stack.principal_token), marker)


def test_a_crash_of_the_server_loses_and_doubles_nothing(
    page: Page, own_stack: OwnStack, new_event: NewEvent, marker: str
) -> None:
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"), correlation=marker)
    service = stack.client(stack.service_token)
    for number in range(20):
        service.published(new_event(summary=f"{marker} {number}"))
    stack.a.kill()
    stack.a.start()
    service.published(new_event(summary=f"{marker} last"))
    expect(console.row(f"{marker} last")).to_be_visible(timeout=40_000)
    assert_shown_as_logged(console, stack.client(stack.principal_token), marker)


def test_a_stream_that_is_blocked_is_replaced_by_polling_and_comes_back(
    page: Page, stack: Stack, viewer: Account, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    def block(route: Route) -> None:
        route.abort()

    page.clock.install()
    page.route(STREAM, block)
    page.route_web_socket(SOCKET, lambda route: route.close())
    console = ConsolePage(page, stack.a.url)
    console.sign_in(viewer, correlation=marker)
    console.expect_state("Polling")
    expect(page.get_by_text("The live stream does not get through")).to_be_visible()
    service.published(new_event(summary=f"{marker} polled"))
    expect(console.row(f"{marker} polled")).to_be_visible()
    page.unroute(STREAM, block)
    page.clock.fast_forward(30_000)
    service.published(new_event(summary=f"{marker} at the change"))
    console.expect_state("Live")
    expect(page.get_by_text("The live stream does not get through")).to_be_hidden()
    service.published(new_event(summary=f"{marker} streamed"))
    expect(console.row(f"{marker} streamed")).to_be_visible()
    assert_shown_as_logged(console, principal, marker)


def test_a_stream_that_is_blocked_is_replaced_by_a_socket(
    page: Page, stack: Stack, viewer: Account, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.route(STREAM, lambda route: route.abort())
    console = ConsolePage(page, stack.a.url)
    console.sign_in(viewer, correlation=marker)
    console.expect_state("Live")
    service.published(new_event(summary=f"{marker} by a socket"))
    expect(console.row(f"{marker} by a socket")).to_be_visible()
    assert_shown_as_logged(console, principal, marker)
    assert [urlsplit(socket.url).path for socket in sockets] == ["/operator/api/events/socket"]


def test_a_log_that_was_replaced_is_said_in_the_feed(
    page: Page, own_stack: OwnStack, new_event: NewEvent, marker: str
) -> None:
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"), correlation=marker)
    service = stack.client(stack.service_token)
    service.published(new_event(summary=f"{marker} of the old log"))
    expect(console.row(f"{marker} of the old log")).to_be_visible()
    stack.a.stop()
    stack.a.manage("new_epoch", "--keep-sessions")
    stack.a.start()
    expect(page.locator(".note")).to_contain_text("The log was reset or restored", timeout=40_000)
    service.published(new_event(summary=f"{marker} of the new log"))
    expect(console.row(f"{marker} of the new log")).to_be_visible()
    # What the new log took over from the old one stands there once.
    assert console.summaries() == [f"{marker} of the old log", f"{marker} of the new log"]


def test_a_second_tab_has_its_events_from_the_first_one_s_stream(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    second = console.page.context.new_page()
    opened: list[str] = []
    second.on("request", lambda request: opened.append(request.url) if STREAM.search(request.url) else None)
    second.goto(f"{console.url}/operator/?correlation={marker}")
    expect(second.locator(".status")).to_contain_text("Live through another tab")
    service.published(new_event(summary=f"{marker} for both"))
    for page in (console.page, second):
        expect(page.locator(".row .text").get_by_text(f"{marker} for both")).to_be_visible()
    assert opened == []


def test_the_state_of_the_window_is_shown_in_words(console: ConsolePage, no_window: None) -> None:
    expect(console.page.locator(".window")).to_contain_text("closed (solo madre)")


def test_changes_of_state_are_announced_without_the_countdown(console: ConsolePage) -> None:
    state = console.page.get_by_role("status").filter(has_text="Live")
    expect(state).to_have_count(1)
    expect(console.page.locator("[data-slot=state-detail]")).to_have_attribute("aria-hidden", "true")


def test_a_log_that_cannot_be_read_at_first_is_read_as_soon_as_it_can_be(
    page: Page, stack: Stack, viewer: Account, service: Client, new_event: NewEvent, marker: str
) -> None:
    def fail(route: Route) -> None:
        route.abort()

    service.published(new_event(summary=f"{marker} in the log"))
    page.route(LOG, fail)
    console = ConsolePage(page, stack.a.url)
    console.sign_in(viewer, correlation=marker)
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    service.published(new_event(summary=f"{marker} meanwhile"))
    page.unroute(LOG, fail)
    expect(console.row(f"{marker} meanwhile")).to_be_visible()
    expect(page.get_by_text("The server cannot be reached.")).to_be_hidden()
    assert console.summaries() == [f"{marker} in the log", f"{marker} meanwhile"]
