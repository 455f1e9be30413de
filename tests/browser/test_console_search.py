"""Searches that take several answers, and the place of the log that another query keeps."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
# Each answer in parts has searched back an hour further than the one before it, however many there are.
FIRST_HOUR = datetime(2026, 1, 4, 9, 34, tzinfo=UTC)
# What a row says, and how far below the upper edge of the feed it stands.
HELD = """
    (row) => [
        row.querySelector(".text").textContent,
        row.getBoundingClientRect().top - row.closest("#feed").getBoundingClientRect().top,
    ]
"""


@pytest.fixture
def line(console: ConsolePage) -> Locator:
    return console.page.get_by_role("combobox", name="Query")


def answer_in_parts(console: ConsolePage, answers: int) -> list[str]:
    """The server ends each answer about the past early, so many times, before the real ones come."""
    asked: list[str] = []
    end: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > answers:
            return route.continue_()
        body = route.fetch().json()
        end.append(body["cursor"])
        hour = FIRST_HOUR - timedelta(hours=len(asked))
        early = {"time": f"{hour:%Y-%m-%dT%H:%M:%SZ}", "cursor": body["first_cursor"]}
        # As if nothing had been found yet: the position stays at the end, so that nothing is passed over.
        changed = {**body, "events": [], "complete": False, "has_more": True, "searched_from": early}
        changed["first_cursor"] = end[0]
        return route.fulfill(body=json.dumps(changed), content_type="application/json")

    console.page.route("**/operator/api/events?*", answer)
    return asked


def test_a_search_goes_on_by_itself_over_answers_that_found_nothing(
    console: ConsolePage, line: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="needle"))
    service.published(new_event(summary="after it", correlation_id="hay"))
    seen = console.page.locator("[data-slot=empty]")
    console.page.evaluate(
        """() => {
            window.said = new Set();
            const note = () => window.said.add(document.querySelector("[data-slot=empty]").textContent);
            const places = document.querySelectorAll("[data-slot=empty], [data-slot=searched]");
            const noteSearch = () => window.said.add(document.querySelector("[data-slot=searched]").textContent);
            const watch = new MutationObserver(() => (note(), noteSearch()));
            for (const place of places) watch.observe(place, { childList: true, characterData: true });
        }"""
    )
    expect(console.row("after it")).to_be_visible()
    asked = answer_in_parts(console, 3)
    line.fill(f"needle correlation:{marker}")
    expect(console.row("after it")).to_have_count(0)
    expect(console.row("needle")).to_be_visible()
    assert len(asked) >= 4
    said = set(console.page.evaluate("[...window.said]"))
    assert {f"Searched back to 04 Jan 0{hour}:34" for hour in (8, 7, 6)} <= said
    assert "No event matches the filter." not in said
    expect(seen).to_be_hidden()


def test_a_search_can_be_stopped_says_how_far_it_came_and_goes_on(
    console: ConsolePage, line: Locator, marker: str
) -> None:
    asked = answer_in_parts(console, 10_000)
    line.fill(f"nowhere correlation:{marker}")
    progress = console.page.locator("[data-slot=searched]")
    expect(progress).to_contain_text("Searched back to")
    console.page.get_by_role("button", name="Stop", exact=True).click()
    expect(console.page.locator("[data-slot=empty]")).to_contain_text("What is older was not searched.")
    console.expect_read()
    stopped = len(asked)
    expect(console.page.get_by_role("button", name="Look further back")).to_be_visible()
    assert broken_rules(console.page) == []
    assert len(asked) == stopped
    console.page.unroute("**/operator/api/events?*")
    console.page.get_by_role("button", name="Look further back").click()
    expect(console.page.get_by_text("No event matches the filter.")).to_be_visible()
    expect(progress).to_be_hidden()


def test_a_search_that_the_server_has_no_room_for_goes_on_later(
    console: ConsolePage, line: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary="needle"))
    refused: list[str] = []

    def answer(route: Route) -> None:
        refused.append(route.request.url)
        if len(refused) > 1:
            return route.continue_()
        body = {"reason": "at_capacity", "title": "At capacity"}
        return route.fulfill(status=503, body=json.dumps(body), headers={"Retry-After": "1"})

    console.page.route("**/operator/api/events?*", answer)
    line.fill(f"needle correlation:{marker}")
    expect(console.page.locator("[data-slot=feed-refusal]")).to_contain_text("Could not read: Too many requests.")
    expect(console.page.locator("[data-slot=feed-refusal]")).to_be_hidden()
    expect(console.row("needle")).to_be_visible()
    assert len(refused) > 1
    assert [problem for problem in console.problems if "503" not in problem] == []


@pytest.fixture
def numbered(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """Six hundred events, every third of which is an error."""
    severities = ("error", "info", "warn")
    service.published([new_event(summary=f"{at} {marker}", severity=severities[at % 3]) for at in range(500)])
    service.published([new_event(summary=f"{at} {marker}", severity=severities[at % 3]) for at in range(500, 600)])
    console.show(q=marker)
    expect(console.row(f"599 {marker}")).to_be_in_viewport()
    return console


def test_another_query_keeps_the_marked_row_where_it_is(
    numbered: ConsolePage, line: Locator, marker: str, service: Client, new_event: NewEvent
) -> None:
    numbered.feed.hover()
    numbered.page.mouse.wheel(0, -2_250)
    numbered.page.wait_for_timeout(100)
    marked = numbered.rows.filter(has_text=re.compile(r"\b(?:480|483|486|489|492|495|498|501|504|507) ")).nth(1)
    marked.click()
    numbered.page.keyboard.press("Escape")
    selected = numbered.page.locator(".row[aria-selected=true]")
    name, top = selected.evaluate(HELD)
    line.fill(f"{marker} severity:error")
    expect(numbered.page.locator(".row[data-severity=info]")).to_have_count(0)
    numbered.expect_read()
    assert selected.evaluate(HELD)[0] == name
    assert abs(selected.evaluate(HELD)[1] - top) <= 2
    expect(numbered.page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")
    # What nothing passes leads back to the same place, too.
    line.fill(f"{marker} nothing has this word")
    expect(numbered.page.get_by_text("No event matches the filter.")).to_be_visible()
    line.fill(marker)
    expect(selected).to_have_count(1)
    assert selected.evaluate(HELD)[0] == name
    service.published(new_event(summary=f"600 {marker}"))
    expect(numbered.page.locator("[data-action=newest]")).to_contain_text("1 new event")
    numbered.page.locator("[data-action=newest]").click()
    expect(numbered.row(f"600 {marker}")).to_be_in_viewport()


def test_another_query_after_a_jump_stays_there_until_newest_is_pressed(
    numbered: ConsolePage, line: Locator, principal: Client, marker: str
) -> None:
    newest = principal.polled(q=marker, limit=500)
    first = principal.polled(q=marker, limit=500, before=newest["first_cursor"])["events"][0]
    numbered.show(q=marker, at=first["created_at"])
    expect(numbered.row(f"0 {marker}")).to_be_in_viewport()
    line.fill(f"{marker} severity:error")
    expect(numbered.page.locator(".row[data-severity=info]")).to_have_count(0)
    expect(numbered.row(f"0 {marker}")).to_be_in_viewport()
    expect(numbered.page).to_have_url(re.compile("at="))
    numbered.page.locator("[data-action=newest]").click()
    expect(numbered.row(f"597 {marker}")).to_be_in_viewport()
    expect(numbered.page).not_to_have_url(re.compile("at="))


def test_a_reader_who_follows_goes_on_to_follow(
    numbered: ConsolePage, line: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    line.fill(f"{marker} severity:error")
    expect(numbered.row(f"597 {marker}")).to_be_in_viewport()
    service.published([new_event(summary=f"live {level} {marker}", severity=level) for level in ("info", "error")])
    expect(numbered.row(f"live error {marker}")).to_be_in_viewport()
    expect(numbered.row(f"live info {marker}")).to_have_count(0)
