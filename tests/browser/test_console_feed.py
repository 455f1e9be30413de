"""The live feed: what it shows, that it stays text, how it filters and follows."""

from collections.abc import Callable, Mapping

import pytest
from playwright.sync_api import expect

from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
ROW_LIMIT = 1_000
HISTORY_EVENTS = 100
HOSTILE_TEXTS = [
    "'; DROP TABLE events; --",
    "<img src=x onerror=\"window.pwned=1;alert('img')\">",
    "<script>window.pwned=1</script>",
    '"><svg onload="window.pwned=1">',
    "</span></summary><iframe src='javascript:parent.pwned=1'></iframe>",
    "=cmd|' /C calc'!A0",
    "{{7*7}} {% debug %} ${jndi:ldap://127.0.0.1/x} <%= 7*7 %>",
    "javascript:alert(1)",
    "\u202eright to left\u202c and \u200bnothing",
    "&lt;b&gt; &amp; &#x3C;",
]


def test_a_published_event_appears_with_all_its_parts(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    answer = service.published(
        new_event(
            summary=f"disk full on {marker}",
            severity="critical",
            module="hermes",
            event_type="disk.full",
            payload={"free": 0},
        )
    )
    row = console.row(f"disk full on {marker}")
    expect(row).to_be_visible()
    for part in ("critical", "hermes", "disk.full"):
        expect(row).to_contain_text(part)
    row.locator("summary").click()
    for detail in (answer["event_id"], str(answer["seq"]), marker, '"free": 0'):
        expect(row.locator("dl")).to_contain_text(detail)
    assert console.problems == []


def test_p12_w05_hostile_text_stays_text(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(
        [new_event(summary=f"{text} {marker}", payload={"text": text, text: [text]}) for text in HOSTILE_TEXTS]
    )
    rows = console.rows.filter(has_text=marker)
    expect(rows).to_have_count(len(HOSTILE_TEXTS))
    assert console.summaries(containing=marker) == [f"{text} {marker}" for text in HOSTILE_TEXTS]
    for row in rows.all():
        row.locator("summary").click()
    expect(rows.locator("pre")).to_have_count(len(HOSTILE_TEXTS))
    assert rows.locator("img, script, svg, iframe, b, a").count() == 0
    assert console.page.evaluate("window.pwned") is None
    assert console.problems == []


def test_the_newest_events_are_there_at_the_start_and_nothing_between_them_and_the_stream_is_lost_or_doubled(
    console: ConsolePage, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"before {marker} {number}") for number in range(HISTORY_EVENTS + 20)])
    console.page.reload(wait_until="commit")
    for number in range(20):
        service.published(new_event(summary=f"while {marker} {number}"))
    console.expect_state("Live")
    expect(console.row(f"while {marker} 19")).to_be_visible()
    shown = console.summaries(containing=marker)
    logged = [event["summary"] for event in principal.polled(limit=500, correlation_id=marker)["events"]]
    assert HISTORY_EVENTS <= len(shown) <= len(logged)
    assert shown == logged[-len(shown) :]


def test_a_severity_that_is_not_chosen_is_hidden_and_stays_so_for_what_comes(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"{level} {marker}", severity=level) for level in ("info", "error")])
    expect(console.row(f"info {marker}")).to_be_visible()
    console.page.get_by_label("info").uncheck()
    expect(console.row(f"info {marker}")).to_be_hidden()
    expect(console.row(f"error {marker}")).to_be_visible()
    service.published([new_event(summary=f"later {level} {marker}", severity=level) for level in ("info", "error")])
    expect(console.row(f"later error {marker}")).to_be_visible()
    expect(console.row(f"later info {marker}")).to_be_hidden()
    console.page.get_by_label("info").check()
    expect(console.row(f"later info {marker}")).to_be_visible()


def test_the_modules_on_offer_are_those_seen_and_choosing_one_shows_it_alone(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    for module in ("switch", "spawner"):
        service.published(new_event(summary=f"{module} {marker}", module=module))
    expect(console.row(f"spawner {marker}")).to_be_visible()
    options = console.page.get_by_label("Module").locator("option").all_text_contents()
    assert {"switch", "spawner"} <= set(options)
    assert options[1:] == sorted(options[1:])
    console.page.get_by_label("Module").select_option("switch")
    expect(console.row(f"switch {marker}")).to_be_visible()
    expect(console.row(f"spawner {marker}")).to_be_hidden()
    assert set(console.page.locator(".row:not([hidden]) .module").all_text_contents()) == {"switch"}


def test_a_filter_that_nothing_matches_says_so(console: ConsolePage, service: Client, new_event: NewEvent) -> None:
    service.published(new_event())
    for severity in ("info", "warn", "error", "critical"):
        console.page.get_by_label(severity).uncheck()
    expect(console.page.get_by_text("No event matches the filter.")).to_be_visible()
    expect(console.page.locator("[data-slot=count]")).to_contain_text("0 of")


def test_the_list_is_bounded_and_keeps_the_newest(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    for start in range(0, ROW_LIMIT + 200, 300):
        service.published([new_event(summary=f"{marker} {number}") for number in range(start, start + 300)])
    expect(console.row(f"{marker} {ROW_LIMIT + 199}")).to_be_visible()
    assert console.summaries() == [f"{marker} {number}" for number in range(200, ROW_LIMIT + 200)]


@pytest.fixture
def long_feed(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> ConsolePage:
    """More rows than fit on the page."""
    service.published([new_event(summary=f"{marker} {number}") for number in range(80)])
    expect(console.row(f"{marker} 79")).to_be_in_viewport()
    return console


def test_the_feed_follows_the_newest_event(
    long_feed: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"{marker} more {number}") for number in range(40)])
    expect(long_feed.row(f"{marker} more 39")).to_be_in_viewport()


def test_a_reader_who_scrolled_up_is_left_there_and_told_what_is_new(
    long_feed: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    long_feed.row(f"{marker} 20").scroll_into_view_if_needed()
    newest = long_feed.page.get_by_role("button", name="To the newest")
    expect(newest).to_be_visible()
    before = long_feed.page.locator("#feed").evaluate("(feed) => feed.scrollTop")
    service.published([new_event(summary=f"{marker} more {number}") for number in range(3)])
    expect(long_feed.page.get_by_role("button", name="3 new events")).to_be_visible()
    assert long_feed.page.locator("#feed").evaluate("(feed) => feed.scrollTop") == before
    long_feed.page.get_by_role("button", name="3 new events").click()
    expect(long_feed.row(f"{marker} more 2")).to_be_in_viewport()
    expect(long_feed.page.locator("[data-action=newest]")).to_be_hidden()


def test_ten_thousand_events_in_a_burst_leave_the_page_complete_and_in_order(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    for start in range(0, 10_000, 500):
        service.published([new_event(summary=f"{marker} {number}") for number in range(start, start + 500)])
    expect(console.row(f"{marker} 9999")).to_be_visible(timeout=20_000)
    assert console.summaries() == [f"{marker} {number}" for number in range(9_000, 10_000)]
    assert console.problems == []
