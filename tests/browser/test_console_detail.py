"""One event in full: its fields, its payload as a tree, and what one can do with it."""

import json
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.console_page import ConsolePage
from tests.client import API, Client

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


ODD_NUMBERS = [
    "9007199254740993",
    "-18446744073709551",
    "1e5",
    "0.10",
    "-0",
    "0.1000000000000000055511151231257827",
    "1.0",
]


@pytest.mark.parametrize("arrives", ["live", "from the log"])
def test_n10_numbers_are_shown_copied_saved_and_found_as_they_were_sent(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str, arrives: str
) -> None:
    event = {**new_event(summary=f"numbers {marker}"), "payload": "PAYLOAD"}
    payload = f'{{"n":[{",".join(ODD_NUMBERS)}],"text":"1e5 \\" 0.10","plain":3}}'
    body = json.dumps(event).replace('"PAYLOAD"', payload)
    answer = service.post(f"{API}/events", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    if arrives == "from the log":
        console.row(f"numbers {marker}").wait_for()
        console.page.reload()
    console.row(f"numbers {marker}").click()
    tree = console.page.locator("#detail .tree")
    assert tree.locator("code.number").all_inner_texts() == [*ODD_NUMBERS, "3"]
    expect(tree.get_by_text('"1e5 \\" 0.10"')).to_be_visible()

    console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.page.get_by_role("button", name="Copy as JSON").click()
    expect(console.page.get_by_text("Copied.")).to_be_visible()
    copied = console.page.evaluate("navigator.clipboard.readText()")
    assert payload in "".join(line.strip() for line in copied.splitlines()).replace('": ', '":')
    assert "payload_exact" not in copied

    # By a number that a double does not have.
    console.page.get_by_label("Query").fill("payload.n>=9007199254740993")
    expect(console.row(f"numbers {marker}")).to_be_visible()
    with console.page.expect_download() as downloading:
        console.page.locator("[data-export=ndjson]").click()
    saved = downloading.value.path().read_text()
    assert payload in saved
    assert "payload_exact" not in saved


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
