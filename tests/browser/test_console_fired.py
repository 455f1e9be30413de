"""The list "Fired" in the console: new ones on its button, live, muted, opened in the feed, by keys alone."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.accounts import Account, add_account
from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
NewPage = Callable[..., Page]
MakeWatch = Callable[..., Json]
MORNING = "08:00"


@pytest.fixture
def operator(stack: Stack) -> Account:
    return add_account(stack, group="operator")


@pytest.fixture
def acting(page: Page, stack: Stack, operator: Account) -> ConsolePage:
    console = ConsolePage(page, stack.a.url)
    console.open(operator)
    return console


@pytest.fixture
def make_watch(principal: Client, marker: str) -> Iterator[MakeWatch]:
    """Of the events of this test, shared: `make_watch(name="disk")`."""
    made: list[int] = []

    def make(**fields: object) -> Json:
        body = {"name": marker, "query": f"correlation:{marker}", "condition": {"kind": "every"}, "shared": True}
        answer = principal.post(f"{API}/watches", json={**body, **fields})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        watch: Json = answer.json()
        return watch

    yield make
    for watch_id in made:
        principal.delete(f"{API}/watches/{watch_id}")


def fired(console: ConsolePage, name: str) -> Locator:
    """The rows of this watch."""
    return console.page.locator("#fired .firing").filter(has_text=name)


def opened(console: ConsolePage) -> Locator:
    panel = console.page.locator("#fired")
    if not panel.is_visible():
        console.page.locator("[data-action=fired]").click()
    expect(panel).to_be_visible()
    return panel


def test_what_fires_is_counted_on_the_button_and_stands_in_the_list_with_its_times(
    acting: ConsolePage, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    page = acting.page
    opened(acting)
    page.keyboard.press("Escape")
    count = page.locator("[data-slot=fired-count]")
    expect(count).to_be_hidden()
    make_watch(condition={"kind": "count", "at_least": 2, "within_sec": 600}, group_by="module")
    service.published([new_event(module="hermes") for _ in range(2)] + [new_event(module="madre")])
    expect(count).to_have_text("1 new ones")
    expect(page.locator("[data-slot=fired-said]")).to_have_text(f"Fired: {marker} (hermes)")
    opened(acting)
    expect(count).to_be_hidden()
    row = fired(acting, marker)
    expect(row).to_have_count(1)
    expect(row.locator("code")).to_have_text("hermes")
    expect(row).to_have_attribute("data-state", "fired")
    clock = r"\d\d:\d\d:\d\d"
    expect(row).to_contain_text(re.compile(rf"fired at {clock} · 2 events, {clock}"))
    # It has been looked at, also when the page is loaded again.
    acting.show()
    expect(page.locator("[data-action=fired]")).to_be_visible()
    opened(acting)
    expect(fired(acting, marker)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(count).to_be_hidden()
    assert acting.problems == []


def test_an_open_list_follows_by_events_and_asks_for_nothing_by_itself(
    acting: ConsolePage, principal: Client, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    watch = make_watch(condition={"kind": "count", "at_least": 1, "within_sec": 600})
    panel = opened(acting)
    service.published(new_event())
    row = fired(acting, marker)
    expect(row).to_have_attribute("data-state", "fired")
    # A list that is at rest asks for nothing, however long it is open.
    asked: list[str] = []
    acting.page.on("request", lambda request: asked.append(request.url) if "/watches" in request.url else None)
    acting.page.clock.install()
    acting.page.clock.run_for(120_000)
    assert asked == []
    assert principal.delete(f"{API}/watches/{watch['id']}").status_code == 204
    acting.page.clock.run_for(5_000)
    expect(row).to_have_count(0)
    expect(panel.get_by_role("alert")).to_be_hidden()
    assert acting.problems == []


def test_older_ones_are_asked_for_and_are_as_live_as_the_newest(
    acting: ConsolePage, principal: Client, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    watch = make_watch(group_by="payload.number", condition={"kind": "count", "at_least": 1, "within_sec": 600})
    service.published([new_event(payload={"number": number}) for number in range(60)])
    fired_url = f"{API}/watches/fired?watch={watch['id']}&limit=500"
    wait_until(lambda: len(principal.get(fired_url).json()["firings"]) == 60, "all of them fire")
    opened(acting)
    expect(fired(acting, marker)).to_have_count(50)
    older = acting.page.get_by_role("button", name="Show older ones")
    older.press("Enter")
    expect(fired(acting, marker)).to_have_count(60)
    assert principal.delete(f"{API}/watches/{watch['id']}").status_code == 204
    expect(fired(acting, marker)).to_have_count(0)
    assert acting.problems == []


def test_a_firing_that_ends_says_when(
    acting: ConsolePage, principal: Client, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    watch = make_watch(condition={"kind": "count", "at_least": 1, "within_sec": 2})
    opened(acting)
    service.published(new_event())
    row = fired(acting, marker)
    expect(row).to_have_attribute("data-state", "resolved", timeout=15_000)
    expect(row).to_contain_text(re.compile(r"resolved at \d\d:\d\d:\d\d · 1 event"))
    assert watch["name"] == marker


def test_open_in_feed_asks_for_the_query_the_group_and_the_time(
    acting: ConsolePage, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    make_watch(group_by="module")
    service.published(new_event(module="hermes", summary=f"{marker} hermes"))
    opened(acting)
    row = fired(acting, marker)
    expect(row).to_have_count(1)
    service.published(new_event(module="madre", summary=f"{marker} madre"))
    expect(row).to_have_count(2)
    row.filter(has_text="hermes").get_by_role("button", name="Open in feed").click()
    page = acting.page
    expect(page.get_by_label("Query")).to_have_value(f"correlation:{marker} module:hermes")
    expect(page).to_have_url(re.compile(r"from=[^&]+&to=[^&]+$"))
    expect(acting.row(f"{marker} hermes")).to_be_visible()
    expect(acting.row(f"{marker} madre")).to_have_count(0)
    expect(page.locator("#fired")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Query")).to_have_value("")
    assert acting.problems == []


def test_a_watch_is_muted_until_the_morning_and_the_muting_is_ended_by_keys_alone(
    acting: ConsolePage, principal: Client, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    watch = make_watch()
    service.published(new_event())
    page, keyboard = acting.page, acting.page.keyboard
    wait_until(lambda: principal.get(f"{API}/watches/fired?watch={watch['id']}").json()["firings"], "it fires")
    acting.press_in_feed("f")
    expect(page.locator("#fired .body")).to_be_focused()
    mute = fired(acting, marker).get_by_role("button", name=f"Mute {marker}")
    expect(mute).to_have_attribute("aria-expanded", "false")
    mute.press("Enter")
    expect(mute).to_have_attribute("aria-expanded", "true")
    expect(mute).to_be_focused()
    for name in ("for 1 hour", "for 8 hours", f"until tomorrow, {MORNING}"):
        keyboard.press("Tab")
        expect(fired(acting, marker).get_by_role("button", name=name)).to_be_focused()
    keyboard.press("Enter")
    end = fired(acting, marker).get_by_role("button", name=f"End muting of {marker}")
    expect(end).to_be_visible()
    expect(page.locator("#fired").get_by_role("status")).to_contain_text(f"{marker} is muted until ")
    until = datetime.fromisoformat(principal.get(f"{API}/watches/{watch['id']}").json()["muted_until"])
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    # The browser of these tests is in UTC.
    assert (until.date(), f"{until:%H:%M}") == (tomorrow, MORNING)
    expect(page.locator("#fired :focus")).to_have_count(1)
    end.press("Enter")
    expect(mute).to_be_focused()
    assert principal.get(f"{API}/watches/{watch['id']}").json()["muted_until"] is None
    keyboard.press("Escape")
    expect(page.locator("#fired")).to_be_hidden()
    expect(page.locator("[data-action=fired]")).to_have_attribute("aria-expanded", "false")
    assert acting.problems == []


def test_who_may_not_mute_is_not_offered_it_and_what_others_keep_to_themselves_is_not_shown(
    console: ConsolePage, principal: Client, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    hidden, seen = make_watch(name=f"{marker} hidden", shared=False), make_watch(name=f"{marker} seen")
    service.published(new_event())
    ids = {hidden["id"], seen["id"]}

    def fired_by_both() -> bool:
        firings = principal.get(f"{API}/watches/fired?limit=100").json()["firings"]
        return ids <= {firing["watch_id"] for firing in firings}

    wait_until(fired_by_both, "both fire")
    opened(console)
    row = fired(console, f"{marker} seen")
    expect(row).to_contain_text("shared by")
    expect(row.get_by_role("button")).to_have_text(["Open in feed"])
    expect(fired(console, f"{marker} hidden")).to_have_count(0)
    assert console.problems == []


def test_a_list_that_cannot_be_read_says_so_and_is_read_again(
    acting: ConsolePage, service: Client, new_event: NewEvent, make_watch: MakeWatch, marker: str
) -> None:
    page = acting.page
    make_watch()
    page.route("**/watches/fired?*", lambda route: route.abort())
    panel = opened(acting)
    alert = panel.get_by_role("alert")
    expect(alert).to_contain_text("Could not read: The server cannot be reached.")
    page.unroute("**/watches/fired?*")
    service.published(new_event())
    expect(fired(acting, marker)).to_have_count(1, timeout=15_000)
    expect(alert).to_be_hidden()


@pytest.mark.parametrize("width", [375, 768, 1280, 1600])
def test_the_list_breaks_no_rule_and_stays_inside_at_every_width(
    new_page: NewPage,
    stack: Stack,
    operator: Account,
    service: Client,
    new_event: NewEvent,
    make_watch: MakeWatch,
    marker: str,
    width: int,
) -> None:
    name = f"a name of many words that does not fit into a line of the list {marker}"
    make_watch(name=name, group_by="module")
    page = new_page(viewport=ViewportSize(width=width, height=800))
    console = ConsolePage(page, stack.a.url)
    console.open(operator)
    service.published(new_event(module="hermes"))
    count = page.locator("[data-slot=fired-count]")
    expect(count).to_be_visible()
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    opened(console)
    fired(console, marker).get_by_role("button", name="Mute").click()
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#fired").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width
    fired(console, marker).get_by_role("button", name="Open in feed").click()
    expect(page.locator("#fired")).to_be_visible(visible=width >= 832)
    expect(console.rows.first).to_be_visible()
    assert console.problems == []
