"""When the browser's client library gives up, and what it does with credentials. A script plays the server."""

import pytest

from tests.browser.scripted import ScriptedServer, ScriptedStream, page_of, refusal
from tests.browser.watched_client import HOUR_MS, WAIT_FLOOR_MS, Start


@pytest.mark.parametrize("reason", ["revoked", "expired", "disconnected_by_admin"])
def test_an_end_that_is_meant_is_kept(start: Start, script: ScriptedServer, reason: str) -> None:
    client = start()
    stream = script.next_stream()
    stream.connected("e-0")
    stream.send({"reason": reason, "retry_ms": 3000}, name="stream-end")
    assert client.wait_for_state("ended")["reason"] == reason
    client.run(HOUR_MS)
    assert client.asked == 1


@pytest.mark.parametrize(("status", "reason"), [(401, "missing_token"), (403, "insufficient_scope")])
def test_a_refused_credential_ends_it(start: Start, script: ScriptedServer, status: int, reason: str) -> None:
    script.tickets.append(refusal(status, reason))
    client = start()
    assert client.wait_for_state("ended")["reason"] == reason
    client.run(HOUR_MS)
    assert client.asked == 1


def test_rights_that_are_lost_while_polling_end_it(start_polling: Start, script: ScriptedServer) -> None:
    client = start_polling(since="e-0")
    script.pages.append(refusal(401, "main_auth_failed"))
    client.run(WAIT_FLOOR_MS)
    assert client.wait_for_state("ended")["reason"] == "main_auth_failed"


def test_after_the_end_start_goes_on_from_where_it_was(start: Start, script: ScriptedServer) -> None:
    client = start()
    stream = script.next_stream()
    stream.connected("e-0")
    stream.event(6)
    stream.send({"reason": "disconnected_by_admin", "retry_ms": 3000}, name="stream-end")
    client.wait_for_state("ended")
    client.page.evaluate("window.client.start()")
    assert script.next_stream().query["last_event_id"] == "e-6"


def test_a_closed_client_is_silent(start: Start, script: ScriptedServer) -> None:
    client = start()
    stream = script.next_stream()
    stream.connected("e-0")
    client.wait_for_state("live")
    client.page.evaluate("window.client.close()")
    stream.event(1)
    client.run(HOUR_MS)
    assert client.asked == 1
    assert client.events == []
    assert client.states == ["connecting", "live"]


def test_the_csrf_token_goes_with_the_ticket_request_and_nowhere_else(start: Start, script: ScriptedServer) -> None:
    script.pages.append(page_of([], "e-0"))
    start(csrfToken="csrf-of-the-page", history=10)
    script.next_stream()
    assert script.headers_of("/events/sse-token")[0]["x-csrftoken"] == "csrf-of-the-page"
    assert all("x-csrftoken" not in headers for headers in script.headers_of("/events"))


def test_headers_of_the_caller_go_with_every_request_but_the_stream(start: Start, script: ScriptedServer) -> None:
    script.pages.append(page_of([], "e-0"))
    start(token="a-principal-token", history=10)
    stream = script.next_stream()
    for path in ("/events", "/events/sse-token"):
        assert script.headers_of(path)[0]["x-vx11-token"] == "a-principal-token"
    assert "a-principal-token" not in stream.query.values()


def test_nothing_is_kept_in_browser_storage(start: Start, script: ScriptedServer) -> None:
    client = start(token="a-principal-token")
    stream: ScriptedStream = script.next_stream()
    stream.connected("e-0")
    stream.event(1)
    client.wait_for_events([1])
    kept = client.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert kept == [0, 0, ""]
    assert client.page.evaluate("indexedDB.databases()") == []
