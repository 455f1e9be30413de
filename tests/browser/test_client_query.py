"""The event client with a query: who reads it, and what a page receives of one that cannot be read."""

import pytest

from tests.browser.scripted import Answer, ScriptedServer, event, page_of
from tests.browser.tabs import Tabs
from tests.browser.watched_client import HOUR_MS, WAIT_FLOOR_MS, Start

QUERY = 'severity>=warn -"👍"'
MISTAKE = {"position": 7, "length": 0, "message": "Here a value is missing."}
BAD_QUERY = "module:"


def refused(problems: object) -> Answer:
    """What the server says to a query that it cannot read."""
    body = {"status": 422, "reason": "validation_error", "correlation_id": "c-1", "errors": {"q": problems}}
    return 422, body, {}


def test_a_client_on_its_own_sends_its_query_with_the_ticket_and_not_in_the_address(
    start: Start, script: ScriptedServer
) -> None:
    script.pages.append(page_of([event(1)], "e-1"))
    client = start(query=QUERY, filters={"module": "hermes"}, history=1)
    stream = script.next_stream()
    stream.connected("e-1")
    assert script.bodies_of("/events/sse-token") == [{"q": QUERY}]
    assert script.headers_of("/events/sse-token")[0]["content-type"] == "application/json"
    assert "q" not in stream.query
    assert stream.query["module"] == "hermes"
    assert script.asked("/events") == [{"limit": "1", "module": "hermes", "q": QUERY}]
    # The server has filtered: the client takes what comes.
    stream.event(2)
    client.wait_for_events([1, 2])


@pytest.mark.parametrize("query", [None, "", "  "])
def test_no_query_is_none(start: Start, script: ScriptedServer, query: str | None) -> None:
    script.pages.append(page_of([], "e-0"))
    start(history=1, **({} if query is None else {"query": query}))
    script.next_stream()
    assert script.bodies_of("/events/sse-token") == [{}]
    assert script.asked("/events") == [{"limit": "1"}]


def test_polls_send_the_query(start_polling: Start, script: ScriptedServer) -> None:
    client = start_polling(query=QUERY, since="e-0")
    client.run(WAIT_FLOOR_MS)
    assert {asked["q"] for asked in script.asked("/events")} == {QUERY}
    assert {body["q"] for body in script.bodies_of("/events/sse-token")} == {QUERY}


def test_a_query_that_the_server_cannot_read_ends_the_client_with_its_place(
    start: Start, script: ScriptedServer
) -> None:
    script.tickets.append(refused([MISTAKE]))
    client = start(query=BAD_QUERY)
    ended = client.wait_for_state("ended")
    assert (ended["reason"], ended["correlationId"], ended["mistake"]) == ("validation_error", "c-1", MISTAKE)
    client.run(HOUR_MS)
    assert client.asked == 1


def test_a_query_that_is_refused_while_polling_ends_the_client(start_polling: Start, script: ScriptedServer) -> None:
    client = start_polling(query=QUERY, since="e-0")
    script.pages.append(refused([MISTAKE]))
    client.run(WAIT_FLOOR_MS)
    assert client.wait_for_state("ended")["mistake"] == MISTAKE
    asked = client.asked
    client.run(HOUR_MS)
    assert client.asked == asked


@pytest.mark.parametrize("problems", [None, "wrong", ["wrong"], [{**MISTAKE, "position": "7"}], [], [None]], ids=str)
def test_a_refusal_without_a_place_ends_it_all_the_same(start: Start, script: ScriptedServer, problems: object) -> None:
    script.tickets.append(refused(problems))
    ended = start(query=BAD_QUERY).wait_for_state("ended")
    assert ended["reason"] == "validation_error"
    assert "mistake" not in ended


def test_tabs_that_share_a_stream_have_a_query_each(tabs: Tabs, script: ScriptedServer) -> None:
    first = tabs.open(query=QUERY, filters={"module": "hermes"})
    stream = script.next_stream()
    stream.connected("e-0")
    first.wait_for_state("live")
    second = tabs.open(query="payload.n>9007199254740992 OR number*")
    second.wait_for_state("live")
    third = tabs.open()
    third.wait_for_state("live")
    stream.send(event(1, severity="error", summary="x"), cursor="e-1")
    stream.send(event(2, severity="error", summary="fine 👍"), cursor="e-2")
    stream.send(event(3, severity="error", module="madre", summary="number"), cursor="e-3")
    stream.send(event(4, summary="x", payload={"n": 9007199254740993}), cursor="e-4")
    stream.send(event(5, severity="warn", summary="x", payload={"n": 9007199254740992}), cursor="e-5")
    third.wait_for_events([1, 2, 3, 4, 5])
    first.wait_for_events([1, 5])
    second.wait_for_events([3, 4])
    assert script.bodies_of("/events/sse-token") == [{}]
    assert "q" not in stream.query


def test_what_a_sharing_tab_reads_for_itself_the_server_has_filtered(tabs: Tabs, script: ScriptedServer) -> None:
    script.pages.append(page_of([event(1, severity="error")], "e-1"))
    tab = tabs.open(query=QUERY, history=5)
    tab.wait_for_events([1])
    assert script.asked("/events")[0]["q"] == QUERY


def test_a_sharing_tab_with_a_query_that_cannot_be_read_asks_for_nothing_and_leaves_the_others_alone(
    tabs: Tabs, script: ScriptedServer
) -> None:
    good = tabs.open()
    stream = script.next_stream()
    stream.connected("e-0")
    good.wait_for_state("live")
    bad = tabs.open(query=BAD_QUERY, history=5)
    ended = bad.wait_for_state("ended")
    assert (ended["reason"], ended["mistake"], ended["leader"]) == ("validation_error", MISTAKE, False)
    stream.event(1)
    good.wait_for_events([1])
    assert script.asked("/events") == []
    assert bad.events == []
    bad.page.evaluate("window.client.start()")
    assert [state["state"] for state in bad.states] == ["ended", "ended"]
    bad.page.evaluate("window.client.close()")
    assert bad.status == {}


def test_a_query_that_only_the_server_refuses_ends_the_one_tab(tabs: Tabs, script: ScriptedServer) -> None:
    good = tabs.open()
    script.next_stream().connected("e-0")
    good.wait_for_state("live")
    script.pages.append(refused([MISTAKE]))
    late = tabs.open(query=QUERY, history=5)
    assert late.wait_for_state("ended")["mistake"] == MISTAKE
    assert good.status["state"] == "live"
