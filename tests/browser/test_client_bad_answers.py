"""The client library and answers that make no sense: it neither stops nor storms. A script plays the server."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.scripted import ScriptedServer, event, page_of, refusal
from tests.browser.tabs import Tabs, open_live
from tests.browser.watched_client import HOUR_MS, WAIT_FLOOR_MS, Start

NO_PAGES: dict[str, Any] = {
    "an empty object": {},
    "a list": [],
    "null": None,
    "no cursor": {"events": []},
    "no events": {"cursor": "e-1"},
    "another application": {"events": "none", "cursor": 7},
}


@pytest.mark.parametrize("body", NO_PAGES.values(), ids=NO_PAGES.keys())
def test_a_poll_whose_answer_is_no_page_of_events_is_made_again(
    start_polling: Start, script: ScriptedServer, body: Any
) -> None:
    client = start_polling(since="e-0")
    script.pages.append((200, body, {}))
    client.run(WAIT_FLOOR_MS)
    assert client.wait_for_state("reconnecting", times=3)["reason"] == "bad_answer"
    script.stream_status = 200
    client.run(3 * WAIT_FLOOR_MS)
    stream = script.next_stream()
    assert stream.query["last_event_id"] == "e-0"
    stream.connected("e-0")
    stream.event(1)
    client.wait_for_events([1])


def test_a_sign_in_page_of_a_network_instead_of_a_ticket_is_waited_out(
    start: Start, page: Page, script: ScriptedServer
) -> None:
    page.route("**/events/sse-token", lambda route: route.fulfill(status=200, body="<title>Hotel</title>"))
    client = start()
    assert client.wait_for_state("reconnecting")["reason"] == "bad_answer"
    page.unroute("**/events/sse-token")
    client.run(3 * WAIT_FLOOR_MS)
    script.next_stream().connected("e-0")
    client.wait_for_state("live")
    assert len(script.asked("/events/stream")) == 1


def test_a_tab_that_was_given_nonsense_reads_again_what_it_misses(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 1)
    script.pages.extend([(200, {}, {}), page_of([event(1)], "e-1")])
    late = tabs.open(history=5)
    late.wait_for_events([1])
    stream.event(2)
    late.wait_for_events([1, 2])


def test_credentials_that_cannot_be_had_now_are_asked_for_again(
    start: Start, page: Page, script: ScriptedServer
) -> None:
    client = start()
    script.next_stream().connected("e-0")
    client.wait_for_state("live")
    page.evaluate(
        """
        async () => {
            window.client.close();
            window.told.states.length = 0;
            let asked = 0;
            const { EventClient } = await import("/static/events/event-client.js");
            window.client = new EventClient({ headers: async () => { if (!asked++) throw new Error("offline"); } })
                .on("state", (state) => window.told.states.push(state))
                .start();
        }
        """
    )
    assert client.wait_for_state("reconnecting")["reason"] == "no_credentials"
    client.run(3 * WAIT_FLOOR_MS)
    script.next_stream().connected("e-0")
    client.wait_for_state("live")


@pytest.mark.parametrize(("status", "reason"), [(400, "bad_cursor"), (422, "validation_error")])
def test_a_question_that_is_wrong_is_not_asked_for_ever(
    start_polling: Start, script: ScriptedServer, status: int, reason: str
) -> None:
    client = start_polling(since="e-0")
    script.pages.append(refusal(status, reason))
    client.run(WAIT_FLOOR_MS)
    assert client.wait_for_state("ended")["reason"] == reason
    asked = client.asked
    client.run(HOUR_MS)
    assert client.asked == asked


def test_a_refusal_says_by_which_id_the_server_knows_it(start: Start, script: ScriptedServer) -> None:
    status, body, headers = refusal(403, "insufficient_scope")
    script.tickets.append((status, {**body, "correlation_id": "c-17"}, headers))
    client = start()
    assert client.wait_for_state("ended")["correlationId"] == "c-17"


def test_delay_is_not_guessed_before_the_clock_of_the_server_is_known(start: Start, script: ScriptedServer) -> None:
    client = start(since="e-0")
    client.page.evaluate("window.lags = []; window.client.on('event', (_, { lagMs }) => window.lags.push(lagMs))")
    stream = script.next_stream()
    stream.connected("e-0")
    stream.send({"cursor": "e-0"}, cursor="e-0", name="caught-up")
    # By the browser's clock, which stands at one second, this is a day old.
    stream.send(event(1, created_at="1969-12-31T00:00:00.000Z"), cursor="e-1")
    client.wait_for_events([1])
    assert client.page.evaluate("window.lags") == [None]
