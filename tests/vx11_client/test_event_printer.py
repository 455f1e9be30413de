"""What an operator sees: text, and never anything that drives the terminal."""

import io
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vx11_client.reading.event_printer import EventPrinter, OutputClosed
from vx11_client.reading.stream_reader import CaughtUp, Connected, Heartbeat, Received, Reconnecting, StreamReset
from vx11_client.terminal_text import shown, shown_json

EVENT = {
    "type": "event",
    "created_at": "2026-01-04T01:34:28.123456Z",
    "severity": "error",
    "module": "nginx",
    "event_type": "nginx.error",
    "summary": "Größe übersteigt 5 € 🚨",
}
HOSTILE = "\x1b[2J\x07\x9b31m\u202eevil\u2028\u200b\x7f\x00"


def printed(item: object, *, as_json: bool = False, in_colour: bool = False) -> tuple[str, str]:
    events_out, state_out = io.StringIO(), io.StringIO()
    EventPrinter(events_out, state_out, as_json=as_json, in_colour=in_colour).show(item)  # type: ignore[arg-type]
    return events_out.getvalue(), state_out.getvalue()


def test_a_line_has_local_time_severity_module_type_and_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    line, states = printed(Received(EVENT))
    assert line.split() == [*line.split()[:2], "error", "nginx", "nginx.error", "Größe", "übersteigt", "5", "€", "🚨"]
    # The date and time of where the test runs.
    assert len(line.split("  ")[0]) == len("2026-01-04 01:34:28")
    assert states == ""


def test_a_line_shows_when_it_happened_where_that_differs_from_when_it_was_stored() -> None:
    stored = "2026-01-04T01:34:28.123456Z"

    def time_of(occurred_at: str | None) -> str:
        return printed(Received({**EVENT, "created_at": stored, "occurred_at": occurred_at}))[0].split("  ")[0]

    same = time_of(None)
    assert time_of("2026-01-04T01:34:27.9Z") == same
    assert time_of("2019-03-02T11:12:13Z").startswith("2019-03-02 ")
    assert time_of("2026-01-04T01:34:20Z") != same
    assert time_of("no time") == same


def test_colour_is_there_only_when_asked_for() -> None:
    assert "\x1b" not in printed(Received(EVENT))[0]
    assert "\x1b[1;31merror   \x1b[0m" in printed(Received(EVENT), in_colour=True)[0]


@pytest.mark.parametrize("field", ["summary", "module", "event_type", "severity", "created_at"])
def test_an_event_cannot_drive_the_terminal(field: str) -> None:
    line, _ = printed(Received({**EVENT, field: HOSTILE}), in_colour=True)
    assert "\\x1b[2J\\x07\\x9b31m\\u202eevil\\u2028\\u200b\\x7f\\x00" in line
    assert not set(HOSTILE) & set(line) - set("[2J31mevil") - {"\x1b"}
    assert line.count("\x1b") <= 2
    assert line.count("\n") == 1


def test_json_is_one_line_that_says_the_same_and_cannot_drive_a_terminal_either() -> None:
    event = {**EVENT, "payload": {HOSTILE: [HOSTILE, {"tag": "\U000e0041"}]}}
    line, _ = printed(Received(event), as_json=True)
    assert json.loads(line) == event
    assert line.endswith("\n")
    assert not set(HOSTILE + "\U000e0041") & set(line) - set("[2J31mevil")
    assert "Größe" in line


@settings(deadline=None)
@given(st.text())
def test_shown_text_has_nothing_that_is_not_seen(text: str) -> None:
    assert all(character.isprintable() or character.isspace() for character in shown(text))
    assert not set("\n\r\t\v\f\x85\u2028") & set(shown(text))
    assert json.loads(shown_json(json.dumps(text, ensure_ascii=False))) == text


def test_what_happens_to_the_connection_is_kept_apart_from_events() -> None:
    texts = {
        Connected("k-1"): "connected at k-1",
        CaughtUp("k-2"): "live from k-2",
        StreamReset("expired", "k-3"): "events are missing here (expired); going on from k-3",
        Reconnecting(2.2, "gone\x1b"): "gone\\x1b; next try in 2 s",
    }
    for item, text in texts.items():
        assert printed(item, as_json=True) == ("", f"tail_events: {text}\n")


def test_a_reader_that_has_gone_is_noticed_with_the_next_event_and_with_the_next_heartbeat() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as events_out:
        printer = EventPrinter(events_out, io.StringIO(), as_json=True, in_colour=False)
        printer.show(Heartbeat())
        os.close(reading)
        with pytest.raises(OutputClosed):
            printer.show(Heartbeat())
        with pytest.raises(OutputClosed):
            printer.show(Received(EVENT))
        # What is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_no_line_begins_after_a_signal_that_came_between_two_lines() -> None:
    events_out = io.StringIO()
    printer = EventPrinter(events_out, io.StringIO(), as_json=True, in_colour=False)
    printer.show(Received(EVENT))
    printer.stop()
    with pytest.raises(KeyboardInterrupt):
        printer.show(Received(EVENT))
    assert events_out.getvalue().count("\n") == 1
