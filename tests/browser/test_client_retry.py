"""A reader who does not want to wait ends a wait by `retry()`; a server that asks for a wait gets it all the same."""

from tests.browser.scripted import ScriptedServer, refusal
from tests.browser.tabs import Tabs, open_live
from tests.browser.watched_client import WAIT_FLOOR_MS, Start
from tests.waiting import wait_until

RETRY = "window.client.retry()"


def test_retry_ends_a_long_wait_and_not_within_a_second_of_its_beginning(start: Start, script: ScriptedServer) -> None:
    client = start(luck=1)
    stream = script.next_stream()
    stream.connected("e-0")
    stream.break_off()
    assert client.wait_for_state("reconnecting")["seconds"] == 3
    client.page.evaluate(RETRY)
    client.run(WAIT_FLOOR_MS - 1)
    assert client.asked == 1
    client.run(1)
    script.next_stream().connected("e-0")
    client.wait_for_state("live", times=2)


def test_retry_does_not_shorten_what_the_server_asks_for(start: Start, script: ScriptedServer) -> None:
    script.tickets.append(refusal(503, "draining", Retry_After="7"))
    client = start(luck=1)
    assert client.wait_for_state("reconnecting")["seconds"] > 7
    client.page.evaluate(RETRY)
    client.run(6_999)
    assert client.asked == 1
    client.run(1)
    script.next_stream()


def test_retry_without_a_wait_does_nothing(start: Start, script: ScriptedServer) -> None:
    client = start()
    client.page.evaluate(RETRY)
    script.next_stream().connected("e-0")
    client.wait_for_state("live")
    client.page.evaluate(RETRY)
    client.run(2 * WAIT_FLOOR_MS)
    assert client.states == ["connecting", "live"]
    client.page.evaluate("window.client.close()")
    client.page.evaluate(RETRY)


def test_retry_in_a_tab_that_follows_ends_the_wait_of_the_one_that_leads(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 2)
    leader, (follower,) = tabs.leader, tabs.followers
    for tab in (leader, follower):
        tab.page.evaluate("Math.random = () => 0.999")
    # The server is away, and each failure doubles the wait: the third is one of nine seconds.
    tabs.context.route("**/events/sse-token", lambda route: route.abort())
    stream.break_off()
    long = wait_until(
        lambda: next((change for change in follower.states if change.get("seconds", 0) > 6), None),
        "a long wait",
        timeout_seconds=30,
    )
    tabs.context.unroute("**/events/sse-token")
    assert not follower.leads
    follower.page.evaluate(RETRY)
    began = leader.page.evaluate("performance.now()")
    script.next_stream().connected("e-0")
    took_ms = leader.page.evaluate("performance.now()") - began
    assert took_ms < (long["seconds"] - 3) * 1000
    follower.wait_for_state("live")
