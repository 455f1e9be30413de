"""One event in full: its fields, its payload as a tree, and what one can do with it."""

import json
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
PAYLOAD = {"host": "node-07", "checks": [{"name": "disk", "free": 0, "ok": False}, None], "empty": {}}


@pytest.fixture
def detail(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> Locator:
    """The open detail of an event with a payload of some depth."""
    service.published(new_event(summary=f"detailed {marker}", payload=PAYLOAD, occurred_at="2026-01-04T01:34:28Z"))
    console.row(f"detailed {marker}").click()
    return console.page.locator("#detail")


def test_a_press_on_a_row_shows_all_fields(
    console: ConsolePage, detail: Locator, principal: Client, marker: str
) -> None:
    event = principal.polled(correlation_id=marker)["events"][0]
    for field in ("event_id", "correlation_id", "event_type", "summary", "module", "severity"):
        expect(detail).to_contain_text(event[field])
    expect(detail).to_contain_text(str(event["seq"]))
    expect(detail.locator("time").nth(1)).to_have_attribute("title", event["occurred_at"])
    expect(detail).to_contain_text("4 January 2026")
    assert console.problems == []


def test_the_payload_is_a_tree_that_opens_and_closes(detail: Locator) -> None:
    tree = detail.locator(".tree")
    expect(tree.get_by_text('"node-07"')).to_be_visible()
    expect(tree.locator("summary", has_text="checks")).to_contain_text("[2]")
    expect(tree.get_by_text('"disk"')).to_be_visible()
    tree.locator("details details summary").click()
    expect(tree.get_by_text('"disk"')).to_be_hidden()
    tree.locator("details details summary").click()
    expect(tree.get_by_text("false")).to_be_visible()
    expect(tree.get_by_text("null")).to_be_visible()
    tree.locator("summary", has_text="checks").click()
    expect(tree.get_by_text('"disk"')).to_be_hidden()


def test_an_event_is_copied_as_json(console: ConsolePage, detail: Locator, principal: Client, marker: str) -> None:
    console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    detail.get_by_role("button", name="Copy as JSON").click()
    expect(detail.get_by_text("Copied.")).to_be_visible()
    copied = json.loads(console.page.evaluate("navigator.clipboard.readText()"))
    event = principal.polled(correlation_id=marker)["events"][0]
    assert copied == {name: value for name, value in event.items() if name != "type"}


def test_escape_closes_it_and_gives_the_focus_back_to_the_feed(console: ConsolePage, detail: Locator) -> None:
    expect(detail).to_be_visible()
    detail.get_by_role("button", name="Copy as JSON").focus()
    console.page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    expect(console.feed).to_be_focused()


def test_everything_with_the_same_correlation_is_one_press_away(
    console: ConsolePage, detail: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"other {marker}", correlation_id="other"), new_event(summary="belongs")])
    detail.get_by_role("button", name="Everything with this correlation").click()
    expect(console.row("belongs")).to_be_visible()
    assert console.summaries() == [f"detailed {marker}", "belongs"]
