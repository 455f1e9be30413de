"""When the browser's client library dares to ask again, and when it polls. A script plays the server."""

import pytest
from playwright.sync_api import Page

from tests.browser.scripted import ScriptedServer, event, page_of, refusal
from tests.browser.watched_client import WAIT_FLOOR_MS, Start


def test_a_new_attempt_is_never_made_within_a_second(start: Start, script: ScriptedServer) -> None:
    client = start(luck=0)
    stream = script.next_stream()
    stream.connected("e-0")
    stream.break_off()
    client.wait_for_state("reconnecting")
    client.run(WAIT_FLOOR_MS - 1)
    assert client.asked == 1
    client.run(1)
    script.next_stream()
    assert client.asked == 2


def test_waits_grow_with_each_failure_up_to_half_a_minute(start: Start, page: Page) -> None:
    page.route("**/events/sse-token", lambda route: route.abort())
    client = start(luck=1)
    seconds = []
    for number in range(1, 8):
        seconds.append(client.wait_for_state("reconnecting", times=number)["seconds"])
        client.run(seconds[-1] * 1000)
    assert seconds == [3, 5, 9, 17, 31, 31, 31]


def test_waits_are_short_again_after_a_stream_that_worked(start: Start, page: Page, script: ScriptedServer) -> None:
    script.tickets.extend([refusal(503, "draining"), refusal(503, "draining")])
    client = start(luck=1)
    for number, seconds in enumerate([3, 5], start=1):
        assert client.wait_for_state("reconnecting", times=number)["seconds"] == seconds
        client.run(seconds * 1000)
    stream = script.next_stream()
    stream.connected("e-0")
    client.wait_for_state("live")
    client.run(15_000)
    stream.break_off()
    assert client.wait_for_state("reconnecting", times=3)["seconds"] == 3


@pytest.mark.parametrize("reason", ["draining", "max_age", "slow_consumer", "a_reason_of_tomorrow"])
def test_a_stream_end_is_followed_by_a_reconnect_after_its_retry_ms(
    start: Start, script: ScriptedServer, reason: str
) -> None:
    client = start()
    stream = script.next_stream()
    stream.connected("e-0")
    stream.send({"reason": reason, "retry_ms": 5200}, name="stream-end")
    assert client.wait_for_state("reconnecting")["reason"] == reason
    client.run(5199)
    assert client.asked == 1
    client.run(1)
    assert script.next_stream().query["last_event_id"] == "e-0"


@pytest.mark.parametrize(("status", "reason"), [(429, "rate_limited"), (503, "draining")])
def test_retry_after_of_a_refused_ticket_is_kept(
    start: Start, script: ScriptedServer, status: int, reason: str
) -> None:
    script.tickets.append(refusal(status, reason, Retry_After="7"))
    client = start()
    change = client.wait_for_state("reconnecting")
    assert (change["seconds"], change["reason"]) == (7, reason)
    client.run(6999)
    assert client.asked == 1
    client.run(1)
    script.next_stream()


def test_a_stream_without_heartbeats_for_two_and_a_half_of_them_is_given_up(
    start: Start, script: ScriptedServer
) -> None:
    client = start()
    stream = script.next_stream()
    stream.connected("e-0", heartbeat_seconds=4)
    client.wait_for_state("live")
    client.run(9_000)
    stream.send({"cursor": "e-1"}, cursor="e-1", name="heartbeat")
    client.page.wait_for_function("window.client.cursor === 'e-1'")
    client.run(9_999)
    assert client.states[-1] == "live"
    client.run(1)
    assert client.wait_for_state("reconnecting")["reason"] == "silence"


def test_polls_with_more_to_come_follow_at_once_and_from_the_last_event(
    start_polling: Start, script: ScriptedServer
) -> None:
    script.pages.append(page_of([event(1), event(2)], "e-9", has_more=True))
    script.pages.append(page_of([event(3)], "e-3"))
    client = start_polling(since="e-0")
    client.wait_for_events([1, 2, 3])
    assert script.asked("/events")[1]["since"] == "e-2"


def test_the_first_poll_is_answered_at_once_and_later_ones_wait_for_events(
    start_polling: Start, script: ScriptedServer
) -> None:
    client = start_polling(since="e-0")
    client.run_until(lambda: len(script.asked("/events")) > 1, "a second poll")
    first, second = script.asked("/events")[:2]
    assert first["wait"] == "0"
    assert 10 < int(second["wait"]) <= 20


def test_polls_that_find_nothing_keep_a_second_apart(start_polling: Start, script: ScriptedServer) -> None:
    client = start_polling(since="e-0")
    before = client.asked
    client.run(WAIT_FLOOR_MS - 1)
    assert client.asked == before
    client.run(1)
    assert client.asked == before + 1


def test_a_server_that_is_away_altogether_is_looked_for_with_streams_not_polls(
    start: Start, page: Page, script: ScriptedServer
) -> None:
    page.route("**/operator/api/**", lambda route: route.abort())
    client = start()
    for number in range(1, 6):
        change = client.wait_for_state("reconnecting", times=number)
        client.run(change["seconds"] * 1000)
    change = client.wait_for_state("reconnecting", times=6)
    assert "polling" not in client.states
    page.unroute("**/operator/api/**")
    client.run(change["seconds"] * 1000)
    script.next_stream().connected("e-0")
    client.wait_for_state("live")


SEEN_AGAIN = {
    "online": "dispatchEvent(new Event('online'))",
    "visibilitychange": "document.dispatchEvent(new Event('visibilitychange'))",
    "back_forward_cache": "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
}


@pytest.mark.parametrize("reason", SEEN_AGAIN)
def test_a_wait_ends_when_there_is_a_reason_to_try_now(start: Start, page: Page, reason: str) -> None:
    page.route("**/events/sse-token", lambda route: route.abort())
    client = start(luck=1)
    for number, seconds in enumerate([3, 5, 9], start=1):
        assert client.wait_for_state("reconnecting", times=number)["seconds"] == seconds
        client.run(seconds * 1000)
    client.wait_for_state("reconnecting", times=4)
    asked = client.asked
    page.evaluate(SEEN_AGAIN[reason])
    # Never within a second of the last attempt.
    client.run(WAIT_FLOOR_MS - 1)
    assert client.asked == asked
    client.run(1)
    client.wait_for_state("reconnecting", times=5)
    assert client.asked == asked + 1


def test_a_wait_that_the_server_asked_for_does_not_end_early(start: Start, page: Page, script: ScriptedServer) -> None:
    script.tickets.append(refusal(503, "draining", Retry_After="7"))
    client = start(luck=1)
    client.wait_for_state("reconnecting")
    page.evaluate(SEEN_AGAIN["online"])
    client.run(6_999)
    assert client.asked == 1
    client.run(1)
    script.next_stream()


def test_a_page_that_is_hidden_waits_on(start: Start, page: Page) -> None:
    page.route("**/events/sse-token", lambda route: route.abort())
    client = start(luck=1)
    client.wait_for_state("reconnecting")
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.evaluate(SEEN_AGAIN["visibilitychange"])
    client.run(2_900)
    assert client.asked == 1


def test_a_stream_of_a_page_that_was_kept_is_opened_anew(start: Start, page: Page, script: ScriptedServer) -> None:
    client = start()
    stream = script.next_stream()
    stream.connected("e-7")
    client.wait_for_state("live")
    page.evaluate(SEEN_AGAIN["back_forward_cache"])
    assert client.wait_for_state("reconnecting")["reason"] == "connection_lost"
    client.run(WAIT_FLOOR_MS)
    assert script.next_stream().query["last_event_id"] == "e-7"
