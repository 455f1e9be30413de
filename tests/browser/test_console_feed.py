"""The live feed: what it shows, that it stays text, and how it follows and holds still."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.accounts import Account
from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
ENTRY_LIMIT = 2_000
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

# Signs that nobody sees are written out in keys and values of a payload.
UNSEEN = re.compile(r"[\u200b-\u200f\u2028-\u202e]")


def written_out(sign: re.Match[str]) -> str:
    return f"\\u{ord(sign[0]):04x}"


def test_a_published_event_appears_with_all_its_parts(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(
        new_event(summary=f"disk full on {marker}", severity="critical", module="hermes", event_type="disk.full")
    )
    row = console.row(f"disk full on {marker}")
    expect(row).to_be_in_viewport()
    for part in ("critical", "hermes", "disk.full"):
        expect(row).to_contain_text(part)
    assert console.problems == []


def test_p12_w05_hostile_text_stays_text(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(correlation=marker)
    service.published([new_event(summary=text, payload={"text": text, text: [text]}) for text in HOSTILE_TEXTS])
    expect(console.rows).to_have_count(len(HOSTILE_TEXTS))
    assert console.summaries() == HOSTILE_TEXTS
    for row in console.rows.all():
        text = row.locator(".text").text_content()
        row.click()
        detail = console.page.locator("#detail")
        expect(detail.locator("strong")).to_have_text(text or "")
        expect(detail.locator(".tree .key").nth(1)).to_have_text(UNSEEN.sub(written_out, text or ""))
    assert console.page.locator("#feed, #detail").locator("img, script, svg, iframe, b, a").count() == 0
    assert console.page.evaluate("window.pwned") is None
    assert console.problems == []


def test_w05_a_hostile_address_is_text_too(console: ConsolePage) -> None:
    console.show(
        text="<img src=x onerror=window.pwned=1>", module="<b>", correlation="'\"><script>", at="{{7*7}}", time="<"
    )
    expect(console.page.get_by_role("combobox", name="Query")).to_have_value(
        'module:<b> correlation:"\'\\"><script>" "<img src=x onerror=window.pwned=1>"'
    )
    assert console.page.evaluate("window.pwned") is None
    assert console.problems == []


def test_nothing_between_the_log_and_the_stream_is_lost_or_doubled(
    console: ConsolePage, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"before {number}") for number in range(120)])
    console.page.goto(f"{console.url}/operator/?correlation={marker}", wait_until="commit")
    for number in range(20):
        service.published(new_event(summary=f"while {number}"))
    console.expect_state("Live")
    expect(console.row("while 19")).to_be_visible()
    logged = [event["summary"] for event in principal.polled(limit=500, correlation_id=marker)["events"]]
    assert console.summaries() == logged


def test_an_empty_feed_says_so(console: ConsolePage, marker: str) -> None:
    console.show(correlation=marker)
    expect(console.page.get_by_text("No event matches the filter.")).to_be_visible()
    expect(console.page.locator("[data-slot=count]")).to_have_text("0 events")


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
    long_feed.feed.hover()
    long_feed.page.mouse.wheel(0, -700)
    newest = long_feed.page.locator("[data-action=newest]")
    expect(newest).to_have_text("To the newest ↓")
    before = long_feed.feed.evaluate("(feed) => feed.scrollTop")
    service.published([new_event(summary=f"{marker} more {number}") for number in range(3)])
    expect(newest).to_have_text("3 new events ↓")
    assert long_feed.feed.evaluate("(feed) => feed.scrollTop") == before
    newest.click()
    expect(long_feed.row(f"{marker} more 2")).to_be_in_viewport()
    expect(newest).to_be_hidden()


def test_pause_holds_the_page_still_and_counts_until_it_is_lifted(
    long_feed: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    pause = long_feed.page.get_by_role("button", name="Pause")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    service.published(new_event(summary=f"{marker} unseen"))
    expect(long_feed.page.locator("[data-action=newest]")).to_have_text("1 new event ↓")
    expect(long_feed.row(f"{marker} 79")).to_be_in_viewport()
    pause.click()
    expect(long_feed.row(f"{marker} unseen")).to_be_in_viewport()


def test_ten_thousand_events_in_a_burst_leave_the_newest_in_order_and_few_rows_in_the_page(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(correlation=marker)
    service.published([new_event(summary="before the burst")])
    expect(console.row("before the burst")).to_be_in_viewport()
    for start in range(0, 10_000, 500):
        service.published([new_event(summary=str(number)) for number in range(start, start + 500)])
    expect(console.row("9999")).to_be_in_viewport(timeout=20_000)
    expect(console.page.locator("[data-slot=count]")).to_have_text("2,000 events here, more in the log")
    assert console.rows.count() < 60
    newest = [row.text_content() for row in console.rows.locator(".text").all()]
    assert newest == [str(number) for number in range(10_000 - len(newest), 10_000)]
    assert console.problems == []


def test_a_reader_who_holds_still_through_more_than_the_page_keeps_loses_nothing(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(correlation=marker)
    service.published([new_event(summary=str(number)) for number in range(100)])
    expect(console.row("99")).to_be_in_viewport()
    console.page.get_by_role("button", name="Pause").click()
    for start in range(100, 3_100, 500):
        service.published([new_event(summary=str(number)) for number in range(start, start + 500)])
    expect(console.page.locator("[data-action=newest]")).to_have_text("3,000 new events ↓")
    expect(console.row("99")).to_be_in_viewport()
    console.page.get_by_role("button", name="Pause").click()
    expect(console.row("3099")).to_be_in_viewport()
    expect(console.page.locator("[data-action=newest]")).to_be_hidden()


def test_what_others_may_not_see_is_not_in_the_page(
    console: ConsolePage, viewer: Account, service: Client, new_event: NewEvent, marker: str
) -> None:
    """The page's own text holds the session's name for its tabs, and no cookie's value."""
    service.published(new_event(summary=f"{marker} seen"))
    expect(console.row(f"{marker} seen")).to_be_visible()
    content = console.page.content()
    assert [cookie["name"] for cookie in console.page.context.cookies() if cookie.get("value", "-") in content] == []
    assert viewer.password not in content


def test_one_event_is_counted_as_one(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> None:
    console.show(correlation=marker)
    count = console.page.locator("[data-slot=count]")
    for words in ("1 event", "2 events"):
        service.published(new_event())
        expect(count).to_have_text(words)


def test_a_row_shows_when_it_happened_where_that_differs_from_when_it_was_stored(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    console.show(correlation=marker)
    soon = (datetime.now(UTC) - timedelta(milliseconds=300)).isoformat()
    long_ago = "2019-03-02T11:12:13.5+00:00"
    service.published(
        [
            new_event(summary="imported", occurred_at=long_ago),
            new_event(summary="of now", occurred_at=soon),
            new_event(summary="without"),
        ]
    )
    expect(console.rows).to_have_count(3)
    imported, of_now, without = (console.row(name).locator("time") for name in ("imported", "of now", "without"))
    expect(imported).to_have_attribute("datetime", re.compile("^2019-03-02T11:12:13.5"))
    expect(imported).to_contain_text("2019")
    expect(imported).to_have_attribute("title", re.compile(f"2019.*\nStored: .*{datetime.now(UTC).year}", re.DOTALL))
    for row in (of_now, without):
        expect(row).not_to_contain_text("2019")
        expect(row).not_to_have_attribute("title", re.compile("Stored"))
