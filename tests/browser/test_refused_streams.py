"""A stream that is refused: the browser gives it up, and the client asks for a new ticket, but never in a hurry."""

import pytest
from playwright.sync_api import Page

from tests.browser.scripted import ScriptedServer
from tests.browser.watched_client import WAIT_FLOOR_MS, Start

REFUSALS = [401, 429, 503, 204]
ATTEMPTS = 4
OPEN = """
    (url) => new Promise((resolve) => {
        const source = new EventSource(url);
        source.onerror = () => resolve(source.readyState === EventSource.CLOSED);
    })
"""
# When the client asks for tickets, by the page's own clock.
NOTE_TIMES = """
    window.askedAt = [];
    const plainFetch = window.fetch;
    window.fetch = (...request) => {
        if (String(request[0]).endsWith("/events/sse-token")) window.askedAt.push(Date.now());
        return plainFetch(...request);
    };
"""


@pytest.mark.parametrize("status", REFUSALS)
def test_s14_a_browser_gives_up_a_stream_that_is_refused(page: Page, script: ScriptedServer, status: int) -> None:
    script.stream_status = status
    page.goto(script.url)
    assert page.evaluate(OPEN, "/operator/api/events/stream?token=x")
    assert len(script.asked("/events/stream")) == 1


@pytest.mark.parametrize("status", REFUSALS)
def test_s14_the_client_asks_for_a_new_ticket_and_at_most_once_a_second(
    page: Page, script: ScriptedServer, start: Start, status: int
) -> None:
    script.stream_status = status
    page.add_init_script(NOTE_TIMES)
    # The shortest waits there are.
    client = start(luck=0)
    client.run_until(lambda: page.evaluate("askedAt.length") >= ATTEMPTS, f"attempt {ATTEMPTS}")
    times = page.evaluate("askedAt")
    assert all(later - earlier >= WAIT_FLOOR_MS for earlier, later in zip(times, times[1:], strict=False)), times
    tickets = [query["token"] for query in script.asked("/events/stream")]
    assert len(set(tickets)) == len(tickets)
