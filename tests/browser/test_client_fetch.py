"""Where there is no EventSource, as in Node, a stream is read by fetch: the same events, however they are cut."""

import json

import pytest

from tests.browser.scripted import ScriptedServer, event
from tests.browser.tabs import NewTabs, Tab

NO_EVENT_SOURCE = "Object.defineProperty(window, 'EventSource', { value: undefined });"


@pytest.fixture
def tab(new_tabs: NewTabs, script: ScriptedServer) -> Tab:
    return new_tabs(script.url, NO_EVENT_SOURCE).open(share=None, since="e-0")


def frame(seq: int, *, end: str = "\n", **fields: object) -> str:
    return end.join([f"id: e-{seq}", f"data: {json.dumps(event(seq, **fields), ensure_ascii=False)}", "", ""])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_frames_are_the_same_however_the_network_cuts_them(
    tab: Tab, script: ScriptedServer, end: str, size: int
) -> None:
    stream = script.next_stream()
    stream.connected("e-0")
    text = ": a comment" + end + end + "".join(frame(seq, end=end, summary=f"ñ 漢字 🦘 {seq}") for seq in range(1, 6))
    data = text.encode()
    for at in range(0, len(data), size):
        stream.send_bytes(data[at : at + size])
    tab.wait_for_events([1, 2, 3, 4, 5])
    assert tab.page.evaluate("window.client.cursor") == "e-5"


def test_a_stream_that_breaks_off_is_opened_again_behind_the_last_event(tab: Tab, script: ScriptedServer) -> None:
    stream = script.next_stream()
    stream.connected("e-0")
    stream.event(1)
    tab.wait_for_events([1])
    # Half a frame is no frame.
    stream.send_raw("id: e-2\ndata: {}\n")
    stream.break_off()
    again = script.next_stream()
    assert again.query["last_event_id"] == "e-1"
    again.connected("e-1")
    again.event(2)
    tab.wait_for_events([1, 2])


def test_several_lines_of_data_are_one_message_and_unknown_fields_are_passed_over(
    tab: Tab, script: ScriptedServer
) -> None:
    stream = script.next_stream()
    stream.connected("e-0")
    text = json.dumps(event(1), indent=1).replace("\n", "\ndata: ")
    stream.send_raw(f"retry: 10\nid:e-1\nother: x\nnovalue\ndata: {text}\n\n")
    tab.wait_for_events([1])


def test_a_frame_without_an_end_ends_the_stream_and_not_the_memory(tab: Tab, script: ScriptedServer) -> None:
    stream = script.next_stream()
    stream.connected("e-0")
    for _ in range(12):
        stream.send_raw("data: " + "x" * 100_000)
    assert script.next_stream().query["last_event_id"] == "e-0"
