"""One connection for all tabs: who leads, and what the others are told. A script plays the server."""

import pytest

from tests.browser.scripted import ScriptedServer, event, page_of
from tests.browser.tabs import NewTabs, Tabs, open_live


def test_tabs_have_one_stream_and_each_gets_every_event_once(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 4)
    for number in range(1, 21):
        stream.event(number)
    tabs.wait_for_events(list(range(1, 21)))
    assert len(script.asked("/events/stream")) == 1
    leader = tabs.leader
    assert leader.status["transport"] == "stream"
    assert [tab.status["transport"] for tab in tabs.followers] == ["shared"] * 3


def test_a_client_that_does_not_share_has_a_stream_of_its_own(tabs: Tabs, script: ScriptedServer) -> None:
    open_live(tabs, script, 1)
    tabs.open(share=None)
    script.next_stream()


def test_clients_of_another_name_are_not_told_anything(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 1)
    other = tabs.open(share="of somebody else")
    script.next_stream().connected("e-0")
    other.wait_for_state("live")
    stream.event(1)
    tabs.all[0].wait_for_events([1])
    assert other.events == []


def test_the_leader_asks_for_everything_and_each_tab_filters_for_itself(tabs: Tabs, script: ScriptedServer) -> None:
    first = tabs.open(filters={"severity": "warning,error"})
    stream = script.next_stream()
    stream.connected("e-0")
    first.wait_for_state("live")
    second = tabs.open(filters={"module": ["madre"]})
    second.wait_for_state("live")
    stream.send(event(1, severity="warn"), cursor="e-1")
    stream.send(event(2, module="madre"), cursor="e-2")
    stream.send(event(3, module="madre", severity="error"), cursor="e-3")
    first.wait_for_events([1, 3])
    second.wait_for_events([2, 3])
    assert "severity" not in script.asked("/events/stream")[0]
    assert second.page.evaluate("window.client.cursor") == "e-3"


def test_a_tab_that_comes_late_begins_from_now(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 1)
    stream.event(1)
    tabs.wait_for_events([1])
    late = tabs.open()
    late.wait_for_state("live")
    stream.event(2)
    late.wait_for_events([2])
    assert script.asked("/events") == []


def test_a_tab_that_comes_late_with_a_cursor_reads_what_lies_between(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 1)
    stream.event(8)
    tabs.wait_for_events([8])
    script.pages.append(page_of([event(6), event(7)], "e-7", has_more=True))
    script.pages.append(page_of([event(8)], "e-8"))
    late = tabs.open(since="e-5")
    late.wait_for_events([6, 7, 8])
    stream.event(9)
    late.wait_for_events([6, 7, 8, 9])
    assert [query["since"] for query in script.asked("/events")] == ["e-5", "e-7"]


def test_each_tab_reads_the_history_that_it_wants(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 1, "e-3")
    script.pages.append(page_of([event(2), event(3)], "e-3"))
    late = tabs.open(history=2, filters={"module": "hermes"})
    late.wait_for_events([2, 3])
    assert script.asked("/events") == [{"limit": "2", "module": "hermes"}]
    stream.event(4)
    late.wait_for_events([2, 3, 4])


def test_when_the_leader_closes_another_goes_on_from_the_same_cursor(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 3)
    stream.event(1)
    tabs.wait_for_events([1])
    leader = tabs.leader
    tabs.forget(leader)
    leader.close()
    second = script.next_stream()
    assert second.query["last_event_id"] == "e-1"
    second.connected("e-1")
    second.event(1)
    second.event(2)
    tabs.wait_for_events([1, 2])
    assert tabs.leader.status["state"] == "live"
    assert len(script.asked("/events/stream")) == 2


def test_a_client_that_is_closed_hands_over_and_says_nothing_more(tabs: Tabs, script: ScriptedServer) -> None:
    open_live(tabs, script, 2)
    closed = tabs.leader
    tabs.forget(closed)
    closed.page.evaluate("window.client.close()")
    second = script.next_stream()
    second.connected("e-0")
    second.event(1)
    tabs.wait_for_events([1])
    assert closed.events == []
    assert closed.status == {}


def test_a_reset_reaches_all_tabs_once(tabs: Tabs, script: ScriptedServer) -> None:
    stream = open_live(tabs, script, 3, "e-500")
    stream.send({"reason": "epoch", "oldest": "n-10", "newest": "n-20"}, cursor="n-20", name="stream-reset")
    stream.event(21, epoch="n")
    tabs.wait_for_events([21])
    for tab in tabs.all:
        assert tab.resets == [{"reason": "epoch", "oldest": "n-10", "newest": "n-20"}]


def test_after_a_reset_each_tab_with_history_reads_it_anew(tabs: Tabs, script: ScriptedServer) -> None:
    for _ in range(3):
        script.pages.append(page_of([event(5)], "e-5"))
    for _ in range(3):
        tabs.open(history=1).wait_for_events([5])
    stream = script.next_stream()
    stream.connected("e-5")
    tabs.wait_for_state("live")
    for _ in range(3):
        script.pages.append(page_of([event(2)], "n-2"))
    stream.send({"reason": "epoch", "oldest": "n-0", "newest": "n-2"}, cursor="n-2", name="stream-reset")
    stream.event(3, epoch="n")
    tabs.wait_for_events([5, 2, 3])
    assert [len(tab.resets) for tab in tabs.all] == [1, 1, 1]


@pytest.mark.parametrize("reason", ["revoked", "disconnected_by_admin"])
def test_an_end_that_is_meant_ends_all_tabs(tabs: Tabs, script: ScriptedServer, reason: str) -> None:
    stream = open_live(tabs, script, 3)
    stream.send({"reason": reason, "retry_ms": 3000}, name="stream-end")
    tabs.wait_for_state("ended")
    assert [tab.status["reason"] for tab in tabs.all] == [reason] * 3
    assert len(script.asked("/events/sse-token")) == 1


def test_polls_of_the_leader_are_shared_too(tabs: Tabs, script: ScriptedServer) -> None:
    script.stream_status = 503
    script.pages.append(page_of([], "e-0"))
    tabs.open()
    tabs.open()
    tabs.wait_for_state("polling")
    script.pages.append(page_of([event(1), event(2)], "e-2"))
    tabs.wait_for_events([1, 2])
    assert sorted(tab.status["transport"] for tab in tabs.all) == ["poll", "shared"]


def test_tabs_of_a_browser_that_refuses_locks_have_one_stream_too(new_tabs: NewTabs, script: ScriptedServer) -> None:
    tabs = new_tabs(script.url, "navigator.locks.request = () => Promise.reject(new Error('refused'));")
    stream = open_live(tabs, script, 3)
    stream.event(1)
    tabs.wait_for_events([1])
    leader = tabs.leader
    tabs.forget(leader)
    leader.close()
    script.next_stream().connected("e-1")
    tabs.wait_for_state("live")
    assert len(script.asked("/events/stream")) == 2


def test_a_browser_without_channels_has_a_stream_for_each_tab(new_tabs: NewTabs, script: ScriptedServer) -> None:
    tabs = new_tabs(script.url, "delete window.BroadcastChannel;")
    for _ in range(2):
        tabs.open()
        script.next_stream()
