"""Which tab leads, by the terms of its messages: one shared connection, and a channel that sends for other tabs."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.scripted import ScriptedServer

# A connection that leads, as the lock is free. Its server never answers; `others` is what another tab would have.
LEAD = """
    async () => {
        const { SharedConnection } = await import("/static/events/sharing.js");
        const { Reader } = await import("/static/events/reader.js");
        const never = () => new Promise(() => {});
        const api = { events: never, streamUrl: never };
        window.states = [];
        window.announced = [];
        window.others = new BroadcastChannel("vx11-events-2 test");
        others.onmessage = ({ data }) => data.kind === "state" && announced.push(data.term);
        const owner = {
            clock: { aheadMs: null, take() {} },
            heartbeat() {},
            reset() {},
            state: ({ state, leader }) => states.push(leader ? "leads" : state),
        };
        const reader = new Reader(null, () => true, () => true);
        new SharedConnection({ name: "test", common: api, own: api, history: 0, reader, owner }).start();
    }
"""
# The page sleeps, and another tab takes the lock meanwhile.
SLEEP = """
    async () => {
        document.dispatchEvent(new Event("freeze"));
        await new Promise((held) => navigator.locks.request("vx11-events-2 test", () => {
            held();
            return new Promise(() => {});
        }));
        states.length = 0;
        document.dispatchEvent(new Event("resume"));
    }
"""


@pytest.fixture
def leader(page: Page, script: ScriptedServer) -> Page:
    """A page whose connection leads, in term 1."""
    page.goto(script.url)
    page.evaluate(LEAD)
    page.wait_for_function("announced.includes(1)")
    return page


def send(page: Page, kind: str, *, term: int, **fields: Any) -> None:
    page.evaluate("(message) => others.postMessage(message)", {"kind": kind, "id": "other", "term": term, **fields})


def send_state(page: Page, state: str, *, term: int) -> None:
    change = {"state": state, "transport": "stream"}
    send(page, "state", term=term, change=change, cursor=None, aheadMs=None)


def test_a_leader_that_is_asked_with_a_higher_term_takes_one_above_it(leader: Page) -> None:
    send(leader, "ask", term=7, hidden=False)
    leader.wait_for_function("announced.includes(8)")
    # From then on it is recognised, and one of the term between is not.
    send_state(leader, "live", term=7)
    leader.wait_for_function("announced.filter((term) => term === 8).length >= 2")
    assert leader.evaluate("states.at(-1)") == "leads"


def test_a_tab_that_knows_no_leader_recognises_none_of_an_older_term(leader: Page) -> None:
    leader.evaluate(SLEEP)
    send_state(leader, "polling", term=0)
    send_state(leader, "live", term=1)
    leader.wait_for_function("states.includes('live')")
    assert leader.evaluate("states") == ["live"]
