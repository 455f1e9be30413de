"""What the page must not do: lose the focus, read out twice, ask while nobody looks, stop at a fault."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Page, Route, expect

from tests.accounts import add_account
from tests.browser.console_page import ConsolePage
from tests.client import API, Client
from tests.conftest import OwnStack
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
# A telephone's browser has the permission and the class, and no notices.
NO_NOTICES = """
    window.Notification = class { static permission = "granted"; constructor() { throw new TypeError("Illegal"); } };
"""
WATCH_CHAT = """
    window.readOut = [];
    const note = (change) => window.readOut.push(...[...change.addedNodes].map((node) => node.dataset.role));
    new MutationObserver((changes) => changes.forEach(note))
        .observe(document.querySelector("#chat ol"), { childList: true });
"""
HIDE = """
    (state) => {
        Object.defineProperty(document, "hidden", { value: state === "hidden", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }
"""


@pytest.fixture
def operating(page: Page, own_stack: OwnStack) -> tuple[ConsolePage, Client]:
    """Of an installation of its own: windows and conversations are everybody's."""
    stack = own_stack()
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="operator"))
    return console, stack.client(stack.principal_token)


def test_the_focus_stays_in_the_bar_when_a_dialog_has_done_its_work(operating: tuple[ConsolePage, Client]) -> None:
    console, _ = operating
    console.page.get_by_role("button", name="Open window").click()
    console.page.get_by_role("button", name="Open it now").click()
    expect(console.page.get_by_role("button", name="Extend")).to_be_focused()


def test_a_refusal_leaves_the_focus_on_the_button_and_a_second_press_is_told_anew(
    operating: tuple[ConsolePage, Client],
) -> None:
    console, principal = operating
    console.page.get_by_role("button", name="Open window").click()
    console.page.route("**/window/open", lambda route: route.abort())
    do_it = console.page.get_by_role("button", name="Open it now")
    do_it.press("Enter")
    alert = console.page.locator("#window-open").get_by_role("alert")
    expect(alert).to_contain_text("The server cannot be reached.")
    expect(alert.locator("code")).to_have_text(re.compile(r"^[0-9a-f-]{36}$"))
    expect(do_it).to_be_focused()
    console.page.unroute("**/window/open")
    assert principal.post(f"{API}/window/open", json={}).status_code == 200
    do_it.press("Enter")
    expect(alert).to_contain_text("A window is already open.")
    console.problems.clear()  # The browser writes refused requests there.


def test_a_panel_gives_the_focus_back_to_the_button_that_opened_it(console: ConsolePage) -> None:
    console.page.get_by_role("button", name="Chat", exact=True).press("Enter")
    expect(console.page.locator("#chat [name=message]")).to_be_focused()
    console.page.keyboard.press("Escape")
    expect(console.page.get_by_role("button", name="Chat", exact=True)).to_be_focused()


def test_what_was_said_is_not_read_out_again_with_each_new_message(operating: tuple[ConsolePage, Client]) -> None:
    console, principal = operating
    assert principal.post(f"{API}/window/open", json={}).status_code == 200
    console.page.get_by_role("button", name="Chat", exact=True).click()
    expect(console.page.get_by_text("messages get no answer until one is open")).to_be_hidden()
    message, bubbles = console.page.get_by_label("Message"), console.page.locator("#chat li")
    message.fill("status")
    message.press("Enter")
    expect(bubbles).to_have_count(2)
    console.page.evaluate(WATCH_CHAT)
    message.fill("help")
    message.press("Enter")
    expect(bubbles).to_have_count(4)
    assert sorted(console.page.evaluate("window.readOut")) == ["assistant", "user"]


def test_a_page_that_nobody_looks_at_reads_the_window_when_it_is_looked_at(
    operating: tuple[ConsolePage, Client],
) -> None:
    console, principal = operating
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    console.page.evaluate(HIDE, "hidden")
    assert principal.post(f"{API}/window/open", json={}).status_code == 200
    expect(console.rows.last).to_contain_text("window.opened")
    assert not [url for url in asked if url.endswith(("/window/status", "/modules"))]
    console.page.evaluate(HIDE, "visible")
    expect(console.page.get_by_role("button", name="Extend")).to_be_visible()


def test_a_browser_without_notices_goes_on_with_the_events(
    page: Page, stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    page.add_init_script(NO_NOTICES)
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"), correlation=marker, notices="on")
    service.published(new_event(summary="worse", severity="critical"))
    expect(console.row("worse")).to_be_visible()
    page.locator("[data-action=fired]").click()
    expect(page.get_by_text("This browser does not allow notices here.")).to_be_visible()
    assert console.problems == []


def test_everything_with_a_correlation_is_everything(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=level, severity=level) for level in ("info", "error")])
    console.show(correlation=marker, severity="error")
    console.row("error").click()
    console.page.get_by_role("button", name="Everything with this correlation").click()
    expect(console.row("info")).to_be_visible()


def test_the_link_to_the_events_does_not_read_them_again(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="there"))
    console.show(correlation=marker)
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    console.page.locator(".skip").press("Enter")
    expect(console.feed).to_be_focused()
    console.page.get_by_role("button", name="Chat", exact=True).click()
    expect(console.page.get_by_label("Message")).to_be_focused()
    assert not [url for url in asked if "/events?" in url]


@pytest.fixture
def broken_log(page: Page) -> list[str]:
    """Pages of the log are answered with something that is no JSON, as by a network's sign-in page."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=200, content_type="text/html", body="<title>Hotel</title>")

    page.route("**/operator/api/events?*", answer)
    return asked


def test_an_answer_that_is_no_page_is_said_and_not_asked_for_in_a_storm(
    page: Page, stack: Stack, broken_log: list[str]
) -> None:
    console = ConsolePage(page, stack.a.url)
    console.sign_in(add_account(stack, group="viewer"))
    expect(page.locator("[data-slot=feed-refusal]")).to_contain_text("The server cannot be reached.")
    seen = len(broken_log)
    page.clock.install()
    page.clock.run_for(1_000)
    assert len(broken_log) <= seen + 1
    assert not [problem for problem in console.problems if problem.startswith("uncaught")]


def test_a_word_in_an_old_address_that_is_no_severity_hides_nothing(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="not hidden"))
    console.show(correlation=marker, severity="loud,,%00")
    expect(console.row("not hidden")).to_be_visible()


def test_signs_that_nobody_sees_are_written_out_in_the_payload(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    payload = {"\u202eyek": "a\u2028b\u200b", "__proto__": {"kept": True}}
    service.published(new_event(summary=marker, payload=payload))
    console.row(marker).click()
    tree = console.page.locator("#detail .tree")
    expect(tree.get_by_text("\\u202eyek", exact=True)).to_be_visible()
    expect(tree.get_by_text('"a\\u2028b\\u200b"', exact=True)).to_be_visible()
    expect(tree.get_by_text("__proto__")).to_be_visible()
    expect(tree.get_by_text("kept")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(320, 256), (1280, 400)])
def test_a_magnified_page_can_be_scrolled_to_a_feed_of_some_rows(console: ConsolePage, width: int, height: int) -> None:
    console.page.set_viewport_size({"width": width, "height": height})
    console.feed.scroll_into_view_if_needed()
    expect(console.feed).to_be_in_viewport(ratio=0.7)
    box = console.feed.bounding_box()
    assert box is not None
    assert box["height"] >= 190
    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_with_colours_of_the_readers_own_a_pause_and_an_error_can_still_be_told(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary="mild"), new_event(summary="grave", severity="error")])
    console.show(correlation=marker)
    console.page.emulate_media(forced_colors="active")
    console.page.get_by_role("button", name="Pause").click()
    ground = "(element) => getComputedStyle(element).backgroundColor"
    edge = "(element) => getComputedStyle(element).borderLeftColor"
    pause, jump = (console.page.get_by_role("button", name=name, exact=True) for name in ("Pause", "Jump"))
    assert pause.evaluate(ground) != jump.evaluate(ground)
    assert console.row("grave").evaluate(edge) != console.row("mild").evaluate(edge)
