"""Ranges of time and the histogram: what is shown is what the log counts, and a part of it can be chosen."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.accessibility import broken_rules
from tests.browser.console_page import ConsolePage
from tests.client import API, Client
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
SEVERITIES = ("info", "warn", "error", "critical")
# The histogram is drawn so often.
DRAW_MS = 1_000


@pytest.fixture
def plot(console: ConsolePage) -> Locator:
    return console.page.get_by_role("slider", name=re.compile("Events by time"))


@pytest.fixture
def words(console: ConsolePage) -> Locator:
    """The histogram as text."""
    return console.page.locator("[data-slot=rate-words]")


def time_of(console: ConsolePage) -> Locator:
    """The choice of a range."""
    return console.page.get_by_role("combobox", name="Time", exact=True)


def field_of(console: ConsolePage, name: str) -> Locator:
    return console.page.get_by_role("textbox", name=name, exact=True)


def counted(principal: Client, **asked: str | int) -> dict[str, int]:
    answer = principal.get(f"{API}/events/stats", params=asked).json()
    return {level: sum(bucket[level] for bucket in answer["buckets"]) for level in SEVERITIES}


def test_the_histogram_counts_what_the_query_asks_for_as_the_api_does(
    console: ConsolePage, words: Locator, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(severity="error") for _ in range(7)] + [new_event() for _ in range(5)])
    console.page.get_by_label("Query").fill(f"correlation:{marker}")
    expect(words).to_contain_text("info 5, warn 0, error 7, critical 0")
    assert counted(principal, q=f"correlation:{marker}", **{"from": "-15m"}) == {
        **dict.fromkeys(SEVERITIES, 0),
        "info": 5,
        "error": 7,
    }
    expect(console.page.locator("[data-slot=rate-now]")).to_have_text("12 events")
    console.page.get_by_label("Query").fill(f"correlation:{marker} severity:error")
    expect(words).to_contain_text("info 0, warn 0, error 7, critical 0")
    # What comes is counted by the same query.
    service.published([new_event(severity="error"), new_event(severity="info")])
    expect(console.page.locator("[data-slot=rate-now]")).to_have_text("8 events")
    assert console.problems == []


def test_what_is_asked_is_described_when_its_answer_comes_however_late(
    console: ConsolePage, words: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(severity="error") for _ in range(7)] + [new_event() for _ in range(5)])
    held: list[Route] = []

    def asked() -> list[Route]:
        console.page.wait_for_timeout(50)
        return held

    console.page.route(re.compile("/events/stats"), lambda route: held.append(route))
    console.page.get_by_label("Query").fill(f"correlation:{marker} severity:error")
    wait_until(asked, "the log is asked")
    console.page.wait_for_timeout(2 * DRAW_MS)
    held.pop().continue_()
    expect(words).to_contain_text("info 0, warn 0, error 7, critical 0")


def test_a_count_that_was_refused_shows_no_other_question_s_and_is_asked_for_again(
    console: ConsolePage, words: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(severity="error") for _ in range(7)])
    expect(words).to_contain_text("error")
    refusals = iter([503, 503])

    def answer(route: Route) -> None:
        status = next(refusals, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(status=status, content_type="application/problem+json", body='{"reason": "at_capacity"}')

    console.page.route("**/operator/api/events/stats?*q=*", answer)
    console.page.get_by_label("Query").fill(f"correlation:{marker}")
    expect(words).to_contain_text("info 0, warn 0, error 7, critical 0", timeout=20_000)
    assert next(refusals, None) is None


@pytest.mark.parametrize(
    ("choice", "value"),
    [("last 5 minutes", "-5m"), ("last hour", "-1h"), ("last 24 hours", "-24h"), ("last 7 days", "-7d")],
)
def test_a_range_narrows_feed_and_histogram_and_stands_in_the_address(
    console: ConsolePage, words: Locator, service: Client, new_event: NewEvent, marker: str, choice: str, value: str
) -> None:
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    time_of(console).select_option(choice)
    expect(console.page).to_have_url(re.compile(rf"\?from={value}$"))
    console.expect_read()
    assert [url for url in asked if "/events?" in url and f"from={value}" in url]
    service.published(new_event(summary=f"live {marker}"))
    expect(console.row(f"live {marker}")).to_be_visible()
    console.page.reload()
    expect(time_of(console)).to_have_value(value)
    expect(console.row(f"live {marker}")).to_be_visible()
    expect(words).to_contain_text("Events from")


def test_a_range_between_two_moments_holds_what_happened_then_and_nothing_that_comes(
    console: ConsolePage, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=f"then {marker}"))
    stored = datetime.fromisoformat(principal.polled(correlation_id=marker)["events"][0]["created_at"])
    form = "%Y-%m-%dT%H:%M:%S"
    begin, end = stored - timedelta(hours=1), stored + timedelta(seconds=1)
    time_of(console).select_option("custom")
    expect(field_of(console, "From")).to_be_focused()
    field_of(console, "From").fill(begin.strftime(form))
    field_of(console, "To").fill(end.strftime(form))
    expect(console.page).to_have_url(re.compile("from=.*&to="))
    expect(console.row(f"then {marker}")).to_be_visible()
    wait = (end - datetime.now(UTC)).total_seconds()
    console.page.wait_for_timeout(max(0, wait) * 1000 + 100)
    service.published(new_event(summary=f"later {marker}"))
    console.page.get_by_label("Query").fill(marker)
    expect(console.row(f"then {marker}")).to_be_visible()
    expect(console.row(f"later {marker}")).to_have_count(0)
    console.page.reload()
    expect(field_of(console, "From")).to_have_value(begin.strftime(form))
    expect(field_of(console, "To")).to_have_value(end.strftime(form))


def test_the_pointer_shows_counts_and_a_drag_zooms(
    console: ConsolePage, plot: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(q=f"correlation:{marker}")
    service.published([new_event(severity="error"), new_event(severity="critical"), new_event(severity="critical")])
    expect(console.page.locator("[data-slot=rate-now]")).to_have_text("3 events")
    box = plot.bounding_box()
    assert box
    console.page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 20)
    console.page.mouse.down()
    console.page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 20, steps=4)
    bubble = console.page.locator("[data-slot=bubble]")
    expect(bubble).to_contain_text("critical 2, error 1")
    console.page.mouse.up()
    expect(console.page).to_have_url(re.compile("from=.*&to="))
    expect(time_of(console)).to_have_value("custom")
    parameters = dict(re.findall(r"(from|to)=([^&]+)", console.page.url))
    begin, end = (datetime.fromisoformat(parameters[name]) for name in ("from", "to"))
    # A twelfth of a quarter of an hour, in columns of five seconds.
    assert timedelta(seconds=30) <= end - begin <= timedelta(seconds=120)
    expect(console.rows).to_have_count(3)
    console.page.go_back()
    expect(time_of(console)).to_have_value("")
    assert console.problems == []


def test_keys_alone_point_at_a_time_choose_a_range_and_zoom(
    console: ConsolePage, plot: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(q=f"correlation:{marker}")
    service.published([new_event(severity="warn") for _ in range(4)])
    expect(console.page.locator("[data-slot=rate-now]")).to_have_text("4 events")
    plot.focus()
    console.page.keyboard.press("End")
    expect(plot).to_have_attribute("aria-valuetext", re.compile(r"^\d\d:\d\d:\d\d – \d\d:\d\d:\d\d: "))
    for _ in range(6):
        console.page.keyboard.press("Shift+ArrowLeft")
    expect(plot).to_have_attribute("aria-valuetext", re.compile("warn 4$"))
    assert broken_rules(console.page) == []
    console.page.keyboard.press("Escape")
    expect(console.page.locator("[data-slot=brush]")).to_be_hidden()
    console.page.keyboard.press("End")
    for _ in range(6):
        console.page.keyboard.press("Shift+ArrowLeft")
    console.page.keyboard.press("Enter")
    expect(console.page).to_have_url(re.compile("from=.*&to="))
    expect(console.rows).to_have_count(4)


def test_what_could_not_be_counted_is_said_and_drawn_as_unknown(
    console: ConsolePage, plot: Locator, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event())

    def answer(route: Route) -> None:
        body: dict[str, Any] = route.fetch().json()
        route.fulfill(body=json.dumps({**body, "complete": False}), content_type="application/json")

    console.page.route("**/operator/api/events/stats?*", answer)
    console.page.get_by_label("Query").fill(f"correlation:{marker}")
    said = console.page.get_by_role("status").filter(has_text="could not be counted")
    expect(said).to_have_text(re.compile(r"^What is before \d\d:\d\d:\d\d could not be counted\.$"))
    assert float(console.page.locator("rect.uncounted").get_attribute("width") or 0) > 300
    plot.focus()
    console.page.keyboard.press("Home")
    expect(plot).to_have_attribute("aria-valuetext", re.compile("could not be counted$"))
    assert broken_rules(console.page) == []
    console.page.get_by_label("Query").fill(f"correlation:{marker} nothing")
    expect(said).to_have_text("could not be counted")


def test_the_axes_say_how_much_and_when(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(q=f"correlation:{marker}", time="utc")
    service.published([new_event() for _ in range(37)])
    expect(console.page.locator("[data-slot=rate-now]")).to_have_text("37 events")
    expect(console.page.locator("[data-slot=rate-unit]")).to_contain_text("5 sec")
    expect(console.page.locator("[data-slot=rate-top]")).to_have_text(re.compile("^(20|50)$"))
    ticks = console.page.locator("[data-slot=time-axis] span").all_text_contents()
    assert len(ticks) >= 2
    assert all(re.fullmatch(r"\d\d:\d\d", tick) for tick in ticks)
    now = datetime.now(UTC)
    assert ticks[-1] in {(now - timedelta(minutes=minute)).strftime("%H:%M") for minute in range(6)}
    time_of(console).select_option("-7d")
    expect(console.page.locator("[data-slot=time-axis] span").first).to_have_text(re.compile(r"^\d\d [A-Z][a-z]+$"))
    expect(console.page.locator("[data-slot=rate-unit]")).to_contain_text("1 hr")
