"""The query line: what it finds, past and live, its mistakes and its suggestions."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API, Client

NewEvent = Callable[..., Mapping[str, object]]


@pytest.fixture
def line(console: ConsolePage) -> Locator:
    return console.page.get_by_role("combobox", name="Query")


@pytest.fixture
def options(console: ConsolePage) -> Locator:
    return console.page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def underlined(page: Page) -> str:
    return str(page.locator(".echo u").text_content())


def test_a_query_narrows_what_was_and_what_comes_and_is_the_same_as_that_of_the_api(
    console: ConsolePage, line: Locator, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    kinds: list[dict[str, Any]] = [
        {"summary": "wanted one", "severity": "error", "module": "switch", "payload": {"http": {"status": 502}}},
        {"summary": "wanted two", "severity": "critical", "module": "hermes", "payload": {"http": {"status": 503}}},
        {"summary": "too mild", "severity": "info", "module": "switch", "payload": {"http": {"status": 502}}},
        {"summary": "another status", "severity": "error", "module": "switch", "payload": {"http": {"status": 404}}},
        {"summary": "another module", "severity": "error", "module": "spawner", "payload": {"http": {"status": 502}}},
    ]
    service.published([new_event(**kind) for kind in kinds])
    query = f"severity>=error module:(switch,hermes) payload.http.status>=500 correlation:{marker}"
    line.fill(query)
    expect(console.rows).to_have_count(2)
    assert console.summaries() == ["wanted one", "wanted two"]
    service.published([new_event(**{**kind, "summary": f"later {kind['summary']}"}) for kind in kinds])
    expect(console.row("later wanted two")).to_be_visible()
    found = principal.polled(q=query, limit=100)["events"]
    assert console.summaries() == [event["summary"] for event in found]
    assert console.problems == []


def test_a_query_finds_what_was_published_long_before(
    console: ConsolePage, line: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="needle", payload={"deep": [f"lost {marker}"]}))
    service.published([new_event(summary="hay", correlation_id="hay") for _ in range(400)])
    line.fill(f'"LOST {marker.upper()}"')
    expect(console.row("needle")).to_be_visible()


def test_the_query_stands_in_the_address_and_is_there_after_a_reload(console: ConsolePage, line: Locator) -> None:
    line.fill('severity>=warn "two words" module:(a,b)')
    expect(console.page).to_have_url(re.compile(r"\?q=severity%3E%3Dwarn\+%22two\+words%22\+module:%28a,b%29$"))
    console.page.reload()
    expect(line).to_have_value('severity>=warn "two words" module:(a,b)')
    console.page.get_by_role("button", name="Show everything").click()
    expect(console.page).to_have_url(re.compile("/operator/$"))
    expect(line).to_have_value("")


def test_links_of_earlier_versions_mean_what_they_meant(
    console: ConsolePage, line: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(correlation=marker, severity="error,warn", module="switch", type="drift", text="number seven")
    expect(line).to_have_value(f'severity:(error,warn) module:switch type:drift correlation:{marker} "number seven"')
    wanted = {"summary": "number seven", "severity": "error", "module": "switch", "event_type": "drift"}
    others = [{"summary": "number 7"}, {"severity": "info"}, {"module": "hermes"}, {"event_type": "other"}]
    service.published([new_event(**{**wanted, **other}) for other in others])
    service.published(new_event(**wanted))
    expect(console.row("number seven")).to_have_count(1)
    assert console.summaries() == ["number seven"]
    expect(console.page).to_have_url(re.compile(r"\?q=severity:"))


def test_the_browser_goes_back_to_the_query_before(
    console: ConsolePage, line: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"mine {marker}"), new_event(summary=f"not {marker}", correlation_id="no")])
    console.show(q=marker)
    console.row(f"mine {marker}").click()
    console.page.get_by_role("button", name="Everything with this correlation").click()
    expect(line).to_have_value(f"correlation:{marker}")
    expect(console.row(f"not {marker}")).to_be_hidden()
    console.page.go_back()
    expect(console.row(f"not {marker}")).to_be_visible()
    expect(line).to_have_value(marker)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("disk severity>=loud full", "loud"),
        ("nosuch:thing", "nosuch"),
        ("module:a (disk", "("),
        ("payload.n>=ten", "ten"),
        ("🦊 severity:mild", "mild"),
    ],
)
def test_a_mistake_is_underlined_with_the_sentence_of_the_server_and_changes_nothing(
    console: ConsolePage,
    line: Locator,
    principal: Client,
    service: Client,
    new_event: NewEvent,
    marker: str,
    text: str,
    wrong: str,
) -> None:
    service.published(new_event(summary=f"stays {marker}"))
    console.show(correlation=marker)
    line.fill(text)
    expect(line).to_have_attribute("aria-invalid", "true")
    (mistake,) = principal.poll(q=text).json()["errors"]["q"]
    assert underlined(console.page) == wrong
    assert text[mistake["position"] :][: mistake["length"]] == wrong
    expect(line).to_have_accessible_description(re.compile(re.escape(mistake["message"])))
    expect(console.page.get_by_role("status").filter(has_text=mistake["message"])).to_be_visible()
    expect(console.row(f"stays {marker}")).to_be_visible()
    expect(console.page).to_have_url(re.compile(rf"\?q=correlation:{marker}$"))
    assert broken_rules(console.page) == []
    line.fill(f"correlation:{marker}")
    expect(line).to_have_attribute("aria-invalid", "false")
    expect(console.page.locator("#query-mistake")).to_be_hidden()
    assert console.problems == []


def test_the_underline_lies_below_the_wrong_letters(console: ConsolePage, line: Locator) -> None:
    line.fill("disk severity>=loud")
    mark = console.page.locator(".echo u").bounding_box()
    field = line.bounding_box()
    assert mark
    assert field
    letter = console.page.evaluate(
        """() => {
            const style = getComputedStyle(document.querySelector("#query"));
            const canvas = document.createElement("canvas").getContext("2d");
            canvas.font = style.font;
            const edge = parseFloat(style.borderLeftWidth) + parseFloat(style.paddingLeft);
            return edge + canvas.measureText("disk severity>=").width;
        }"""
    )
    assert abs(mark["x"] - field["x"] - letter) < 1.5
    assert field["y"] <= mark["y"] <= field["y"] + field["height"]


def test_fields_are_suggested_and_taken_by_keys_alone(console: ConsolePage, line: Locator, options: Locator) -> None:
    console.page.keyboard.press("/")
    line.press_sequentially("sev")
    expect(options).to_have_text(["severity>=", "severity:"])
    expect(line).to_have_attribute("aria-expanded", "true")
    console.page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(line).to_have_attribute("aria-activedescendant", options.first.get_attribute("id") or "")
    assert broken_rules(console.page) == []
    console.page.keyboard.press("Enter")
    expect(line).to_have_value("severity>=")
    # Behind the field come its values.
    expect(options.filter(has_text="critical")).to_be_visible()
    line.press_sequentially("w")
    console.page.keyboard.press("ArrowDown")
    console.page.keyboard.press("Enter")
    expect(line).to_have_value("severity>=warn ")
    expect(console.page).to_have_url(re.compile("q=severity%3E%3Dwarn$"))


def test_values_are_suggested_as_the_log_has_them(
    console: ConsolePage, line: Locator, options: Locator, service: Client, principal: Client, new_event: NewEvent
) -> None:
    service.published([new_event(module="mod-seldom", event_type="seldom.seen") for _ in range(3)])
    counted = principal.get(f"{API}/events/facets", params={"fields": "module", "limit": 100}).json()
    count = {each["value"]: each["count"] for each in counted["facets"]["module"]["values"]}["mod-seldom"]
    line.press_sequentially("-module:(switch,mod-s")
    expect(options).to_have_text([f"mod-seldom {count}"])
    options.first.click()
    expect(line).to_have_value("-module:(switch,mod-seldom")
    expect(line).to_be_focused()
    line.press_sequentially(") type:seld")
    expect(options.first).to_contain_text("seldom.seen")


def test_escape_closes_the_suggestions_and_nothing_else(console: ConsolePage, line: Locator, options: Locator) -> None:
    console.page.get_by_role("button", name="Chat", exact=True).click()
    line.press_sequentially("mod")
    expect(options).to_have_count(1)
    console.page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(line).to_have_attribute("aria-expanded", "false")
    expect(line).to_have_value("mod")
    expect(console.page.locator("#chat")).to_be_visible()


def test_what_is_looked_for_is_marked_in_rows_and_payload(
    console: ConsolePage, line: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    payload = {"reason": "Connection refused by peer", "refused": [502], "other": "disconnection"}
    service.published(new_event(summary="Upstream: CONNECTION  Refused, réfusé", payload=payload, module="switch"))
    line.fill(f'"connection refused" ref* module:switch payload.refused:502 -nothing correlation:{marker}')
    row = console.rows.filter(has_text="Upstream")
    expect(row.locator(".text mark")).to_have_text(["CONNECTION  Refused", "réfusé"])
    expect(row.locator(".module mark")).to_have_text(["switch"])
    row.click()
    expect(console.page.locator("#detail .tree mark")).to_have_text(["Connection refused", "refused", "502"])
    line.fill(f"correlation:{marker}")
    expect(console.page.locator(".row mark")).to_have_count(0)
    assert console.problems == []


def test_a_query_that_only_the_server_finds_wrong_is_underlined_too(console: ConsolePage, line: Locator) -> None:
    mistake = {"position": 5, "length": 4, "message": "The server knows better."}
    body = {"reason": "validation_error", "errors": {"q": [mistake]}}
    console.page.route("**/operator/api/events?*q=*", lambda route: route.fulfill(status=422, body=json.dumps(body)))
    line.fill("disk full")
    expect(line).to_have_accessible_description("This text is not used yet: The server knows better.")
    assert underlined(console.page) == "full"
    expect(console.page.locator("[data-slot=feed-refusal]")).to_be_hidden()
    console.problems.clear()  # The browser writes refused requests there.
