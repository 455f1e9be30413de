"""Saved views in the console: saved, chosen, renamed, shared, deleted, and the one with which the page begins."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.accounts import Account, add_account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API
from tests.stacks import Stack

NewPage = Callable[..., Page]


@pytest.fixture
def operator(stack: Stack) -> Account:
    return add_account(stack, group="operator")


@pytest.fixture
def acting(page: Page, stack: Stack, operator: Account) -> ConsolePage:
    console = ConsolePage(page, stack.a.url)
    console.open(operator, q="severity>=error", facets="payload.http.status")
    return console


def views(console: ConsolePage) -> Locator:
    """The dialog, opened."""
    dialog = console.page.get_by_role("dialog", name="Saved views")
    if not dialog.is_visible():
        console.page.get_by_role("button", name="Views", exact=True).click()
    return dialog


def save(console: ConsolePage, name: str, *, shared: bool = False) -> Locator:
    dialog = views(console)
    dialog.get_by_label("Save what is asked for now as").fill(name)
    if shared:
        dialog.get_by_label("Share it with all who read events").check()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.get_by_role("status")).to_have_text(f"Saved: {name}")
    return dialog


def names(console: ConsolePage) -> list[str]:
    return console.page.locator("[data-slot=views] .view").all_text_contents()


def test_a_view_is_saved_with_all_that_the_address_asks_for_and_chosen_again(
    acting: ConsolePage, stack: Stack, operator: Account
) -> None:
    page = acting.page
    page.locator("[name=range]").select_option("-24h")
    dialog = save(acting, "errors of today")
    expect(dialog.get_by_role("button", name="errors of today", exact=True)).to_have_attribute("aria-current", "true")
    [view] = page.evaluate(f"fetch('{API}/views').then((answer) => answer.json())")["views"]
    asked = {name: view[name] for name in ("query", "from", "to", "facets", "shared")}
    assert asked == {
        "query": "severity>=error",
        "from": "-24h",
        "to": "",
        "facets": "payload.http.status",
        "shared": False,
    }
    dialog.get_by_role("button", name="Close").click()
    acting.show()
    expect(page.get_by_label("Query")).to_have_value("")
    views(acting).get_by_role("button", name="errors of today", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_label("Query")).to_have_value("severity>=error")
    expect(page.locator("[name=range]")).to_have_value("-24h")
    expect(page.locator("[data-facet='payload.http.status']")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=severity%3E%3Derror&from=-24h&facets=payload.http.status$"))
    page.go_back()
    expect(page.get_by_label("Query")).to_have_value("")
    expect(page.locator("[data-facet='payload.http.status']")).to_have_count(0)
    assert acting.problems == []


def test_a_view_is_renamed_and_deleted_with_a_second_press_by_keys_alone(acting: ConsolePage) -> None:
    dialog = save(acting, "one")
    keyboard = acting.page.keyboard
    dialog.get_by_role("button", name="Rename one").press("Enter")
    expect(dialog.get_by_label("New name of one")).to_be_focused()
    keyboard.press("Escape")
    expect(dialog.get_by_role("button", name="Rename one")).to_be_focused()
    keyboard.press("Enter")
    keyboard.type("two")
    keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Rename two")).to_be_focused()
    assert names(acting) == ["two"]
    remove = dialog.get_by_role("button", name="Delete two")
    remove.press("Enter")
    assert names(acting) == ["two"]
    keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("Deleted: two")
    expect(dialog).to_contain_text("No view is saved yet.")
    expect(dialog.get_by_label("Save what is asked for now as")).to_be_focused()
    assert acting.problems == []


def test_the_page_begins_with_the_view_that_was_chosen_for_it(acting: ConsolePage) -> None:
    dialog = save(acting, "my start")
    star = dialog.get_by_role("button", name="Begin with my start")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    acting.show()
    expect(acting.page.get_by_label("Query")).to_have_value("severity>=error")
    # A link that asks for something else is shown as it is.
    acting.show(q="module:switch")
    expect(acting.page.get_by_label("Query")).to_have_value("module:switch")
    views(acting).get_by_role("button", name="Begin with my start").click()
    expect(star).to_have_attribute("aria-pressed", "false")
    acting.show()
    expect(acting.page.get_by_label("Query")).to_have_value("")


def test_a_shared_view_is_seen_by_others_who_may_not_change_it(
    acting: ConsolePage, new_page: NewPage, stack: Stack, operator: Account, viewer: Account
) -> None:
    name = f"shared by {operator.name}"
    dialog = save(acting, name, shared=True)
    other = ConsolePage(new_page(), stack.a.url)
    other.open(viewer)
    theirs = views(other)
    expect(theirs.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(theirs.locator("li").filter(has_text=name)).to_contain_text(f"shared by {operator.name}")
    expect(theirs.get_by_role("button", name=f"Rename {name}")).to_have_count(0)
    expect(theirs.get_by_role("button", name=f"Delete {name}")).to_have_count(0)
    expect(theirs.get_by_label("Share it with all who read events")).to_be_disabled()
    expect(theirs).to_contain_text("Your account may not do this.")
    dialog.get_by_role("button", name=f"Share {name}").click()
    expect(dialog.get_by_role("button", name=f"Share {name}")).to_have_attribute("aria-pressed", "false")
    theirs.get_by_role("button", name="Close").click()
    expect(views(other).get_by_role("button", name=name, exact=True)).to_have_count(0)


def test_a_refusal_stands_in_the_dialog_and_goes_with_the_next_success(acting: ConsolePage) -> None:
    dialog = save(acting, "one")
    dialog.get_by_label("Save what is asked for now as").fill("one")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Another view of yours has this name.")
    save(acting, "two")
    expect(dialog.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 768, 1280, 1600])
def test_the_dialog_breaks_no_rule_and_stays_inside_at_every_width(
    new_page: NewPage, stack: Stack, operator: Account, width: int, scheme: str
) -> None:
    page = new_page(viewport=ViewportSize(width=width, height=800), color_scheme=scheme)
    console = ConsolePage(page, stack.a.url)
    console.open(operator)
    if width < 832:
        page.locator(".tools summary").click()
    dialog = save(console, "a name of many words that does not fit into the line of a telephone, by far", shared=True)
    assert broken_rules(page) == []
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert console.problems == []
    dialog.get_by_role("button", name=re.compile("^Share a name")).click()
