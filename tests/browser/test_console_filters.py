"""Filters: by what, and that they live in the page's address."""

import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import expect

from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]


def test_a_severity_that_is_not_chosen_is_hidden_and_stays_so_for_what_comes(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"{level} {marker}", severity=level) for level in ("info", "error")])
    expect(console.row(f"info {marker}")).to_be_visible()
    console.page.get_by_role("checkbox", name="info").uncheck()
    expect(console.row(f"info {marker}")).to_be_hidden()
    expect(console.row(f"error {marker}")).to_be_visible()
    service.published([new_event(summary=f"later {level} {marker}", severity=level) for level in ("info", "error")])
    expect(console.row(f"later error {marker}")).to_be_visible()
    expect(console.row(f"later info {marker}")).to_be_hidden()
    console.page.get_by_role("checkbox", name="info").check()
    expect(console.row(f"later info {marker}")).to_be_visible()


def test_the_modules_on_offer_are_those_seen_and_choosing_one_shows_it_alone(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    for module in ("switch", "spawner"):
        service.published(new_event(summary=f"{module} {marker}", module=module))
    expect(console.row(f"spawner {marker}")).to_be_visible()
    options = console.page.get_by_role("combobox", name="Module").locator("option").all_text_contents()
    assert {"switch", "spawner"} <= set(options)
    assert options[1:] == sorted(options[1:])
    console.page.get_by_role("combobox", name="Module").select_option("switch")
    expect(console.row(f"spawner {marker}")).to_be_hidden()
    expect(console.row(f"switch {marker}")).to_be_visible()
    assert set(console.page.locator(".row .module").all_text_contents()) == {"switch"}


def test_a_filter_finds_what_was_published_long_before(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=f"needle {marker}", event_type="needle.found", payload={"deep": [marker]}))
    service.published([new_event(summary="hay", correlation_id="hay") for _ in range(400)])
    console.show(correlation=marker)
    expect(console.row(f"needle {marker}")).to_be_visible()
    # A text is not known to the log's index: the page looks through its pages.
    console.show(text=f'["{marker.upper()}"]')
    expect(console.row(f"needle {marker}")).to_be_visible()


@pytest.mark.parametrize(
    ("label", "value", "parameter"),
    [
        ("Text", "two words", "text=two+words"),
        ("Type", "drift,disk.full", "type=drift,disk.full"),
        ("Correlation", "abc-1", "correlation=abc-1"),
    ],
)
def test_what_is_typed_into_a_filter_stands_in_the_address_and_is_there_after_a_reload(
    console: ConsolePage, label: str, value: str, parameter: str
) -> None:
    console.page.get_by_label(label, exact=True).fill(value)
    expect(console.page).to_have_url(re.compile(re.escape(f"?{parameter}") + "$"))
    console.page.reload()
    expect(console.page.get_by_label(label, exact=True)).to_have_value(value)
    console.page.get_by_role("button", name="Show everything").click()
    expect(console.page).to_have_url(re.compile("/operator/$"))
    expect(console.page.get_by_label(label, exact=True)).to_have_value("")


def test_the_severities_stand_in_the_address(console: ConsolePage, service: Client, new_event: NewEvent) -> None:
    service.published(new_event())
    for severity in ("info", "warn"):
        console.page.get_by_role("checkbox", name=severity, exact=True).uncheck()
    expect(console.page).to_have_url(re.compile(r"\?severity=error,critical$"))
    for severity in ("error", "critical"):
        console.page.get_by_role("checkbox", name=severity, exact=True).uncheck()
    expect(console.page).to_have_url(re.compile(r"\?severity=none$"))
    expect(console.page.get_by_text("No event matches the filter.")).to_be_visible()
    console.page.reload()
    expect(console.page.get_by_role("checkbox", name="error")).not_to_be_checked()


def test_several_filters_hold_together(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> None:
    console.show(correlation=marker, severity="error", module="switch", type="drift", text="seven")
    wanted = {"summary": "number seven", "severity": "error", "module": "switch", "event_type": "drift"}
    others = [{"summary": "number 7"}, {"severity": "warn"}, {"module": "hermes"}, {"event_type": "other"}]
    service.published([new_event(**{**wanted, **other}) for other in others])
    service.published(new_event(**wanted))
    expect(console.row("number seven")).to_have_count(1)
    assert console.summaries() == ["number seven"]
    console.page.reload()
    expect(console.row("number seven")).to_have_count(1)
    assert console.summaries() == ["number seven"]


def test_the_browser_goes_back_to_the_filter_before(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"mine {marker}"), new_event(summary=f"not {marker}", correlation_id="no")])
    console.show(text=marker)
    console.row(f"mine {marker}").click()
    console.page.get_by_role("button", name="Everything with this correlation").click()
    expect(console.page).to_have_url(re.compile(f"correlation={marker}"))
    expect(console.row(f"not {marker}")).to_be_hidden()
    console.page.go_back()
    expect(console.row(f"not {marker}")).to_be_visible()
    expect(console.page.get_by_label("Correlation", exact=True)).to_have_value("")


def test_a_value_that_can_match_nothing_is_marked_and_not_asked_for(console: ConsolePage) -> None:
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    field = console.page.get_by_label("Correlation", exact=True)
    field.fill("not a value!")
    expect(console.page.locator("[name=correlation]:invalid")).to_have_count(1)
    field.fill("good")
    expect(console.page).to_have_url(re.compile("correlation=good"))
    assert [url for url in asked if "value%21" in url or "value!" in url] == []
