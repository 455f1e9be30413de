"""One event as a place to go on from: its address, what stands around it, and queries from its values."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API, Client

NewEvent = Callable[..., Mapping[str, object]]
PAYLOAD = {"http": {"status": 502, "ok": False}, "odd key": {"a b": 'say "two words"'}, "tags": ["red", "blue"]}


@pytest.fixture
def opened(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """The detail of an event between others of the same correlation."""
    service.published([new_event(summary=f"before {number}", payload={"n": number}) for number in range(60)])
    service.published(new_event(summary="this one", module="switch", severity="error", payload=PAYLOAD))
    service.published([new_event(summary=f"after {number}", payload={"n": number}) for number in range(60)])
    console.show(q=f'correlation:{marker} "this one"')
    console.row("this one").click()
    expect(detail(console)).to_be_visible()
    return console


def detail(console: ConsolePage) -> Locator:
    return console.page.locator("#detail")


def actions(console: ConsolePage, field: str) -> Locator:
    """What can be done with this value, opened."""
    detail(console).get_by_role("button", name=f"What to do with {field}", exact=True).first.click()
    return detail(console).get_by_role("group", name=field, exact=True)


def clipboard(console: ConsolePage) -> str:
    expect(console.page.get_by_text("Copied.")).to_be_visible()
    return str(console.page.evaluate("navigator.clipboard.readText()"))


def test_the_open_event_stands_in_the_address_and_is_there_for_another_person(
    opened: ConsolePage, principal: Client, marker: str
) -> None:
    (event,) = principal.polled(q=f'correlation:{marker} "this one"')["events"]
    expect(opened.page).to_have_url(re.compile(f"event={event['event_id']}$"))
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    detail(opened).get_by_role("button", name="Copy link").click()
    link = clipboard(opened)
    assert link == opened.page.url
    # It is shown, also where the feed does not hold it.
    opened.show(q="nothing has this word", event=str(event["event_id"]))
    expect(detail(opened).locator("strong")).to_have_text("this one")
    opened.page.keyboard.press("Escape")
    expect(opened.page).not_to_have_url(re.compile("event="))
    assert opened.problems == []


def test_an_event_that_is_not_there_is_said_to_be_missing(console: ConsolePage) -> None:
    console.show(event="never-published")
    expect(detail(console)).to_contain_text("There is no such event")
    expect(detail(console).get_by_role("button", name="Copy as JSON")).to_be_hidden()
    assert broken_rules(console.page) == []
    console.problems.clear()  # The browser writes refused requests there.


def test_arrows_and_error_keys_show_the_marked_event_while_the_detail_is_open(opened: ConsolePage, marker: str) -> None:
    opened.page.get_by_label("Query").fill(f"correlation:{marker}")
    expect(opened.row("after 59")).to_be_in_viewport()
    opened.press_in_feed("End", "ArrowUp")
    expect(detail(opened).locator("strong")).to_have_text("after 58")
    opened.page.keyboard.press("E")
    expect(detail(opened).locator("strong")).to_have_text("this one")
    expect(opened.page).to_have_url(re.compile("event="))


def test_in_context_are_the_events_beside_it_unfiltered_and_this_one_is_marked(
    opened: ConsolePage, principal: Client, marker: str
) -> None:
    (event,) = principal.polled(q=f'correlation:{marker} "this one"')["events"]
    around = principal.get(f"{API}/events/{event['event_id']}/around", params={"limit": 100}).json()["events"]
    detail(opened).get_by_role("button", name="Show in context").click()
    expect(opened.page.get_by_label("Query")).to_have_value("")
    marked = opened.page.locator(".row[aria-selected=true]")
    expect(marked.locator(".text")).to_have_text("this one")
    expect(marked).to_be_in_viewport(ratio=1)
    names = [each["summary"] for each in around]
    at = names.index("this one")
    drawn = opened.rows.locator(".text").all_text_contents()
    here = drawn.index("this one")
    assert drawn[here - 5 : here + 6] == names[at - 5 : at + 6]
    expect(opened.page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")
    assert int(marked.get_attribute("aria-setsize") or 0) >= 100
    # Back to the query, as before.
    opened.page.go_back()
    expect(opened.page.get_by_label("Query")).to_have_value(f'correlation:{marker} "this one"')
    assert opened.problems == []


@pytest.mark.parametrize(
    ("field", "term"),
    [
        ("payload.http.status", "payload.http.status:502"),
        ("payload.http.ok", "payload.http.ok:false"),
        ("payload.tags", "payload.tags:red"),
        ('payload."odd key"."a b"', r'payload."odd key"."a b":"say \"two words\""'),
        ("module", "module:switch"),
        ("severity", "severity:error"),
    ],
)
def test_each_value_can_be_asked_for_and_asked_without(
    opened: ConsolePage, principal: Client, marker: str, field: str, term: str
) -> None:
    line = opened.page.get_by_label("Query")
    line.fill(f"correlation:{marker}")
    actions(opened, field).get_by_role("button", name="Only these").click()
    expect(line).to_have_value(f"correlation:{marker} {term}")
    expect(line).to_have_attribute("aria-invalid", "false")
    expect(opened.row("this one")).to_be_visible()
    found = principal.polled(q=f"correlation:{marker} {term}", limit=500)["events"]
    expect(opened.page.locator("[data-slot=count]")).to_have_text(re.compile(rf"^{len(found)} event"))
    detail(opened).get_by_role("button", name="Without these").first.click()
    expect(line).to_have_value(f"correlation:{marker} -{term}")
    expect(opened.row("this one")).to_have_count(0)


def test_values_and_paths_are_copied_and_paths_are_counted(opened: ConsolePage) -> None:
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    group = actions(opened, "payload.http.status")
    assert broken_rules(opened.page) == []
    group.get_by_role("button", name="Copy value").click()
    assert clipboard(opened) == "502"
    group.get_by_role("button", name="Copy path").click()
    expect(opened.page.get_by_text("Copied.")).to_be_visible()
    opened.page.wait_for_function("async () => (await navigator.clipboard.readText()) === 'payload.http.status'")
    group.get_by_role("button", name="Count values").click()
    expect(opened.page.locator("[data-facet='payload.http.status'] li")).to_contain_text("502")
    assert opened.problems == []


def test_keys_alone_reach_what_can_be_done_with_a_value(opened: ConsolePage, marker: str) -> None:
    more = detail(opened).get_by_role("button", name="What to do with payload.http.status")
    more.focus()
    opened.page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "true")
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Enter")
    expect(opened.page.get_by_label("Query")).to_have_value(re.compile("payload.http.status:502$"))
    more.focus()
    opened.page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "false")
