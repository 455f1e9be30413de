"""The leading tab of a shared connection goes away in ways it did not choose. A script plays the server."""

from itertools import pairwise

import pytest

from tests.browser.scripted import ScriptedServer, ScriptedStream, event, page_of
from tests.browser.tabs import Tab, Tabs, open_live
from tests.waiting import wait_until


@pytest.fixture
def first(tabs: Tabs, script: ScriptedServer) -> ScriptedStream:
    """The stream of three tabs, all of which were handed event 1."""
    stream = open_live(tabs, script, 3)
    stream.event(1)
    tabs.wait_for_events([1])
    return stream


@pytest.fixture
def leader(tabs: Tabs, first: ScriptedStream) -> Tab:
    """The tab that has that stream; it does not count among `tabs.all` any more."""
    leader = tabs.leader
    tabs.forget(leader)
    return leader


def assert_others_go_on(tabs: Tabs, script: ScriptedServer) -> ScriptedStream:
    """One of them opens a stream where the last one ended, and all get what it brings."""
    stream = script.next_stream()
    assert stream.query["last_event_id"] == "e-1"
    stream.connected("e-1")
    stream.event(1)
    stream.event(2)
    tabs.wait_for_events([1, 2])
    assert tabs.leader.status["state"] == "live"
    return stream


def test_a_leader_that_crashes_is_replaced(tabs: Tabs, script: ScriptedServer, leader: Tab) -> None:
    leader.crash()
    assert_others_go_on(tabs, script)


def test_a_leader_that_hangs_is_replaced_and_follows_when_it_is_back(
    tabs: Tabs, script: ScriptedServer, leader: Tab
) -> None:
    leader.hang()
    try:
        stream = assert_others_go_on(tabs, script)
        script.pages.append(page_of([event(2)], "e-2"))
    finally:
        script.let_go.set()
    wait_until(lambda: not leader.leads, "the one that hung does not lead any more")
    leader.wait_for_events([1, 2])
    stream.event(3)
    tabs.all.append(leader)
    tabs.wait_for_events([1, 2, 3])
    assert tabs.leader is not leader
    assert len(script.asked("/events/stream")) == 2


def test_a_leader_that_is_put_to_sleep_hands_over_and_reads_what_it_slept_through(
    tabs: Tabs, script: ScriptedServer, leader: Tab
) -> None:
    leader.sleep()
    assert_others_go_on(tabs, script)
    script.pages.append(page_of([event(2)], "e-2"))
    leader.wake()
    leader.wait_for_events([1, 2])
    assert not leader.leads


def test_a_hidden_leader_without_a_stream_makes_room_for_a_tab_that_is_seen(
    tabs: Tabs, script: ScriptedServer, first: ScriptedStream, leader: Tab
) -> None:
    """Messages are read in a tab that has been hidden for long; timers hardly run."""
    leader.page.evaluate("Object.defineProperty(document, 'hidden', { value: true }); window.setTimeout = () => 0;")
    first.break_off()
    leader.wait_for_state("reconnecting")
    assert_others_go_on(tabs, script)


def test_a_hidden_leader_with_a_stream_keeps_it(
    tabs: Tabs, script: ScriptedServer, first: ScriptedStream, leader: Tab
) -> None:
    leader.page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    late = tabs.open(since="e-1")
    late.wait_for_state("live")
    first.event(2)
    late.wait_for_events([2])
    assert leader.leads


def test_who_takes_over_waits_as_long_as_the_server_asked_for(
    tabs: Tabs, script: ScriptedServer, first: ScriptedStream, leader: Tab
) -> None:
    first.send({"reason": "draining", "retry_ms": 5000}, name="stream-end")
    asked_for = leader.wait_for_state("reconnecting")["retryAtMs"]
    for tab in tabs.all:
        change = tab.wait_for_state("reconnecting")
        assert (change["retryAtMs"], change["reason"]) == (asked_for, "draining")
    leader.close()
    # Asked how things are, one who leads says it again; that is no news for a page that counts down.
    late = tabs.open(since="e-1")
    assert late.wait_for_state("reconnecting")["seconds"] <= 10
    stream = script.next_stream()
    assert tabs.all[0].page.evaluate("Date.now()") >= asked_for
    stream.connected("e-1")
    tabs.wait_for_state("live")
    # On a busy machine another one may lead for a moment, which is news; the same twice in a row never is.
    for tab in tabs.all[:2]:
        told = [(change["state"], change["leader"], change.get("retryAtMs")) for change in tab.states]
        assert not [one for one, other in pairwise(told) if one == other]
        assert {at for state, _, at in told if state == "reconnecting"} == {asked_for}
