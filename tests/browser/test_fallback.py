"""Polling where streams do not get through, and the way back, with nothing lost or doubled."""

from tests.browser.scripted import ScriptedServer, event, page_of, refusal
from tests.browser.watched_client import WAIT_FLOOR_MS, Start


def test_a_stream_that_is_opened_and_brings_nothing_is_replaced_by_polling(
    start: Start, script: ScriptedServer
) -> None:
    script.pages.append(page_of([event(4)], "e-4"))
    client = start(since="e-3")
    script.next_stream()
    client.run(9_999)
    assert client.states == ["connecting"]
    client.run(1)
    assert client.wait_for_state("polling")["transport"] == "poll"
    client.wait_for_events([4])


def test_a_stream_that_does_not_get_through_is_replaced_by_polling(
    start_polling: Start, script: ScriptedServer
) -> None:
    script.pages.append(page_of([event(4), event(5)], "e-5"))
    client = start_polling(since="e-3")
    client.wait_for_events([4, 5])
    assert script.asked("/events")[0]["since"] == "e-3"


def test_polling_goes_back_to_streaming_by_itself_without_gap_or_double(
    start_polling: Start, script: ScriptedServer
) -> None:
    script.pages.append(page_of([event(4)], "e-4"))
    client = start_polling(since="e-3")
    script.stream_status = 200
    client.run_until(lambda: script.has_stream, "a stream is tried again")
    stream = script.next_stream()
    assert stream.query["last_event_id"] == "e-4"
    stream.connected("e-4")
    stream.event(5)
    client.wait_for_events([4, 5])
    assert client.states[-1] == "live"


def test_polling_without_a_cursor_begins_with_what_came_since_the_start(start: Start, script: ScriptedServer) -> None:
    script.pages.append(page_of([event(8)], "e-8"))
    script.pages.append(page_of([event(9)], "e-9"))
    client = start()
    # Opened, and something between keeps what it brings.
    script.next_stream()
    client.run(10_000)
    client.wait_for_events([8])
    client.run(WAIT_FLOOR_MS)
    client.wait_for_events([8, 9])
    first, second = script.asked("/events")[:2]
    assert first == {"from": "-11s", "limit": "500"}
    assert second["since"] == "e-8"
    assert client.resets == []


def test_more_than_a_page_since_the_start_is_said(start_polling: Start, script: ScriptedServer) -> None:
    status, body, headers = page_of([event(508)], "e-508", has_more=True)
    script.pages.append((status, {**body, "first_cursor": "e-8"}, headers))
    client = start_polling()
    assert client.wait_for_reset() == {"reason": "unknown", "oldest": "e-8", "newest": "e-508"}
    client.wait_for_events([508])


def test_polls_go_on_while_a_stream_is_tried(start_polling: Start, script: ScriptedServer) -> None:
    client = start_polling(since="e-3")
    script.stream_status = 200
    client.run_until(lambda: script.has_stream, "a stream is tried again")
    stream = script.next_stream()
    script.pages.append(page_of([event(4)], "e-4"))
    client.run_until(lambda: client.events == [4], "an event by polling beside a stream that says nothing")
    assert client.states[-1] == "polling"
    # What comes late by the stream is known already.
    stream.connected("e-5")
    stream.event(4)
    stream.event(5)
    client.wait_for_events([4, 5])
    assert client.wait_for_state("live")["transport"] == "stream"


def test_a_stream_that_is_refused_while_polling_is_no_news(start_polling: Start, script: ScriptedServer) -> None:
    client = start_polling(since="e-0")
    before = client.states
    client.run_until(lambda: len(script.asked("/events/stream")) > 5, "three streams tried while polling")
    assert client.states == before


def test_a_refused_probe_is_not_repeated_before_its_retry_after(start_polling: Start, script: ScriptedServer) -> None:
    client = start_polling(since="e-0")
    script.tickets.append(refusal(503, "at_capacity", Retry_After="60"))
    asked = len(script.asked("/events/sse-token"))
    client.run_until(lambda: len(script.asked("/events/sse-token")) > asked, "the probe that is refused")
    for _ in range(58):
        client.run_a_second()
    assert len(script.asked("/events/sse-token")) == asked + 1
    client.run_until(lambda: len(script.asked("/events/sse-token")) > asked + 1, "another probe")


def test_a_stream_from_polling_that_ends_is_a_stream_like_any_other(
    start_polling: Start, script: ScriptedServer
) -> None:
    client = start_polling(since="e-3")
    script.stream_status = 200
    client.run_until(lambda: script.has_stream, "a stream is tried again")
    stream = script.next_stream()
    stream.connected("e-3")
    client.wait_for_state("live")
    stream.send({"reason": "draining", "retry_ms": 4000}, name="stream-end")
    assert client.wait_for_state("reconnecting", times=3)["reason"] == "draining"
    client.run(4_000)
    assert script.next_stream().query["last_event_id"] == "e-3"


def test_a_server_that_goes_away_while_polling_is_looked_for_again(
    start_polling: Start, script: ScriptedServer
) -> None:
    client = start_polling(since="e-3")
    client.page.route("**/operator/api/**", lambda route: route.abort())
    client.run(WAIT_FLOOR_MS)
    change = client.wait_for_state("reconnecting", times=3)
    assert change["reason"] == "unreachable"
    client.page.unroute("**/operator/api/**")
    script.stream_status = 200
    client.run(change["seconds"] * 1000)
    script.next_stream().connected("e-3")
    client.wait_for_state("live")
