"""Small things that a person notices: keys, other tabs, the ends of the log, addresses, and the foot of the page."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Page, expect

from tests.accounts import Account, add_account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API, Client
from tests.stack.operators import window
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
NewPage = Callable[..., Page]


@pytest.fixture
def operator(stack: Stack) -> Account:
    return add_account(stack, group="operator")


def test_escape_leaves_the_query_for_the_events_and_takes_a_mistake_back(console: ConsolePage, marker: str) -> None:
    page = console.page
    line = page.get_by_label("Query")
    page.keyboard.press("/")
    page.keyboard.type(f"correlation:{marker} ")
    page.keyboard.press("Escape")
    expect(console.feed).to_be_focused()
    expect(page).to_have_url(re.compile(f"q=correlation:{marker}"))
    page.keyboard.press("/")
    page.keyboard.press("End")
    page.keyboard.type("module:(")
    # The first one closes the suggestions.
    page.keyboard.press("Escape")
    expect(line).to_be_focused()
    page.keyboard.press("Escape")
    expect(console.feed).to_be_focused()
    expect(line).to_have_value(f"correlation:{marker}")
    expect(page.locator("[data-slot=query-mistake]")).to_be_hidden()


@pytest.mark.parametrize("field", ["[name=q]", "[name=facet]", "[name=at]", "[name=range]", "#chat [name=message]"])
def test_letters_are_letters_in_every_field(console: ConsolePage, no_window: None, field: str) -> None:
    page = console.page
    if field.startswith("#chat"):
        page.locator("[data-action=chat]").click()
    page.locator(field).focus()
    for key in "pnecE/?":
        page.keyboard.press(key)
    expect(page.locator("[data-action=pause]")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#chat")).to_be_visible(visible=field.startswith("#chat"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(field)).to_be_focused()


def test_the_last_row_can_be_pressed_while_the_page_is_held_still(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"{marker} {number}") for number in range(60)])
    console.show(q=f"correlation:{marker}")
    pause = console.page.get_by_role("button", name="Pause")
    expect(console.row(f"{marker} 59")).to_be_in_viewport()
    pause.click()
    newest = console.page.locator("[data-action=newest]")
    expect(newest).to_be_visible()
    feed, pill = console.feed.bounding_box(), newest.bounding_box()
    assert feed is not None
    assert pill is not None
    assert pill["y"] >= feed["y"] + feed["height"]
    # Where the last row of the frame is, there is nothing but rows.
    console.page.mouse.click(feed["x"] + feed["width"] / 2, feed["y"] + feed["height"] - 20)
    expect(console.page.locator("#detail")).to_be_visible()
    expect(pause).to_have_attribute("aria-pressed", "true")


def test_the_same_severity_has_one_colour_in_rows_and_pictures(
    new_page: NewPage, stack: Stack, viewer: Account, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(severity="critical"))
    for scheme in ("light", "dark"):
        console = ConsolePage(new_page(color_scheme=scheme), stack.a.url)
        console.open(viewer, q=f"correlation:{marker}")
        word = console.rows.locator(".severity").evaluate("(word) => getComputedStyle(word).backgroundColor")
        legend = console.page.locator(".legend .critical").evaluate(
            "(item) => getComputedStyle(item, '::before').backgroundColor"
        )
        assert word == legend
        assert broken_rules(console.page) == []


def test_a_jump_beyond_the_ends_of_the_log_says_where_they_are(
    console: ConsolePage, service: Client, new_event: NewEvent
) -> None:
    service.published([new_event(), new_event()])
    said = console.page.locator("[data-slot=jump-said]")
    for moment, sentence in (("2001-01-01T00:00", "The log begins at "), ("2101-01-01T00:00", "The log ends at ")):
        console.page.get_by_label("Jump to").fill(moment)
        console.page.get_by_role("button", name="Jump", exact=True).click()
        expect(said).to_contain_text(sentence)
    now = console.page.evaluate("new Date(Date.now() - 1000).toISOString().slice(0, 19)")
    console.page.get_by_label("Jump to").fill(now)
    console.page.get_by_role("button", name="Jump", exact=True).click()
    expect(said).not_to_contain_text("begins")


def test_signing_out_in_another_tab_leaves_no_button_that_does_nothing(console: ConsolePage) -> None:
    other = console.page.context.new_page()
    other.goto(f"{console.url}/operator/")
    other.get_by_role("button", name="Sign out").click()
    console.expect_state("Ended", timeout_seconds=5)
    page = console.page
    for name in ("Open window", "Chat", "Sign out", "Pause"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_hidden()
    # The foot is where it always is.
    foot = page.locator(".foot").bounding_box()
    assert foot is not None
    assert foot["y"] + foot["height"] == pytest.approx(800, abs=1)
    assert broken_rules(page) == []


def test_a_tab_that_has_ended_goes_on_when_the_same_person_signs_in_again(
    page: Page, stack: Stack, viewer: Account
) -> None:
    console = ConsolePage(page, stack.a.url)
    console.open(viewer, q="severity>=warn")
    other = ConsolePage(page.context.new_page(), stack.a.url)
    other.page.goto(f"{stack.a.url}/operator/")
    other.page.get_by_role("button", name="Sign out").click()
    console.expect_state("Ended", timeout_seconds=5)
    other.fill_in(viewer)
    other.expect_state("Live")
    console.expect_state("Live")
    expect(page.get_by_label("Query")).to_have_value("severity>=warn")


def test_the_local_answers_of_the_chat_are_in_the_language_of_the_page(
    new_page: NewPage, stack: Stack, operator: Account, principal: Client
) -> None:
    page = new_page(locale="es-ES")
    console = ConsolePage(page, stack.a.url)
    page.goto(f"{stack.a.url}/operator/")
    with window(principal):
        page.get_by_label("Usuario").fill(operator.name)
        page.get_by_label("Contraseña").fill(operator.password)
        page.get_by_role("button", name="Entrar").click()
        console.expect_state("En vivo")
        page.locator("[data-action=chat]").click()
        for words, answer in (
            ("estado", "módulos centrales"),
            ("ventana", "La ventana de"),
            ("hola", "ningún asistente"),
        ):
            page.locator("#chat textarea").fill(words)
            page.keyboard.press("Enter")
            expect(page.locator("#chat [data-role=assistant]").filter(has_text=answer)).to_be_visible()


def test_hours_have_two_digits_in_spanish_and_severities_are_translated(
    new_page: NewPage, stack: Stack, viewer: Account, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(severity="warn", summary=f"{marker} seen", occurred_at="2026-01-04T03:05:09Z"))
    page = new_page(locale="es-ES")
    console = ConsolePage(page, stack.a.url)
    console.open_in(viewer, "En vivo", q=f"correlation:{marker}", time="utc")
    row = console.row(f"{marker} seen")
    expect(row.locator("time")).to_contain_text(re.compile(r"\b03:05"))
    expect(row.locator(".severity")).to_have_text("aviso")
    row.click()
    expect(page.locator("#detail")).to_contain_text("aviso")
    expect(page.locator("[data-facet=severity]")).to_contain_text("aviso")
    assert not re.search(r"(?<!>=)\bwarn\b", page.locator("body").inner_text())


def test_the_address_without_its_slash_leads_to_the_console(console: ConsolePage) -> None:
    console.page.goto(f"{console.url}/operator?q=severity:error")
    expect(console.page).to_have_url(f"{console.url}/operator/?q=severity:error")
    console.expect_state("Live")


def test_an_unknown_page_is_a_page_for_people_and_the_one_body_for_programs(console: ConsolePage, stack: Stack) -> None:
    answer = console.page.goto(f"{console.url}/operator/nothing/here")
    assert answer is not None
    assert answer.status == 404
    expect(console.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert broken_rules(console.page) == []
    console.page.get_by_role("link", name="To the console").click()
    console.expect_state("Live")
    client = stack.client(None)
    for path, accept in (("/operator/nothing", "application/json"), (f"{API}/nothing", "text/html")):
        refused = client.get(path, headers={"Accept": accept})
        assert refused.headers["content-type"].startswith("application/problem+json")
        assert (refused.status_code, refused.json()["reason"]) == (404, "not_found")
