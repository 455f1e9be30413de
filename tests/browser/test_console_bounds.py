"""What the page keeps is bounded, by count and by bytes, however long the log is and however large its events."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.accounts import add_account
from tests.browser.console_page import ConsolePage
from tests.browser.test_console_log import scroll_to, scroll_to_newest, scroll_until, shown
from tests.client import API, LOOPBACK, Client
from tests.conftest import POSTGRES, OwnStack
from tests.stacks import Size, Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
LONG_LOG_EVENTS = 100_000
BATCH_EVENTS = 500
ENTRY_LIMIT = 2_000
KEPT_LIMIT_BYTES = 32 * 1024 * 1024
# Rows in sight and spare ones, with five fields each, and everything else that the page consists of.
ELEMENTS_LIMIT = 800
# What a collection leaves differs from one to the next.
HEAP_NOISE_BYTES = 2_000_000
LARGE_PAYLOAD = {"text": "x" * 60_000}
LARGE_EVENTS = 700
LARGE_BATCH_EVENTS = 50


@pytest.fixture(scope="module")
def long_log_stack(
    stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Stack]:
    """Events numbered from 0, in an installation that holds nothing else. It takes long to fill: tests only read it."""
    stack = Stack(stack_size, tmp_path_factory.mktemp("long-log"), postgres=pytestconfig.stash[POSTGRES])
    with stack:
        headers = {"X-VX11-Token": stack.service_token}
        # One connection for all: there are two hundred requests.
        with httpx2.Client(base_url=stack.a.url, headers=headers, **LOOPBACK, timeout=30) as service:
            for start in range(0, LONG_LOG_EVENTS, BATCH_EVENTS):
                batch = range(start, start + BATCH_EVENTS)
                events = [{"event_type": "drift", "summary": str(number)} for number in batch]
                assert service.post(f"{API}/events", json={"events": events}).status_code == 201
        yield stack
    stack.assert_clean_logs()


@pytest.fixture
def long_log(page: Page, long_log_stack: Stack) -> tuple[ConsolePage, Stack]:
    console = ConsolePage(page, long_log_stack.a.url)
    console.open(add_account(long_log_stack, group="viewer"))
    return console, long_log_stack


def count_held(console: ConsolePage) -> int:
    return int(console.rows.first.get_attribute("aria-setsize") or 0)


def scroll_back_past(console: ConsolePage, number: int) -> None:
    """Page by page, until nothing in sight is newer than this."""
    while (newest := shown(console)[-1]) > number:
        scroll_to(console, "top")
        wait_until(partial(is_older, console, newest), f"something older than {newest}")
        console.expect_read()


def is_older(console: ConsolePage, than: int) -> bool:
    return shown(console)[-1] < than


def heap_bytes(page: Page) -> float:
    """What is still in use after a garbage collection."""
    browser = page.context.new_cdp_session(page)
    browser.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = browser.send("Runtime.getHeapUsage")
    browser.detach()
    return float(usage["usedSize"])


@pytest.mark.timeout(180)
def test_a_needle_behind_a_hundred_thousand_events_is_found_with_one_input(
    long_log: tuple[ConsolePage, Stack],
) -> None:
    console, _ = long_log
    console.page.get_by_role("combobox", name="Query").fill("7")
    # A word of its own, and of no other number.
    expect(console.row("7")).to_be_visible(timeout=60_000)
    console.expect_read()
    assert console.summaries() == ["7"]
    expect(console.page.locator("[data-slot=count]")).to_have_text("1 event")
    assert console.problems == []


@pytest.mark.timeout(180)
def test_with_a_hundred_thousand_events_behind_it_the_feed_goes_back_by_pages_and_stays_small(
    long_log: tuple[ConsolePage, Stack],
) -> None:
    console, stack = long_log
    page = console.page
    expect(console.row(str(LONG_LOG_EVENTS - 1))).to_be_in_viewport()
    assert page.evaluate("document.querySelectorAll('*').length") < ELEMENTS_LIMIT
    scroll_back_past(console, LONG_LOG_EVENTS - 2_100)
    full = heap_bytes(page)
    scroll_back_past(console, LONG_LOG_EVENTS - 6_100)
    seen = shown(console)
    assert seen == sorted(seen)
    assert count_held(console) == ENTRY_LIMIT
    assert page.evaluate("document.querySelectorAll('*').length") < ELEMENTS_LIMIT
    assert heap_bytes(page) < full + HEAP_NOISE_BYTES

    # And to the middle of the log, in one step.
    principal = stack.client(stack.principal_token)
    epoch, _, newest = principal.cursor().rpartition("-")
    middle = f"{epoch}-{int(newest) - LONG_LOG_EVENTS // 2}"
    moment = principal.polled(before=middle, limit=1)["events"][0]["created_at"].partition(".")[0]
    around = principal.polled(at=f"{moment}Z", limit=500)["events"]
    first = next(event for event in around if event["created_at"] >= moment)
    page.get_by_label("Jump to").fill(moment)
    page.get_by_role("button", name="Jump", exact=True).click()
    expect(console.row(first["summary"])).to_be_in_viewport()
    scroll_back_past(console, int(first["summary"]) - 1_000)
    page.locator("[data-action=newest]").click()
    expect(console.row(str(LONG_LOG_EVENTS - 1))).to_be_in_viewport()
    assert console.problems == []


def publish_large(service: Client, new_event: NewEvent, first: int, count: int) -> None:
    for start in range(first, first + count, LARGE_BATCH_EVENTS):
        batch = range(start, start + LARGE_BATCH_EVENTS)
        service.published([new_event(summary=str(number), payload=LARGE_PAYLOAD) for number in batch])


@pytest.mark.timeout(120)
def test_of_large_events_fewer_are_kept_and_all_can_be_reached_in_both_directions(
    page: Page, own_stack: OwnStack, new_event: NewEvent, marker: str
) -> None:
    stack = own_stack()
    service, principal = stack.client(stack.service_token), stack.client(stack.principal_token)
    publish_large(service, new_event, 0, LARGE_EVENTS)
    (largest,) = principal.polled(limit=1)["events"]
    fit = KEPT_LIMIT_BYTES // len(json.dumps(largest, separators=(",", ":")))
    assert 500 < fit < LARGE_EVENTS
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="viewer"), correlation=marker)
    expect(console.row(str(LARGE_EVENTS - 1))).to_be_in_viewport()

    def assert_bounded() -> None:
        # Numbers of fewer digits take some bytes less.
        assert fit - 1 <= count_held(console) <= fit + 1

    scroll_until(console, "top", 0)
    assert_bounded()
    scroll_to_newest(console, LARGE_EVENTS - 1)
    assert_bounded()
    publish_large(service, new_event, LARGE_EVENTS, LARGE_BATCH_EVENTS)
    expect(console.row(str(LARGE_EVENTS + LARGE_BATCH_EVENTS - 1))).to_be_in_viewport()
    assert_bounded()
    assert heap_bytes(page) < 2 * KEPT_LIMIT_BYTES
    # Who holds still keeps what is in sight; the rest is counted and read when it is scrolled to.
    page.get_by_role("button", name="Pause").click()
    publish_large(service, new_event, LARGE_EVENTS + LARGE_BATCH_EVENTS, LARGE_BATCH_EVENTS)
    expect(page.locator("[data-action=newest]")).to_have_text(f"{LARGE_BATCH_EVENTS} new events ↓")
    expect(console.row(str(LARGE_EVENTS + LARGE_BATCH_EVENTS - 1))).to_be_in_viewport()
    assert_bounded()
    assert console.problems == []
