"""Watches in the console: made from the query with a preview, refused beside the field, changed, muted, deleted."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.accounts import Account, add_account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API, Client, Json
from tests.stacks import Stack

NewEvent = Callable[..., Mapping[str, object]]
# The form does not ask for it, and leaves it as it is.
QUIET = {"from": "22:00", "to": "07:00", "zone": "UTC"}


@pytest.fixture
def operator(stack: Stack) -> Account:
    return add_account(stack, group="operator")


@pytest.fixture
def acting(page: Page, stack: Stack, operator: Account, principal: Client, marker: str) -> Iterator[ConsolePage]:
    console = ConsolePage(page, stack.a.url)
    console.open(operator, q=f"correlation:{marker}")
    yield console
    for watch in principal.get(f"{API}/watches").json()["watches"]:
        if watch["owner"] == operator.name:
            principal.delete(f"{API}/watches/{watch['id']}")


def form_of(console: ConsolePage) -> Locator:
    """The form of a new watch, opened from the query line."""
    console.page.get_by_role("button", name="New watch", exact=True).click()
    form = console.page.locator("#watch")
    expect(form.get_by_label("Name")).to_be_focused()
    return form


def make(console: ConsolePage, name: str) -> Locator:
    """The list, with a watch made by the form."""
    form = form_of(console)
    form.get_by_label("Name").fill(name)
    form.get_by_role("button", name="Save").click()
    listed = console.page.locator("#watches")
    expect(listed.get_by_role("status")).to_have_text(f"It watches from now on: {name}")
    expect(listed.get_by_role("button", name=f"Edit {name}")).to_be_focused()
    return listed


def own(console: ConsolePage) -> list[Any]:
    """As the API has them for the person who is signed in."""
    watches = console.page.evaluate(f"fetch('{API}/watches').then((answer) => answer.json())")["watches"]
    return [watch for watch in watches if watch["mine"]]


def test_a_watch_is_made_of_the_query_and_the_preview_says_when_it_would_have_fired(
    acting: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event() for _ in range(3)])
    form = form_of(acting)
    expect(form.get_by_label("Query")).to_have_value(f"correlation:{marker}")
    preview = form.locator("[data-slot=watch-preview-words]")
    expect(preview).to_contain_text("It would have fired once in the last 7 days. Events that pass: 3. Last at ")
    for mark in (".fired-at", ".bars"):
        assert (form.locator(mark).get_attribute("d") or "").count("M") == 1
    # What is typed is tried.
    form.get_by_role("spinbutton", name="Events").fill("4")
    expect(preview).to_contain_text("It would have fired 0 times in the last 7 days. Events that pass: 3.")
    assert form.locator(".fired-at").get_attribute("d") == ""
    form.get_by_role("spinbutton", name="Within").fill("2")
    form.get_by_label("For each value of").fill("module")
    form.get_by_label("Name").fill(f"of {marker}")
    form.get_by_label("Share it").check()
    form.get_by_role("button", name="Save").click()
    listed = acting.page.locator("#watches")
    expect(listed.get_by_role("status")).to_have_text(f"It watches from now on: of {marker}")
    expect(listed.locator("li").first).to_contain_text(
        re.compile(r"4 events within 2 mins? for each module · watching · has not fired · shared")
    )
    [watch] = own(acting)
    asked = {name: watch[name] for name in ("name", "query", "condition", "group_by", "cooldown_sec", "shared")}
    assert asked == {
        "name": f"of {marker}",
        "query": f"correlation:{marker}",
        "condition": {"kind": "count", "at_least": 4, "within_sec": 120},
        "group_by": "module",
        "cooldown_sec": 300,
        "shared": True,
    }
    assert acting.problems == []


def test_what_the_server_does_not_accept_stands_beside_its_field(acting: ConsolePage) -> None:
    form = form_of(acting)
    form.get_by_label("Name").fill("wrong")
    form.get_by_label("Query").fill("module:(")
    form.get_by_label("For each value of").fill("colour")
    form.get_by_label("Then quiet for").fill("30")
    form.get_by_label("Unit").last.select_option("days")
    expect(form.locator("[data-slot=watch-preview-words]")).to_have_text("It cannot be tried before it is right.")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_label("Query")).to_be_focused()
    for label, sentence in (
        ("For each value of", "one of module, event_type"),
        ("Then quiet for", "a whole number from 10 to 604800"),
    ):
        field = form.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        wrong = form.locator(f"#{field.get_attribute('aria-describedby')}")
        expect(wrong).to_contain_text(sentence)
    expect(form.locator("#watch-query-wrong")).not_to_be_empty()
    expect(form.locator("#watch-name-wrong")).to_be_hidden()
    expect(form.locator("[role=alert]")).to_be_hidden()
    assert own(acting) == []
    acting.problems.clear()  # The browser writes refused requests there.


def test_a_watch_is_changed_muted_and_deleted_by_keys_alone(acting: ConsolePage) -> None:
    listed, keyboard = make(acting, "one"), acting.page.keyboard
    keyboard.press("Enter")
    form = acting.page.locator("#watch")
    expect(form.get_by_label("Name")).to_be_focused()
    expect(form.get_by_label("Name")).to_have_value("one")
    keyboard.press("ControlOrMeta+a")
    keyboard.type("two")
    form.get_by_label("It fires").select_option("absence")
    expect(form.get_by_role("spinbutton", name="Events")).to_have_count(0)
    form.get_by_role("spinbutton", name="For", exact=True).fill("90")
    keyboard.press("Enter")
    edit = listed.get_by_role("button", name="Edit two")
    expect(edit).to_be_focused()
    expect(listed.get_by_role("status")).to_have_text("Changed: two")
    assert own(acting)[0]["condition"] == {"kind": "absence", "for_sec": 5400}
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(listed.get_by_role("button", name="Mute two")).to_be_focused()
    listed.get_by_role("button", name="for 8 hours").press("Enter")
    end = listed.get_by_role("button", name="End muting of two")
    expect(end).to_be_focused()
    assert own(acting)[0]["muted_until"] is not None
    remove = listed.get_by_role("button", name="Delete two")
    remove.press("Enter")
    expect(listed.get_by_role("button", name="Delete two now")).to_be_focused()
    assert len(own(acting)) == 1
    keyboard.press("Enter")
    expect(listed.get_by_role("status")).to_have_text("Deleted: two")
    expect(listed.get_by_role("button", name="Close")).to_be_focused()
    assert own(acting) == []
    assert acting.problems == []


@pytest.mark.parametrize(
    "condition",
    [
        {"kind": "count", "at_least": 7, "within_sec": 90},
        {"kind": "absence", "for_sec": 172800},
        {"kind": "new_value", "field": "payload.user", "days": 30},
        {"kind": "every"},
    ],
    ids=["count", "absence", "new value", "every"],
)
def test_a_form_that_is_saved_as_it_is_changes_nothing(acting: ConsolePage, condition: Json) -> None:
    listed = make(acting, "same")
    [watch] = own(acting)
    page = acting.page
    changed = page.evaluate(
        """async ([url, body]) => {
            const headers = { "Content-Type": "application/json" };
            headers["X-CSRFToken"] = document.querySelector("meta[name=csrf-token]").content;
            return (await fetch(url, { method: "PATCH", headers, body: JSON.stringify(body) })).json();
        }""",
        [f"{API}/watches/{watch['id']}", {"condition": condition, "quiet": QUIET}],
    )
    assert changed["condition"] == condition
    listed.get_by_role("button", name="Close").click()
    page.locator("[data-action=fired]").click()
    page.get_by_role("button", name="Watches", exact=True).click()
    listed.get_by_role("button", name="Edit same").click()
    page.locator("#watch").get_by_role("button", name="Save").click()
    expect(listed.get_by_role("status")).to_have_text("Changed: same")
    # One that begins anew would lose what it has counted. Meanwhile it may have learned.
    [watch] = own(acting)
    assert {**watch, "state": ""} == {**changed, "state": ""}
    assert acting.problems == []


def test_who_may_not_make_watches_sees_why_and_a_list_without_buttons(
    console: ConsolePage, principal: Client, marker: str
) -> None:
    body = {"name": marker, "condition": {"kind": "every"}, "query": f"correlation:{marker}", "shared": True}
    made = principal.post(f"{API}/watches", json=body).json()["id"]
    page = console.page
    new = page.get_by_role("button", name="New watch", exact=True)
    expect(new).to_have_attribute("aria-disabled", "true")
    new.click(force=True)
    expect(page.locator("[data-banner=right]")).to_contain_text("Your account may not do this.")
    expect(page.locator("#watch")).to_be_hidden()
    page.locator("[data-action=fired]").click()
    page.get_by_role("button", name="Watches", exact=True).click()
    item = page.locator("#watches li").filter(has_text=marker)
    expect(item).to_contain_text("every event · watching · has not fired · shared by")
    expect(item.get_by_role("button")).to_have_count(0)
    expect(page.locator("#watches").get_by_role("button")).to_have_text(["Close"])
    assert principal.delete(f"{API}/watches/{made}").status_code == 204
    assert console.problems == []


def test_a_part_that_does_not_come_is_said_and_asked_for_again(acting: ConsolePage) -> None:
    page = acting.page
    page.route("**/on-demand/watches.js", lambda route: route.abort())
    page.get_by_role("button", name="New watch", exact=True).click()
    banner = page.locator("[data-banner=load]")
    expect(banner).to_have_text("The server cannot be reached.")
    page.unroute("**/on-demand/watches.js")
    form_of(acting)
    expect(banner).to_be_hidden()
    acting.problems.clear()  # The browser writes there what it could not load.


@pytest.mark.parametrize("width", [375, 768, 1280, 1600])
def test_form_and_list_break_no_rule_and_stay_inside_at_every_width(acting: ConsolePage, width: int) -> None:
    page = acting.page
    page.set_viewport_size(ViewportSize(width=width, height=800))
    if width < 832:
        page.locator(".tools summary").click()
    form = form_of(acting)
    expect(form.locator("[data-slot=watch-preview-words]")).to_contain_text("It would have fired")
    expect_inside(form, width)
    form.get_by_label("Name").fill("a name of many words that does not fit into one line of a telephone, by far")
    form.get_by_role("button", name="Save").click()
    listed = page.locator("#watches")
    listed.get_by_role("button", name="Mute a name").click()
    expect_inside(listed, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert acting.problems == []


def expect_inside(dialog: Locator, width: int) -> None:
    assert broken_rules(dialog.page) == []
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
