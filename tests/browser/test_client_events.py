"""What the browser's client library hands over: each event once, in order, or a reset. A script plays the server."""

import pytest

from tests.browser.scripted import ScriptedServer, event, page_of
from tests.browser.watched_client import WAIT_FLOOR_MS, Start


def test_events_that_come_again_after_a_reconnect_are_handed_over_once(start: Start, script: ScriptedServer) -> None:
    client = start()
    first = script.next_stream()
    first.connected("e-0")
    first.event(1)
    first.event(2)
    client.wait_for_events([1, 2])
    first.break_off()
    client.wait_for_state("reconnecting")
    client.run(WAIT_FLOOR_MS)
    second = script.next_stream()
    second.connected("e-2")
    second.event(2)
    second.event(3)
    client.wait_for_events([1, 2, 3])


def test_a_reconnect_goes_on_from_the_last_event_with_a_new_ticket(start: Start, script: ScriptedServer) -> None:
    client = start()
    first = script.next_stream()
    first.connected("e-0")
    first.event(7)
    client.wait_for_events([7])
    first.break_off()
    client.wait_for_state("reconnecting")
    client.run(WAIT_FLOOR_MS)
    second = script.next_stream()
    assert second.query["last_event_id"] == "e-7"
    assert second.query["token"] != first.query["token"]


def test_the_first_stream_starts_from_the_given_cursor(start: Start, script: ScriptedServer) -> None:
    start(since="e-41")
    assert script.next_stream().query["last_event_id"] == "e-41"


def test_a_heartbeat_moves_the_cursor_of_a_quiet_reader(start: Start, script: ScriptedServer) -> None:
    client = start()
    first = script.next_stream()
    first.connected("e-0")
    first.send({"cursor": "e-90"}, cursor="e-90", name="heartbeat")
    first.event(91)
    first.send({"cursor": "e-95"}, cursor="e-95", name="heartbeat")
    first.break_off()
    client.wait_for_state("reconnecting")
    client.run(WAIT_FLOOR_MS)
    assert script.next_stream().query["last_event_id"] == "e-95"


def test_a_stream_that_breaks_before_its_reset_is_said_does_not_hide_the_gap(
    start: Start, script: ScriptedServer
) -> None:
    client = start(since="e-3")
    first = script.next_stream()
    first.connected("e-900")
    client.wait_for_state("live")
    first.break_off()
    client.wait_for_state("reconnecting")
    client.run(WAIT_FLOOR_MS)
    assert script.next_stream().query["last_event_id"] == "e-3"


def test_a_frame_that_is_no_json_is_asked_for_again(start: Start, script: ScriptedServer) -> None:
    client = start()
    first = script.next_stream()
    first.connected("e-0")
    first.event(1)
    first.send_raw("id: e-2\ndata: {broken\n\n")
    first.event(3)
    assert client.wait_for_state("reconnecting")["reason"] == "bad_frame"
    client.run(WAIT_FLOOR_MS)
    assert script.next_stream().query["last_event_id"] == "e-1"
    assert client.events == [1]


def test_history_comes_before_the_stream_that_goes_on_from_it(start: Start, script: ScriptedServer) -> None:
    script.pages.append(page_of([event(5), event(6)], "e-6"))
    client = start(history=100)
    stream = script.next_stream()
    assert script.asked("/events") == [{"limit": "100"}]
    assert stream.query["last_event_id"] == "e-6"
    stream.connected("e-6")
    stream.event(7)
    client.wait_for_events([5, 6, 7])


def test_filters_go_with_the_stream_and_with_polls(start_polling: Start, script: ScriptedServer) -> None:
    start_polling(filters={"severity": ["error"], "module": "hermes"})
    assert script.asked("/events/stream")[0].items() >= {"severity": "error", "module": "hermes"}.items()
    assert script.asked("/events")[0].items() >= {"severity": "error", "module": "hermes"}.items()


def test_a_fault_in_a_listener_of_the_page_does_not_stop_the_events(
    start_polling: Start, script: ScriptedServer
) -> None:
    client = start_polling(since="e-0")
    client.page.evaluate("window.client.on('event', () => { throw new Error('of the page'); })")
    script.pages.append(page_of([event(1), event(2)], "e-2"))
    client.run(WAIT_FLOOR_MS)
    client.wait_for_events([1, 2])


def test_what_a_listener_left_when_it_closed_the_client_comes_after_the_next_start(
    start_polling: Start, script: ScriptedServer
) -> None:
    client = start_polling(since="e-0")
    client.page.evaluate("window.client.on('event', (event) => event.seq === 1 && window.client.close())")
    script.pages.append(page_of([event(1), event(2)], "e-2"))
    client.run(WAIT_FLOOR_MS)
    client.wait_for_events([1])
    script.stream_status = 200
    client.page.evaluate("window.client.start()")
    assert script.next_stream().query["last_event_id"] == "e-1"


@pytest.mark.parametrize("reason", ["expired", "epoch", "unknown"])
def test_a_reset_is_told_and_the_stream_goes_on_from_the_newest(
    start: Start, script: ScriptedServer, reason: str
) -> None:
    client = start(since="e-500")
    first = script.next_stream()
    first.connected("n-20")
    first.send({"reason": reason, "oldest": "n-10", "newest": "n-20"}, cursor="n-20", name="stream-reset")
    assert client.wait_for_reset() == {"reason": reason, "oldest": "n-10", "newest": "n-20"}
    first.event(21, epoch="n")
    client.wait_for_events([21])
    first.break_off()
    client.wait_for_state("reconnecting")
    client.run(WAIT_FLOOR_MS)
    assert script.next_stream().query["last_event_id"] == "n-21"


def test_after_a_reset_to_a_lower_number_its_events_are_not_taken_for_old_ones(
    start: Start, script: ScriptedServer
) -> None:
    client = start(since="e-500")
    stream = script.next_stream()
    stream.connected("e-20")
    stream.send({"reason": "unknown", "oldest": "e-0", "newest": "e-20"}, cursor="e-20", name="stream-reset")
    stream.event(21)
    client.wait_for_events([21])


def test_after_a_reset_a_client_with_history_reads_it_anew(start: Start, script: ScriptedServer) -> None:
    script.pages.append(page_of([event(5)], "e-5"))
    client = start(history=100)
    first = script.next_stream()
    first.connected("e-5")
    script.pages.append(page_of([event(1), event(2)], "n-2"))
    first.send({"reason": "epoch", "oldest": "n-0", "newest": "n-2"}, name="stream-reset")
    client.wait_for_state("reconnecting")
    client.run(WAIT_FLOOR_MS)
    assert script.next_stream().query["last_event_id"] == "n-2"
    assert client.events == [5, 1, 2]


def test_a_410_while_polling_is_a_reset(start_polling: Start, script: ScriptedServer) -> None:
    script.pages.append(
        (410, {"reason": "cursor_expired", "reset": "expired", "oldest": "e-50", "newest": "e-60"}, {}),
    )
    script.pages.append(page_of([event(61)], "e-61"))
    client = start_polling(since="e-3")
    assert client.wait_for_reset() == {"reason": "expired", "oldest": "e-50", "newest": "e-60"}
    client.run(WAIT_FLOOR_MS)
    client.wait_for_events([61])
    assert script.asked("/events")[1]["since"] == "e-60"


def test_an_event_says_how_long_it_took_by_the_clock_of_the_server(start: Start, script: ScriptedServer) -> None:
    client = start(since="e-0")
    client.page.evaluate("window.lags = []; window.client.on('event', (_, { lagMs }) => window.lags.push(lagMs))")
    stream = script.next_stream()
    stream.connected("e-0")
    stream.event(1)
    stream.send({"cursor": "e-1"}, cursor="e-1", name="caught-up")
    # The browser's clock stands at one second, the server's is ten seconds ahead, and the event 200 ms old.
    stream.send({"cursor": "e-1", "time": "1970-01-01T00:00:11.000Z"}, cursor="e-1", name="heartbeat")
    stream.send(event(2, created_at="1970-01-01T00:00:10.800Z"), cursor="e-2")
    client.wait_for_events([1, 2])
    assert client.page.evaluate("window.lags") == [None, 200]
    assert client.page.evaluate("window.client.status.lagMs") == 200
