"""Back in time: pages of the log that come and go with the reader, and jumps to a moment."""

import json
import re
from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import Route, expect

from tests.browser.accessibility import DRAWN
from tests.browser.console_page import ConsolePage
from tests.client import Client
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
EVENTS = 3_500
POSITION = "(row) => [Number(row.querySelector('.text').textContent), row.getBoundingClientRect().top]"


@pytest.fixture
def long_log(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """More events than a page holds, numbered from 0, each second one an hour apart in nothing but its number."""
    for start in range(0, EVENTS, 500):
        service.published([new_event(summary=str(number)) for number in range(start, start + 500)])
    console.show(correlation=marker)
    expect(console.row(str(EVENTS - 1))).to_be_in_viewport()
    return console


def shown(console: ConsolePage) -> list[int]:
    return [int(text) for text in console.rows.locator(".text").all_text_contents()]


def scroll_to(console: ConsolePage, end: str) -> None:
    console.feed.evaluate(f"(feed) => (feed.scrollTop = {0 if end == 'top' else 'feed.scrollHeight'})")


def scroll_until(console: ConsolePage, end: str, number: int) -> None:
    """Scrolls to this end again and again, as pages are put on there, until the row is in sight."""
    for _ in range(60):
        scroll_to(console, end)
        console.page.evaluate(DRAWN)
        console.expect_read()
        if number in shown(console):
            return
    raise AssertionError(f"{number} never came: {shown(console)}")


def scroll_to_newest(console: ConsolePage, number: int) -> None:
    """Scrolls down until this row is in sight and the newest are followed: it is drawn a few rows before the end."""
    scroll_until(console, "bottom", number)
    pause = console.page.get_by_role("button", name="Pause")

    def follows() -> bool:
        scroll_to(console, "bottom")
        console.page.evaluate(DRAWN)
        console.expect_read()
        return pause.get_attribute("aria-pressed") == "false"

    wait_until(follows, "the newest are followed")


def test_a_reader_who_scrolls_back_reaches_the_first_event_and_the_page_stays_small(long_log: ConsolePage) -> None:
    scroll_until(long_log, "top", 0)
    assert shown(long_log) == sorted(shown(long_log))
    assert long_log.rows.count() < 60
    assert int(long_log.rows.first.get_attribute("aria-setsize") or 0) <= 2_000


def test_what_was_dropped_on_the_way_back_is_there_again_on_the_way_forward(
    long_log: ConsolePage, service: Client, new_event: NewEvent
) -> None:
    scroll_until(long_log, "top", 0)
    service.published(new_event(summary=str(EVENTS)))
    expect(long_log.page.locator("[data-action=newest]")).to_have_text("1 new event ↓")
    scroll_to_newest(long_log, EVENTS)
    service.published(new_event(summary=str(EVENTS + 1)))
    expect(long_log.row(str(EVENTS + 1))).to_be_in_viewport()
    assert shown(long_log) == list(range(shown(long_log)[0], EVENTS + 2))


def test_rows_put_on_top_do_not_move_those_in_sight(long_log: ConsolePage) -> None:
    long_log.feed.hover()
    long_log.feed.evaluate("(feed) => (feed.scrollTop = 1500)")
    # The rows of before are in the page until it is drawn again.
    long_log.page.evaluate(DRAWN)
    first = long_log.rows.nth(12)
    number, top = first.evaluate(POSITION)
    size = first.get_attribute("aria-setsize") or ""
    # Below this, older events are asked for. How many come at a time is up to the server, which may be busy.
    long_log.page.mouse.wheel(0, -900)
    expect(long_log.rows.first).not_to_have_attribute("aria-setsize", size)
    # A wheel's way is not over when it has been turned: the row may be in sight before it is in its place.
    long_log.page.mouse.wheel(0, 900)
    row = long_log.row(str(number))
    expect(row).to_be_in_viewport()
    wait_until(lambda: abs(row.evaluate(POSITION)[1] - top) < 2, "the row is where it was")


def test_one_can_jump_to_a_moment_and_the_address_says_so(
    long_log: ConsolePage, principal: Client, marker: str
) -> None:
    first = principal.polled(correlation_id=marker, limit=1, at="2020-01-01")["events"][0]
    moment = first["created_at"].partition(".")[0]
    long_log.page.get_by_label("Jump to").fill(moment)
    long_log.page.get_by_role("button", name="Jump", exact=True).click()
    expect(long_log.page).to_have_url(re.compile(f"&at={re.escape(moment)}.000Z"))
    expect(long_log.row("0")).to_be_in_viewport()
    long_log.page.reload()
    expect(long_log.row("0")).to_be_in_viewport()
    # Browsers leave seconds out that are none.
    shown_moment = re.compile(rf"{re.escape(moment.removesuffix(':00'))}(:00)?")
    expect(long_log.page.get_by_label("Jump to")).to_have_value(shown_moment)
    long_log.page.locator("[data-action=newest]").click()
    expect(long_log.row(str(EVENTS - 1))).to_be_in_viewport()
    expect(long_log.page).not_to_have_url(re.compile("at="))


def test_a_jump_ends_at_the_first_event_of_its_millisecond(
    long_log: ConsolePage, principal: Client, marker: str
) -> None:
    oldest = principal.polled(correlation_id=marker, limit=1, at="2020-01-01")["cursor"]
    second_batch = principal.polled(correlation_id=marker, limit=500, since=oldest)["events"][499]
    assert second_batch["summary"] == "500"
    # Its time has microseconds, that of an address has not, and more events share it than a page holds.
    until_milliseconds = len("2026-01-04T01:34:28.123")
    long_log.show(correlation=marker, at=f"{second_batch['created_at'][:until_milliseconds]}Z")
    expect(long_log.row("500")).to_be_in_viewport()


def test_what_happens_after_a_jump_is_counted_and_not_mixed_into_the_past(
    long_log: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    long_log.show(correlation=marker, at="2020-01-01T00:00:00Z")
    expect(long_log.row("0")).to_be_in_viewport()
    service.published(new_event(summary=str(EVENTS)))
    expect(long_log.page.locator("[data-action=newest]")).to_have_text("1 new event ↓")
    assert EVENTS not in shown(long_log)


def test_what_is_rare_is_found_behind_all_the_others(long_log: ConsolePage, marker: str) -> None:
    long_log.show(q=f"correlation:{marker} 3")
    expect(long_log.row("3")).to_be_in_viewport()
    long_log.page.get_by_label("Query").fill(f'correlation:{marker} "number that is nowhere"')
    expect(long_log.page.get_by_text("No event matches the filter.")).to_be_visible()


def test_a_reader_who_is_at_the_end_before_it_is_known_to_be_one_follows(
    long_log: ConsolePage, service: Client, new_event: NewEvent
) -> None:
    newer: list[str] = []

    def answer(route: Route) -> None:
        newer.append(route.request.url)
        body = route.fetch().json()
        # Of the answer that holds the last events it is not known that it does.
        more = body["has_more"] or bool(body["events"])
        route.fulfill(body=json.dumps({**body, "has_more": more}), content_type="application/json")

    scroll_until(long_log, "top", 0)
    long_log.page.route(re.compile(r"/api/events\?.*since="), answer)
    scroll_to_newest(long_log, EVENTS - 1)
    assert newer
    service.published(new_event(summary=str(EVENTS)))
    expect(long_log.row(str(EVENTS))).to_be_in_viewport()
