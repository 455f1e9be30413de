"""A socket where streams do not get through, and polls where sockets do not either."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute

from tests.browser.scripted import ScriptedServer, event, page_of
from tests.browser.watched_client import WAIT_FLOOR_MS, Start, WatchedClient
from tests.waiting import wait_until

CONNECT_TIMEOUT_MS = 10_000


class Sockets:
    """The sockets that a page has opened; nothing is sent that the test does not send."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.opened: list[WebSocketRoute] = []
        page.route_web_socket("**/operator/api/events/socket?*", lambda route: self.opened.append(route))

    def send(self, data: dict[str, Any], *, cursor: str | None = None, name: str | None = None) -> None:
        self.opened[-1].send(json.dumps({"id": cursor, "event": name, "data": data}))

    def connected(self, cursor: str) -> None:
        self.send({"type": "connected", "cursor": cursor, "heartbeat_sec": 10}, cursor=cursor)

    def wait_for(self, count: int) -> WebSocketRoute:
        def arrived() -> bool:
            # Routes are told to this process while it waits for the page.
            self.page.wait_for_timeout(10)
            return len(self.opened) >= count

        wait_until(arrived, f"socket {count} was opened")
        return self.opened[count - 1]


@pytest.fixture
def sockets(page: Page) -> Sockets:
    return Sockets(page)


@pytest.fixture
def blocked(start: Start, script: ScriptedServer, sockets: Sockets) -> WatchedClient:
    """A client whose stream was opened and brought nothing, at the moment when it has opened a socket."""
    client = start(since="e-3", sockets=True)
    script.next_stream()
    client.run(CONNECT_TIMEOUT_MS)
    assert sockets.opened == []
    client.run(WAIT_FLOOR_MS)
    sockets.wait_for(1)
    return client


def test_where_a_stream_brings_nothing_a_socket_brings_the_events(
    blocked: WatchedClient, sockets: Sockets, script: ScriptedServer
) -> None:
    assert "last_event_id=e-3" in sockets.opened[0].url
    assert "token=" in sockets.opened[0].url
    sockets.connected("e-3")
    assert blocked.wait_for_state("live")["transport"] == "socket"
    sockets.send(event(4), cursor="e-4")
    sockets.send({"cursor": "e-9", "time": "2026-01-04T01:34:28Z"}, cursor="e-9", name="heartbeat")
    sockets.send(event(10, payload={"exact": 1}), cursor="e-10")
    blocked.wait_for_events([4, 10])
    assert blocked.resets == []
    assert script.asked("/events") == []


def test_a_socket_that_ends_in_order_is_followed_by_another_from_there(
    blocked: WatchedClient, sockets: Sockets
) -> None:
    sockets.connected("e-3")
    sockets.send(event(4), cursor="e-4")
    sockets.send({"reason": "draining", "retry_ms": 3_000}, name="stream-end")
    assert blocked.wait_for_state("reconnecting")["reason"] == "draining"
    blocked.run(3_000 + WAIT_FLOOR_MS)
    assert "last_event_id=e-4" in sockets.wait_for(2).url
    sockets.connected("e-4")
    sockets.send(event(5), cursor="e-5")
    blocked.wait_for_events([4, 5])
    assert "polling" not in blocked.states


@pytest.mark.parametrize("end", ["closed", "silent", "nonsense"])
def test_a_socket_that_does_not_get_through_is_replaced_by_polls(
    blocked: WatchedClient, sockets: Sockets, script: ScriptedServer, end: str
) -> None:
    script.pages.append(page_of([event(4)], "e-4"))
    if end == "closed":
        sockets.opened[0].close()
    elif end == "silent":
        blocked.run(CONNECT_TIMEOUT_MS)
    else:
        sockets.opened[0].send("<html>")
    assert blocked.wait_for_state("polling")["transport"] == "poll"
    blocked.wait_for_events([4])
    assert len(sockets.opened) == 1


def test_a_reader_without_rights_is_told_by_a_socket_too(blocked: WatchedClient, sockets: Sockets) -> None:
    sockets.connected("e-3")
    sockets.send({"reason": "revoked", "retry_ms": 3_000}, name="stream-end")
    assert blocked.wait_for_state("ended")["reason"] == "revoked"
